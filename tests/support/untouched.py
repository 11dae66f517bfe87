"""That a refused command left everything of the user's exactly as it was."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

State = dict[str, object]


def git_dir_of(repo: Path) -> Path:
    """Return the git folder of a working tree, also of a linked one."""
    dot_git = repo / ".git"
    if dot_git.is_dir():
        return dot_git
    return Path(dot_git.read_text(encoding="utf-8").removeprefix("gitdir: ").strip())


def state_of(repo: Path) -> State:
    """Return all there is: files with inodes and times, index, HEAD, refs, reflogs, config."""
    found: State = {}
    for folder, folders, names in os.walk(os.fsencode(repo)):
        if folder == os.fsencode(repo):
            folders[:] = [name for name in folders if name != b".git"]
        for name in names:
            full = folder + b"/" + name
            stat = os.lstat(full)
            found[os.fsdecode(full)] = (stat.st_mode, stat.st_ino, stat.st_mtime_ns, stat.st_size)
        found[os.fsdecode(folder) + "/"] = sorted(folders)
    git_dir = git_dir_of(repo)
    common = git_dir
    if (git_dir / "commondir").exists():
        common = git_dir / (git_dir / "commondir").read_text(encoding="utf-8").strip()
    for top in {git_dir, common.resolve()}:
        kept = [top / name for name in ("index", "HEAD", "config", "packed-refs", "index.lock")]
        for below in ("refs", "logs"):
            kept += [path for path in (top / below).rglob("*") if path.is_file()]
        for path in kept:
            if path.exists():
                found[str(path)] = path.read_bytes()
    return found


def litter_in(repo: Path) -> list[str]:
    """Return the locks and temporary things of git ghost that are left in a repository."""
    git_dir = git_dir_of(repo)
    found = [str(path) for path in git_dir.rglob("*.lock") if path.name != "pull.lock"]
    found += [str(path) for path in (git_dir / "git-ghost").rglob("*.new")]
    found += [str(path) for path in (git_dir / "git-ghost" / "tmp").glob("*")]
    return found + [str(path) for path in repo.glob(".git-ghost-*")]


@contextlib.contextmanager
def untouched(repo: Path) -> Iterator[None]:
    """Assert that the block changes nothing in `repo` and leaves nothing behind."""
    before = state_of(repo)
    locks = litter_in(repo)
    yield
    after = state_of(repo)
    changed = {
        key: (before.get(key), after.get(key))
        for key in {*before, *after}
        if before.get(key) != after.get(key)
    }
    assert not changed
    assert litter_in(repo) == locks
