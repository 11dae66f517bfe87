"""The user's repository as a place, and the private folder a command works in."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from git_ghost.errors import GhostError, GitFailed, NoRepository
from git_ghost.files import copy_file, private_folder, temporary_folder, temporary_place
from git_ghost.git import Running, environment, git
from git_ghost.model import Oid, oid
from git_ghost.process import Environment, stop_all
from git_ghost.settings import GitConfig

STATE = "git-ghost"
"""The folder in a repository's git folder that is ours."""


@dataclass(frozen=True)
class Repository:
    """A repository of the user's; paths are absolute. ``work_tree`` is empty in a bare one."""

    git_dir: str
    common_dir: str
    work_tree: str
    objects: str
    index: str
    object_format: str
    config: GitConfig
    foreign: bool = False

    @property
    def state(self) -> str:
        """Our own folder in the git folder (each linked worktree has its own)."""
        return os.path.join(self.git_dir, STATE)

    @property
    def branch(self) -> str:
        """The branch HEAD is on; empty when it is detached."""
        try:
            with open(os.path.join(self.git_dir, "HEAD"), "rb") as head:
                text = os.fsdecode(head.read()).strip()
        except OSError:
            return ""
        start = "ref: refs/heads/"
        return text.removeprefix(start) if text.startswith(start) else ""

    @property
    def cwd(self) -> str:
        """The folder commands run in."""
        return self.work_tree or self.git_dir

    def env(self, **extra: str) -> dict[str, str]:
        """The environment for commands about this repository; ``extra`` variables win."""
        settled = {"GIT_DIR": self.git_dir, "GIT_INDEX_FILE": self.index}
        if self.work_tree:
            settled["GIT_WORK_TREE"] = self.work_tree
        return environment(foreign=self.foreign, **{**settled, **extra})

    def git(
        self,
        *args: str | bytes,
        stdin: bytes | None = None,
        ok: tuple[int, ...] = (0,),
        **extra: str,
    ) -> bytes:
        """Run git in this repository; ``extra`` are environment variables."""
        return git(*args, cwd=self.cwd, env=self.env(**extra), stdin=stdin, ok=ok)

    def write_tree(self, env: Environment) -> Oid:
        """The tree that the index of ``env`` holds; what a partial clone lacks is not fetched."""
        return oid(git("write-tree", "--missing-ok", cwd=self.cwd, env=env))

    def commit(self, rev: str) -> Oid | None:
        """The commit a revision names here, or None; a missing object is not fetched for it."""
        args = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
        out = self.git(*args, ok=(0, 1, 128), GIT_NO_LAZY_FETCH="1")
        return oid(out) if out.strip() else None

    @property
    def shallow(self) -> bool:
        """Whether its history is cut off."""
        return os.path.exists(os.path.join(self.common_dir, "shallow"))


def open_repository(directory: str = ".", *, foreign: bool = False) -> Repository:
    """The repository that ``directory`` is in.

    ``foreign`` ignores what a parent git exported (the caller named the folder itself). Raises
    NoRepository when there is none, GhostError when git refuses it.
    """
    if not os.path.isdir(directory):
        raise GhostError(f"there is no folder {directory}")
    env = environment(foreign=foreign)
    configuration = Running("config", "--list", "-z", cwd=directory, env=env)
    asked = (
        "--is-bare-repository", "--absolute-git-dir", "--git-common-dir", "--show-object-format",
        "--git-path", "index", "--git-path", "objects", "--show-toplevel",
    )  # fmt: skip
    with configuration:
        running = Running("rev-parse", *asked, cwd=directory, env=env)
        out = running.result(ok=(0, 128))
        lines = os.fsdecode(out).split("\n")
        if len(lines) < 7:
            raise _no_repository(directory, running.wait()[1])
        if len(lines) > 8:
            raise GhostError(
                "git ghost cannot work in a repository whose own path has a line break in it"
            )
        bare, git_dir, common, object_format, index, objects = lines[:6]
        top = lines[6] if bare == "false" and len(lines) > 7 else ""
        here = os.path.abspath(directory)
        # --git-path and --git-common-dir are relative to the folder (absolute from git 2.31)
        return Repository(
            git_dir=git_dir,
            common_dir=os.path.normpath(os.path.join(here, common)),
            work_tree=top,
            objects=os.path.normpath(os.path.join(here, objects)),
            index=os.path.normpath(os.path.join(here, index)),
            object_format=object_format,
            config=GitConfig.parse(configuration.result()),
            foreign=foreign,
        )


def _no_repository(directory: str, said: str) -> GhostError:
    if "not a git repository" not in said:
        return GhostError(f"git does not open this repository: {said.strip()}")
    return NoRepository(
        f"{os.path.abspath(directory)} is not in a git repository",
        "Go into one, or name one with --src-dir.",
    )


def global_config() -> GitConfig:
    """The configuration that holds outside any repository."""
    try:
        return GitConfig.parse(
            git("config", "--list", "-z", env=environment(foreign=True), cwd=os.path.sep)
        )
    except GitFailed as e:
        raise GhostError(f"git cannot read its configuration: {e.stderr.strip()}") from e


def needs_work_tree(repository: Repository) -> Repository:
    """``repository`` when it has a working tree, GhostError otherwise."""
    if not repository.work_tree:
        raise GhostError(
            f"{repository.git_dir} has no working tree: it is bare, or this is a folder inside it",
            "Run this in a checkout.",
        )
    return repository


_ALTERNATES = "GIT_ALTERNATE_OBJECT_DIRECTORIES"


class Quarantine:
    """A private folder: new objects, private indexes, a bare repository to fetch into.

    It lives in the repository's own git folder (same file system, never world-readable), or in
    ``parent`` or the system's temporary folder where there is no repository to write to. Nothing in
    it outlives :func:`quarantine`'s block unless it is moved out.
    """

    def __init__(self, path: str, repository: Repository | None) -> None:
        self.path = path
        self.repository = repository
        self.objects = os.path.join(path, "objects")
        os.makedirs(os.path.join(self.objects, "info"))

    def file(self, name: str) -> str:
        """The path of a file in it."""
        return os.path.join(self.path, name)

    def env(self, index: str = "index", **extra: str) -> dict[str, str]:
        """The environment for commands that read the user's repository and write only here."""
        assert self.repository is not None
        alternates = [_quote(self.repository.objects), extra.pop(_ALTERNATES, "")]
        if not self.repository.foreign:  # a parent git may keep a part of the objects apart
            alternates.append(os.environ.get(_ALTERNATES, ""))
        return self.repository.env(
            GIT_INDEX_FILE=self.file(index),
            GIT_OBJECT_DIRECTORY=self.objects,
            GIT_ALTERNATE_OBJECT_DIRECTORIES=":".join(filter(None, alternates)),
            **extra,
        )

    def tree(self, rev: str) -> Oid | None:
        """The tree a revision names, new objects included; None without one."""
        assert self.repository is not None
        args = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{tree}}")
        out = git(*args, cwd=self.repository.cwd, env=self.env(), ok=(0, 1, 128))
        return oid(out) if out.strip() else None

    def bare(self, name: str, object_format: str) -> str:
        """A new, empty bare repository in here, with the configuration of the user's repository."""
        git_dir = private_folder(self.path, f"{name}-")
        for folder in ("objects/pack", "objects/info", "refs"):
            os.makedirs(os.path.join(git_dir, folder))
        with open(os.path.join(git_dir, "HEAD"), "w") as head:
            head.write("ref: refs/heads/none\n")
        lines = [] if self.repository is None else _written_out(self.repository.config)
        lines += [
            "[core]",
            f"\trepositoryFormatVersion = {int(object_format != 'sha1')}",
            "\tbare = true",
        ]
        if object_format != "sha1":
            lines += ["[extensions]", f"\tobjectFormat = {object_format}"]
        with open(os.path.join(git_dir, "config"), "wb") as config:
            config.write(os.fsencode("\n".join(lines) + "\n"))
        return git_dir

    def copy_index(self, name: str = "index") -> None:
        """A private copy of the user's index, with its time stamp: racily clean entries need it."""
        assert self.repository is not None
        with contextlib.suppress(FileNotFoundError):
            copy_file(self.repository.index, self.file(name))

    def keep_objects(self, *, packs_only: bool = False) -> None:
        """Move objects made here into the user's repository: all, or what came as packs."""
        assert self.repository is not None
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


_NOT_ELSEWHERE = re.compile(
    r"(?:core\.(?:bare|worktree)|(?:include|includeif|extensions|remote)\..*)\Z", re.DOTALL
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


def _quote(path: str) -> str:
    """``path`` for GIT_ALTERNATE_OBJECT_DIRECTORIES, which is split at colons unless quoted."""
    if ":" not in path and not path.startswith('"'):
        return path
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


@contextlib.contextmanager
def quarantine(repository: Repository | None, parent: str = "") -> Iterator[Quarantine]:
    """A fresh :class:`Quarantine`, gone when the block ends, however it ends.

    What a killed process left behind is removed here too: its lock is free. Raises GhostError when
    ``parent``, given by the user, is no folder.
    """
    if parent and not os.path.isdir(parent):
        raise GhostError(f"there is no folder {parent} to work in", "Check --ghost-working-dir.")
    place = parent or _default_parent(repository)
    with temporary_folder(place) as path:
        try:
            yield Quarantine(path, repository)
        finally:
            stop_all()  # nobody may write in there any more


def _default_parent(repository: Repository | None) -> str:
    if repository is not None:
        folder = os.path.join(repository.state, "tmp")
        with contextlib.suppress(OSError):
            os.makedirs(folder, exist_ok=True)
            if os.access(folder, os.W_OK | os.X_OK):
                return folder
    try:
        return temporary_place()
    except FileNotFoundError as e:
        raise GhostError(
            "there is no folder for temporary files that can be written to",
            "Name one with --ghost-working-dir or TMPDIR.",
        ) from e
