"""What is really in a working tree, found out without any code of git ghost."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.sandbox import Sandbox

Entry = tuple[str, bool, bytes]
"""Kind (`file`, `symlink` or `other`), whether the owner may execute it, content or target."""


def git_tree_of(sandbox: Sandbox, path: Path) -> str:
    """Return the tree id of everything in the working tree at `path` that git would add.

    Untracked files are in, ignored ones only when tracked. The private index starts with the
    entries of the real one but without any stat data, so every file is read; index and new
    objects live in a temporary directory, so the repository is not written to.
    """
    entries = sandbox.git("ls-files", "--stage", "-z", cwd=path)
    tags = sandbox.git("ls-files", "-t", "-z", cwd=path)
    skipped = [line[2:] for line in tags.split(b"\0") if line.startswith(b"S ")]
    objects = str(path / sandbox.text("rev-parse", "--git-path", "objects", cwd=path))
    with tempfile.TemporaryDirectory(dir=sandbox.env["TMPDIR"]) as scratch:
        env = {
            "GIT_INDEX_FILE": f"{scratch}/index",
            "GIT_OBJECT_DIRECTORY": f"{scratch}/objects",
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects,
        }
        Path(env["GIT_OBJECT_DIRECTORY"]).mkdir()
        sandbox.git("update-index", "-z", "--index-info", stdin=entries, cwd=path, env=env)
        if skipped:  # outside of a sparse checkout: absent on disk, yet not deleted
            paths = b"".join(name + b"\0" for name in skipped)
            command = ("update-index", "--skip-worktree", "-z", "--stdin")
            sandbox.git(*command, stdin=paths, cwd=path, env=env)
        sandbox.git("add", "--all", cwd=path, env=env)
        return sandbox.text("write-tree", cwd=path, env=env)


def disk_state(path: Path) -> dict[bytes, Entry]:
    """Return everything on disk below `path`, by relative path, except what is named `.git`.

    Ignored files are in, and so is content that git's filters would change. Directories count
    only by what they hold, as in git.
    """
    top = os.fsencode(path)
    return {os.path.relpath(name, top): _entry(name) for name in _walk(top)}


def disk_tree_of(path: Path, object_format: str = "sha1") -> str:
    """Return the git tree id of `disk_state(path)`, hashed without git: no filter, no ignore."""
    return _tree(disk_state(path), object_format).hex()


def _walk(directory: bytes) -> Iterator[bytes]:
    with os.scandir(directory) as found:
        for entry in found:
            if entry.name == b".git":
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path)
            else:
                yield entry.path


def _entry(name: bytes) -> Entry:
    mode = os.lstat(name).st_mode
    if stat.S_ISLNK(mode):
        return "symlink", False, os.readlink(name)  # noqa: PTH115 - a Path would tidy the target up
    if not stat.S_ISREG(mode):
        return "other", False, b""
    return "file", bool(mode & stat.S_IXUSR), Path(os.fsdecode(name)).read_bytes()


def _tree(state: dict[bytes, Entry], object_format: str) -> bytes:
    below: dict[bytes, dict[bytes, Entry]] = {}
    rows: list[tuple[bytes, bytes]] = []
    for path, entry in state.items():
        directory, slash, rest = path.partition(b"/")
        if slash:
            below.setdefault(directory, {})[rest] = entry
            continue
        kind, executable, content = entry
        mode = b"120000" if kind == "symlink" else b"100755" if executable else b"100644"
        rows.append((path, _row(mode, path, _hash(b"blob", content, object_format))))
    for name, inner in below.items():
        # git sorts a directory as if its name ended in a slash
        rows.append((name + b"/", _row(b"40000", name, _tree(inner, object_format))))
    return _hash(b"tree", b"".join(row for _, row in sorted(rows)), object_format)


def _row(mode: bytes, name: bytes, digest: bytes) -> bytes:
    return mode + b" " + name + b"\0" + digest


def _hash(kind: bytes, content: bytes, object_format: str) -> bytes:
    header = kind + b" %d\0" % len(content)
    return hashlib.new(object_format, header + content).digest()
