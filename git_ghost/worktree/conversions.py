"""What has other bytes, or another mode, where it is pulled: git converts here, and not there.

The tree id proves what git stores. What it writes to disk from that depends on attributes, which
travel in the tree, and on settings, filters among them, which do not.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from git_ghost.git import CONFIGURATION, git
from git_ghost.gitconfig import GitConfig, parse_bool
from git_ghost.model import Notice, Oid
from git_ghost.quarantine import Quarantine, Scratch
from git_ghost.repository import Repository

_ATTRIBUTES = ("filter", "working-tree-encoding", "ident", "eol", "text")
_NONE = ("unspecified", "unset")
_MOST = 64 << 20
"""Bytes of content that are compared at most: what has another size need not be."""


class _Stored(NamedTuple):
    """A file as git stores it."""

    mode: str
    blob: Oid


_Files = Mapping[bytes, _Stored]


def differing(quarantine: Quarantine, base: Oid, *, attributes: bool) -> Iterator[Notice]:
    """What will not come out as it is on disk here, of the tree in the private index.

    Looked at are files that differ from ``base``, or all where attributes do; of those under a
    filter that is set up here, all (not under ``lfs``, which has a guard of its own).
    ``attributes`` says whether the tree has any. Compared is what git writes in a repository
    without any configuration; files without an attribute or setting that matters are not read.
    """
    repository, config = quarantine.repository, quarantine.repository.config
    filters = _filters(config)
    crlf = _autocrlf(config)
    if attributes or crlf or _attributes_of_this_machine(repository):
        files = _changed(quarantine, base)
        every = _under(quarantine, filters)
        if any(path.rpartition(b"/")[2] == b".gitattributes" for path in files):
            every = _tracked(quarantine)  # other attributes convert files that did not change
        reasons = _reasons(quarantine, {**every, **files}, filters, crlf)
        yield from _told(reasons, _unlike(quarantine, {**every, **files}, reasons))
    yield from _modes(quarantine)


def _told(reasons: Mapping[bytes, str], paths: Iterable[bytes]) -> Iterator[Notice]:
    found: dict[str, list[str]] = {}
    for path in sorted(paths):
        found.setdefault(reasons[path], []).append(os.fsdecode(path))
    for reason, names in sorted(found.items()):
        yield Notice(f"will have other bytes where they are pulled ({reason})", tuple(names))


def _filters(config: GitConfig) -> tuple[str, ...]:
    """The filters that this machine's configuration has a command for."""
    keys = (re.fullmatch(r"filter\.(.+)\.(?:clean|smudge|process)", key) for key in config.values)
    found = dict.fromkeys(match[1] for match in keys if match and config.get(match[0]))
    return tuple(name for name in found if name != "lfs")


def _autocrlf(config: GitConfig) -> str:
    """``core.autocrlf=…`` where it is on, else empty."""
    value = config.get("core.autocrlf", "false")
    on = value.lower() == "input" or parse_bool(value, "core.autocrlf")
    return f"core.autocrlf={value}" if on else ""


def _attributes_of_this_machine(repository: Repository) -> bool:
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    places = (
        os.path.join(repository.common_dir, "info", "attributes"),
        os.path.join(home, "git", "attributes"),
        "/etc/gitattributes",
    )
    return bool(repository.config.get("core.attributesfile")) or any(map(os.path.exists, places))


def _changed(quarantine: Quarantine, base: Oid) -> dict[bytes, _Stored]:
    """The files of the private index that ``base`` does not have so."""
    args = ("diff-index", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames")
    out = quarantine.git(*args, "--ignore-submodules=none", base).split(b"\0")
    found = {}
    for about, path in zip(out[0::2], out[1::2], strict=False):
        _, mode, _, blob, _ = about.decode().split(" ")
        if mode in ("100644", "100755"):
            found[path] = _Stored(mode, Oid(blob))
    return found


_ENTRY = re.compile(rb"(100\d+) ([0-9a-f]+) 0\t([^\0]*)\0")


def _under(quarantine: Quarantine, filters: Iterable[str]) -> dict[bytes, _Stored]:
    """The tracked files under any of ``filters``."""
    named = [f":(top,attr:filter={n})" for n in filters if re.fullmatch(r"[-A-Za-z0-9_]+", n)]
    return _tracked(quarantine, *named) if named else {}


def _tracked(quarantine: Quarantine, *pathspecs: str) -> dict[bytes, _Stored]:
    """The tracked files, or those of them that a pathspec matches."""
    out = quarantine.git("ls-files", "-s", "-z", "--", *pathspecs)
    entries = _ENTRY.findall(out)
    return {path: _Stored(mode.decode(), Oid(blob.decode())) for mode, blob, path in entries}


def _reasons(
    quarantine: Quarantine, files: _Files, filters: tuple[str, ...], autocrlf: str
) -> dict[bytes, str]:
    """Of each file that git may convert, why."""
    if not files:
        return {}
    feed = b"".join(path + b"\0" for path in files)
    out = quarantine.git("check-attr", "--stdin", "-z", *_ATTRIBUTES, stdin=feed).split(b"\0")
    values: dict[bytes, dict[str, str]] = {}
    for path, name, value in zip(out[0::3], out[1::3], out[2::3], strict=False):
        values.setdefault(path, {})[name.decode()] = os.fsdecode(value)
    why = {path: _why(attributes, filters, autocrlf) for path, attributes in values.items()}
    return {path: reason for path, reason in why.items() if reason}


def _why(attributes: Mapping[str, str], filters: tuple[str, ...], autocrlf: str) -> str:
    if attributes["filter"] in filters:
        return f"filter={attributes['filter']}"
    for name in ("working-tree-encoding", "eol"):
        if attributes[name] not in _NONE:
            return f"{name}={attributes[name]}"
    if attributes["ident"] == "set":
        return "ident"
    if attributes["text"] not in _NONE:
        return "text" if attributes["text"] == "set" else f"text={attributes['text']}"
    return autocrlf if attributes["text"] != "unset" else ""


def _unlike(quarantine: Quarantine, files: _Files, reasons: Mapping[bytes, str]) -> Iterator[bytes]:
    """Which of the files with a reason are not on disk as git would write them elsewhere."""
    here = dict(_sizes(quarantine.repository, reasons))
    feed = "".join(f"{files[path].blob}\n" for path in here).encode()
    out = quarantine.git("cat-file", "--batch-check=%(objectsize)", stdin=feed).split()
    read, left = [], _MOST
    for (path, size), stored in zip(here.items(), map(int, out), strict=True):
        reason = reasons[path]
        takes_away = reason.startswith(("text", "core.", "eol=lf"))  # bytes, or does nothing
        if size != stored and (takes_away or reason.startswith("filter=")):
            yield path
        elif not takes_away and stored <= left:
            left -= stored
            read.append(path)
    yield from _compared(quarantine, read)


def _sizes(repository: Repository, paths: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """The files among ``paths`` that are on disk, and their sizes."""
    for path in paths:
        with contextlib.suppress(OSError):
            found = os.lstat(os.path.join(os.fsencode(repository.work_tree), path))
            if stat.S_ISREG(found.st_mode):
                yield path, found.st_size


def _compared(quarantine: Quarantine, paths: list[bytes]) -> Iterator[bytes]:
    """Check ``paths`` out in a repository without configuration; those that differ from here."""
    if not paths:
        return
    plain = Scratch.bare(quarantine, "plain", quarantine.repository.object_format)
    top = os.path.join(plain.git_dir, "out")
    os.mkdir(top)
    env = {name: value for name, value in plain.env.items() if name not in CONFIGURATION}
    ours = quarantine.env()
    env.update(
        {name: ours[name] for name in ("GIT_INDEX_FILE", *_OBJECTS)},
        GIT_WORK_TREE=top, GIT_CONFIG_NOSYSTEM="1", GIT_ATTR_NOSYSTEM="1", HOME=plain.git_dir,
        XDG_CONFIG_HOME=plain.git_dir, GIT_CONFIG_GLOBAL=os.devnull,
    )  # fmt: skip
    feed = b"".join(path + b"\0" for path in paths)
    git("checkout-index", "-q", "-f", "-z", "--stdin", cwd=top, env=env, stdin=feed, ok=(0, 1, 128))
    here = os.fsencode(quarantine.repository.work_tree)
    for path in paths:
        there = os.path.join(os.fsencode(top), path)
        if os.path.isfile(there) and not filecmp.cmp(
            there, os.path.join(here, path), shallow=False
        ):
            yield path


_OBJECTS = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES")


def _modes(quarantine: Quarantine) -> Iterator[Notice]:
    """What settings carried over from another system hide: a mode, or a link that is a file."""
    config = quarantine.repository.config
    off = [
        name
        for name in ("core.fileMode", "core.symlinks")
        if not parse_bool(config.get(name.lower(), "true"), name)
    ]
    if not off:
        return
    settings = ("-c", "core.fileMode=true", "-c", "core.symlinks=true")
    out = quarantine.git(*settings, "diff-files", "--raw", "-z", "--no-renames").split(b"\0")
    modes, links = [], []
    for about, path in zip(out[0::2], out[1::2], strict=False):
        stored, here = about.decode().lstrip(":").split(" ")[:2]
        if {stored, here} == {"100644", "100755"}:
            modes.append(os.fsdecode(path))
        elif (stored, here[:3]) == ("120000", "100"):
            links.append(os.fsdecode(path))
    if modes and "core.fileMode" in off and not os.access(quarantine.file("index"), os.X_OK):
        text = "executable here and not where they are pulled, or the reverse (core.fileMode=false)"
        yield Notice(text, tuple(modes))
    if links and "core.symlinks" in off:
        text = "files here, and symbolic links where they are pulled (core.symlinks=false)"
        yield Notice(text, tuple(links))
