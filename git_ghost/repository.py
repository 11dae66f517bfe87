"""The user's repository as a place."""

from __future__ import annotations

import os
from dataclasses import dataclass

from git_ghost.errors import GhostError, GitFailed, NoRepository
from git_ghost.git import Running, environment, git
from git_ghost.gitconfig import GitConfig
from git_ghost.model import Oid, oid

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
        out = self.git("symbolic-ref", "--quiet", "HEAD", ok=(0, 1, 128))
        ref, start = os.fsdecode(out).removesuffix("\n"), "refs/heads/"
        return ref.removeprefix(start) if ref.startswith(start) else ""

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
        keep: tuple[int, ...] = (),
        **extra: str,
    ) -> bytes:
        """Run git in this repository; ``extra`` are environment variables."""
        return git(*args, cwd=self.cwd, env=self.env(**extra), stdin=stdin, ok=ok, keep=keep)

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
        raise GhostError(f"git cannot read its configuration: {e.said}") from e


def needs_work_tree(repository: Repository) -> Repository:
    """``repository`` when it has a working tree, GhostError otherwise."""
    if not repository.work_tree:
        raise GhostError(
            f"{repository.git_dir} has no working tree: it is bare, or this is a folder inside it",
            "Run this in a checkout.",
        )
    return repository
