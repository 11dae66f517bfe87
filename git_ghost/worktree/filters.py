"""Clean and smudge filters: those that never give the same twice, and those that are not here.

git compares a file by cleaning it again. With a filter that draws a new salt each time (age,
ansible-vault) every file it looks at is a modified one; what smudge gives tells whether it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from git_ghost.errors import GitFailed
from git_ghost.files import replace_file
from git_ghost.git import git
from git_ghost.gitconfig import GitConfig
from git_ghost.quarantine import ALTERNATES, Quarantine
from git_ghost.repository import Repository

_NO_FILTER = (b"unspecified", b"unset", b"set")


def asked_for(
    quarantine: Quarantine, paths: Iterable[bytes], *options: str, index: str = "index"
) -> dict[bytes, str]:
    """The filter that each of ``paths`` asks for by its attributes; those without are left out."""
    feed = b"".join(path + b"\0" for path in paths)
    if not feed:
        return {}
    args = ("check-attr", *options, "--stdin", "-z", "filter")
    out = quarantine.git(*args, index=index, stdin=feed).split(b"\0")
    pairs = zip(out[0::3], out[2::3], strict=False)
    return {path: os.fsdecode(value) for path, value in pairs if value not in _NO_FILTER}


def _cleaning(config: GitConfig) -> list[str]:
    """The filters that are a clean command of their own (no long-running process, as LFS has)."""
    found = (re.fullmatch(r"filter\.([^=]+)\.clean", key, re.DOTALL) for key in config.values)
    names = [match[1] for match in found if match]
    return [name for name in names if not config.get(f"filter.{name}.process")]


def unchanged(quarantine: Quarantine, paths: Iterable[bytes]) -> tuple[bytes, ...]:
    """Those of ``paths``, which git calls modified, that are what a checkout of the index gives."""
    names = _cleaning(quarantine.repository.config)
    asked = asked_for(quarantine, paths) if names else {}
    if not {*names}.intersection(asked.values()):
        return ()
    raw = quarantine.git("diff-files", "-z", "--raw", "--no-abbrev").split(b"\0")
    found = []
    for about, path in zip(raw[0::2], raw[1::2], strict=False):
        old_mode, mode, blob, _, status = about.lstrip(b":").split(b" ")
        may_be = asked.get(path) in names and status == b"M" and mode == old_mode
        if may_be and _holds(quarantine, path, blob):
            found.append(path)
    return tuple(found)


def _holds(quarantine: Quarantine, path: bytes, blob: bytes) -> bool:
    """Whether the file at ``path`` is what a checkout of ``blob`` writes there."""
    full = os.path.join(os.fsencode(quarantine.repository.work_tree), path)
    if os.path.islink(full) or not os.path.isfile(full):
        return False
    with open(full, "rb") as file:
        return file.read() == smudged(quarantine, blob, path)


def smudged(quarantine: Quarantine, blob: bytes, path: bytes) -> bytes | None:
    """The bytes a checkout writes at ``path`` for a blob, by id or name; None where it cannot."""
    try:
        return quarantine.git("cat-file", "--filters", b"--path=" + path, blob)
    except GitFailed:
        return None


def trusting(config: GitConfig) -> tuple[str, ...]:
    """Options under which git takes files for what the index has; for when that is known."""
    return tuple(
        word
        for name in _cleaning(config)
        for word in ("-c", f"filter.{name}.clean=git cat-file blob :0:%f")
    )


def refresh(quarantine: Quarantine, paths: Iterable[bytes], index: str = "index") -> None:
    """Make the private index know the files ``paths``, which it has, by their time stamps."""
    if feed := b"".join(path + b"\0" for path in paths):
        options = trusting(quarantine.repository.config)
        quarantine.git(*options, "update-index", "-z", "--stdin", index=index, stdin=feed)


# --- what was cleaned is remembered, so that the same file is the same blob again ----------------

_TABLE = "cleaned.json"


def _remembered(repository: Repository) -> dict[bytes, str]:
    """The blob that each file was cleaned to last, or was written from."""
    with contextlib.suppress(OSError, ValueError):
        with open(os.path.join(repository.state, _TABLE), encoding="ascii") as file:
            found = json.load(file)
        if isinstance(found, dict):
            return {os.fsencode(path): str(blob) for path, blob in found.items()}
    return {}


def recall(quarantine: Quarantine, paths: Sequence[bytes], index: str) -> list[bytes]:
    """Put those of the files ``paths`` into the private index that are what they were; the others.

    A file is that when it holds what smudge gives for the blob it was cleaned to.
    """
    repository = quarantine.repository
    known = _remembered(repository) if _cleaning(repository.config) else {}
    same = [p for p in paths if p in known and _holds(quarantine, p, known[p].encode())]
    feed = b"".join(f"100644 {known[path]}\t".encode() + path + b"\0" for path in same)
    if feed:
        args = ("update-index", "--add", "--replace", "-z", "--index-info")
        quarantine.git(*args, index=index, stdin=feed)
        refresh(quarantine, same, index)
    return [path for path in paths if path not in same] if same else list(paths)


def remember(quarantine: Quarantine, paths: Iterable[bytes], index: str = "index") -> None:
    """Keep the blobs that the private index has for those of ``paths`` that a filter cleans."""
    repository = quarantine.repository
    names = _cleaning(repository.config)
    asked = asked_for(quarantine, paths, index=index) if names else {}
    if not {*names}.intersection(asked.values()):
        return
    with contextlib.suppress(OSError):  # another hash the next time is all that comes of it
        _remember(quarantine, {path for path in asked if asked[path] in names}, index)


def _remember(quarantine: Quarantine, paths: Collection[bytes], index: str) -> None:
    known = _remembered(quarantine.repository)
    os.makedirs(quarantine.kept_objects, exist_ok=True)
    for line in quarantine.git("ls-files", "-s", "-z", index=index).split(b"\0"):
        about, _, path = line.partition(b"\t")
        if path in paths and about.startswith(b"100"):
            blob = about.split(b" ")[1].decode()
            if known.get(path) != blob:
                _keep(quarantine, blob)
                known[path] = blob
    _forget_others(quarantine, known.values())
    fields = {os.fsdecode(path): blob for path, blob in known.items()}
    replace_file(
        os.path.join(quarantine.repository.state, _TABLE), json.dumps(fields).encode("ascii")
    )


def _keep(quarantine: Quarantine, blob: str) -> None:
    content = quarantine.git("cat-file", "blob", blob)
    args = ("hash-object", "-w", "--stdin", "--no-filters")
    variables = {"GIT_OBJECT_DIRECTORY": quarantine.kept_objects, ALTERNATES: ""}
    env = quarantine.repository.env(**variables)
    git(*args, cwd=quarantine.repository.cwd, env=env, stdin=content)


def _forget_others(quarantine: Quarantine, blobs: Iterable[str]) -> None:
    wanted = {os.path.join(blob[:2], blob[2:]) for blob in blobs}
    top = quarantine.kept_objects
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.relpath(path, top) not in wanted:
                with contextlib.suppress(OSError):
                    os.unlink(path)


def missing(quarantine: Quarantine) -> Mapping[str, list[bytes]]:
    """The filters that the tree in the index ``rebuilt`` asks for and nobody set up here.

    With the files that ask: a checkout leaves in them what git stores.
    """
    mention = ("grep", "--cached", "-l", "-F", "-e", "filter", "--", ":(glob)**/.gitattributes")
    if not quarantine.git(*mention, index="rebuilt", ok=(0, 1, 128)):
        return {}
    listing = quarantine.git("ls-files", "-s", "-z", index="rebuilt").split(b"\0")
    paths = [line.partition(b"\t")[2] for line in listing if line.startswith(b"100")]
    found: dict[str, list[bytes]] = {}
    for path, name in asked_for(quarantine, paths, "--cached", index="rebuilt").items():
        if not quarantine.repository.config.any(rf"filter\.{re.escape(name)}\."):
            found.setdefault(name, []).append(path)
    return found
