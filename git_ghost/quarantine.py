"""The private folder a command works in: nothing in it outlives the command."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import IO, Final, NamedTuple

from git_ghost.activity import Activity
from git_ghost.errors import GhostError
from git_ghost.files import copy_file, private_folder, temporary_folder, temporary_place
from git_ghost.git import CONFIGURATION, Running, environment, pipe
from git_ghost.gitconfig import GitConfig
from git_ghost.model import Oid, oid
from git_ghost.process import Progress, stop_all
from git_ghost.repository import Repository

ALTERNATES: Final = "GIT_ALTERNATE_OBJECT_DIRECTORIES"
"""Where git finds more objects, and writes none."""


class Bare(NamedTuple):
    """A bare repository in a :class:`Scratch`, and how git is run in it."""

    git_dir: str
    cwd: str
    env: dict[str, str]


class Scratch:
    """A private folder outside any repository, with room for bare ones to fetch into."""

    def __init__(self, path: str) -> None:
        self.path = path

    def file(self, name: str) -> str:
        """The path of a file in it."""
        return os.path.join(self.path, name)

    def bare(self, name: str, object_format: str) -> Bare:
        """A new, empty bare repository in here, under the user's global configuration."""
        return self._bare(name, object_format, [])

    def _bare(self, name: str, object_format: str, lines: list[str]) -> Bare:
        git_dir = private_folder(self.path, f"{name}-")
        for folder in ("objects/pack", "objects/info", "refs"):
            os.makedirs(os.path.join(git_dir, folder))
        with open(os.path.join(git_dir, "HEAD"), "w") as head:
            head.write("ref: refs/heads/none\n")
        lines += [
            "[core]",
            f"\trepositoryFormatVersion = {int(object_format != 'sha1')}",
            "\tbare = true",
        ]
        if object_format != "sha1":
            lines += ["[extensions]", f"\tobjectFormat = {object_format}"]
        with open(os.path.join(git_dir, "config"), "wb") as config:
            config.write(os.fsencode("\n".join(lines) + "\n"))
        return Bare(git_dir, git_dir, environment(foreign=True, GIT_DIR=git_dir))


class Quarantine(Scratch):
    """A private folder beside the user's repository: new objects and private indexes.

    It lives in the repository's own git folder where that can be written to (same file system,
    never world-readable). Nothing in it outlives :func:`quarantine`'s block unless it is moved out.
    """

    def __init__(self, path: str, repository: Repository, activity: Activity = Activity()) -> None:
        super().__init__(path)
        self.activity = activity
        """What is told of what is done in it."""
        self.repository = repository
        self.objects = os.path.join(path, "objects")
        os.makedirs(os.path.join(self.objects, "info"))
        self.kept_objects = os.path.join(repository.state, "objects")
        """Where objects are kept from one command to the next; git's own commands see none."""
        self.prefix = _inside(path, repository.work_tree)
        """What paths in here begin with, as git lists them in the working tree; mostly empty."""
        self._alternates = [*_nested_alternates(repository), _quote(repository.objects)]
        if os.path.isdir(self.kept_objects):
            self._alternates.append(_quote(self.kept_objects))

    def env(self, index: str = "index", **extra: str) -> dict[str, str]:
        """The environment for commands that read the user's repository and write only here."""
        alternates = [*self._alternates, extra.pop(ALTERNATES, "")]
        if not self.repository.foreign:  # a parent git may keep a part of the objects apart
            alternates.append(os.environ.get(ALTERNATES, ""))
        return self.repository.env(
            GIT_INDEX_FILE=self.file(index),
            GIT_OBJECT_DIRECTORY=self.objects,
            GIT_ALTERNATE_OBJECT_DIRECTORIES=":".join(filter(None, alternates)),
            **extra,
        )

    def start(
        self,
        *args: str | bytes,
        index: str = "index",
        stdin: bytes | IO[bytes] | None = None,
        keep: tuple[int, ...] = (),
        progress: Progress | None = None,
        **extra: str,
    ) -> Running:
        """Start git on the user's repository with a private index; what it makes stays here."""
        env, cwd = self.env(index, **extra), self.repository.cwd
        return Running(*args, cwd=cwd, env=env, stdin=stdin, keep=keep, progress=progress)

    def git(
        self,
        *args: str | bytes,
        index: str = "index",
        stdin: bytes | IO[bytes] | None = None,
        ok: tuple[int, ...] = (0,),
        keep: tuple[int, ...] = (),
        progress: Progress | None = None,
        **extra: str,
    ) -> bytes:
        """The output of :meth:`start`; GitFailed when its status is not in ``ok``."""
        running = self.start(*args, index=index, stdin=stdin, keep=keep, progress=progress, **extra)
        return running.result(ok)

    def pipe(self, producer: Running, *args: str | bytes, index: str = "index") -> bytes:
        """Feed ``producer``'s output to git, run as by :meth:`start`; both must succeed."""
        return pipe(producer, *args, cwd=self.repository.cwd, env=self.env(index))

    def write_tree(self, index: str = "index") -> Oid:
        """The tree a private index holds; what a partial clone lacks is not fetched."""
        return oid(self.git("write-tree", "--missing-ok", index=index))

    def tree(self, rev: str) -> Oid | None:
        """The tree a revision names, new objects included; None without one."""
        args = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{tree}}")
        out = self.git(*args, ok=(0, 1, 128))
        return oid(out) if out.strip() else None

    def bare(self, name: str, object_format: str) -> Bare:
        """A new, empty bare repository in here, with the configuration of the user's repository."""
        made = self._bare(name, object_format, _written_out(self.repository.config))
        for variable in CONFIGURATION:  # what it says is written out
            made.env.pop(variable, None)
        return made._replace(cwd=self.repository.cwd)  # relative paths in it start there

    def copy_index(self, name: str = "index") -> None:
        """A private copy of the user's index, with its time stamp: racily clean entries need it."""
        with contextlib.suppress(FileNotFoundError):
            copy_file(self.repository.index, self.file(name))

    def keep_objects(self, *, packs_only: bool = False) -> None:
        """Move objects made here into the user's repository: all, or what came as packs."""
        for folder, _, names in sorted(os.walk(self.objects), reverse=True):
            # A pack counts from the moment its .idx is there, so that goes last.
            for name in sorted(names, key=lambda n: n.endswith(".idx")):
                relative = os.path.relpath(os.path.join(folder, name), self.objects)
                if relative.startswith("info" + os.sep) or (
                    packs_only and not relative.startswith("pack" + os.sep)
                ):
                    continue
                target = os.path.join(self.repository.objects, relative)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                if not os.path.exists(target):
                    _move(os.path.join(folder, name), target)


def _inside(path: str, work_tree: str) -> bytes:
    """``path``, a folder, relative to ``work_tree``, with a slash; empty when it is outside."""
    top, full = os.path.realpath(work_tree), os.path.realpath(path)
    if not work_tree or os.path.commonpath((top, full)) != top:
        return b""
    return os.fsencode(os.path.relpath(full, top)) + b"/"


_NOT_ELSEWHERE = re.compile(
    r"(?:core\.(?:bare|worktree|repositoryformatversion)"
    r"|(?:include|includeif|extensions|remote)\..*)\Z",
    re.DOTALL,
)
"""Keys that are about one repository, or resolved already."""

_LISTS = re.compile(r"(?:http\..*extraheader|credential\..*helper)\Z", re.DOTALL)
"""Keys whose values add up (an empty one starts anew): the global ones must not count twice."""


def _written_out(config: GitConfig) -> list[str]:
    """The lines of a config file that says all that ``config`` does, wherever it is read.

    To include the user's own file would not do: conditions (``includeIf``) hold for its place only,
    and a linked worktree has a second one.
    """
    entries = [(key, value) for key, value in config.entries if not _NOT_ELSEWHERE.match(key)]
    anew = [(key, "") for key in dict.fromkeys(key for key, _ in entries) if _LISTS.match(key)]
    lines = []
    for key, value in [*anew, *entries]:
        section, _, rest = key.partition(".")
        subsection, dot, name = rest.rpartition(".")
        lines += [f"[{section} {_quoted(subsection)}]" if dot else f"[{section}]"]
        lines += [f"\t{name} = {_quoted(value)}"]
    return lines


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _move(source: str, target: str) -> None:
    try:
        os.rename(source, target)
    except OSError:  # another file system
        folder = os.path.dirname(target)
        part = os.path.join(folder, f"tmp_obj_{os.getpid()}")  # a name that git gc sweeps away
        copy_file(source, part)
        os.rename(part, target)


def _nested_alternates(repository: Repository) -> list[str]:
    """What a repository borrows objects from, so that git need not follow one to the next.

    It does so five deep (``link_alt_odb_entries``), and the quarantine would be one more.
    """
    if not os.path.exists(os.path.join(repository.objects, "info", "alternates")):
        return []
    lines = os.fsdecode(repository.git("count-objects", "-v")).split("\n")
    start = "alternate: "
    found = [line.removeprefix(start) for line in lines if line.startswith(start)]
    return [path if path.startswith('"') else _quote(path) for path in reversed(found)]


def _quote(path: str) -> str:
    """``path`` for GIT_ALTERNATE_OBJECT_DIRECTORIES, which is split at colons unless quoted."""
    if ":" not in path and not path.startswith('"'):
        return path
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


@contextlib.contextmanager
def quarantine(
    repository: Repository, parent: str = "", activity: Activity = Activity()
) -> Iterator[Quarantine]:
    """A fresh :class:`Quarantine`, gone when the block ends, however it ends.

    What a killed process left behind is removed here too: its lock is free. Raises GhostError when
    ``parent``, given by the user, is not a folder.
    """
    with _private(parent or _beside(repository)) as path:
        yield Quarantine(path, repository, activity)


@contextlib.contextmanager
def scratch(repository: Repository | None = None, parent: str = "") -> Iterator[Scratch]:
    """A fresh :class:`Scratch`, as :func:`quarantine`; one of those where there is a repository."""
    if repository is not None:
        with quarantine(repository, parent) as private:
            yield private
    else:
        with _private(parent) as path:
            yield Scratch(path)


@contextlib.contextmanager
def _private(parent: str) -> Iterator[str]:
    if parent and not os.path.isdir(parent):
        raise GhostError(f"there is no folder {parent} to work in", "Check --ghost-working-dir.")
    # git is started in more than one folder, so a relative path would not do.
    with temporary_folder(os.path.abspath(parent or _anywhere())) as path:
        try:
            yield path
        finally:
            stop_all()  # nobody may write in there any more


def _beside(repository: Repository) -> str:
    """Our folder in the repository; empty when it cannot be written to."""
    folder = os.path.join(repository.state, "tmp")
    with contextlib.suppress(OSError):
        os.makedirs(folder, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
    return ""


def _anywhere() -> str:
    try:
        return temporary_place()
    except FileNotFoundError as e:
        raise GhostError(
            "there is no folder for temporary files that can be written to",
            "Name one with --ghost-working-dir or TMPDIR.",
        ) from e
