"""Repositories to measure with, generated once and kept in the cache.

Everything comes from seeded random numbers, so each machine measures with the same content.
"""

from __future__ import annotations

import hashlib
import math
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

COMMITS = 6_500
FILES = 1_500
_LINES = 330
"""Of an average file; with about 41 bytes each, the tree comes to 20 MB."""
_FORMAT = "2"
"""Of the generated data; another one makes the cache start afresh."""

_WORDS = (
    "batch epoch loss model layer train eval step rate decay optimizer gradient tensor shape device"
    " cuda seed config path data loader sampler augment crop resize normalize mean std metric log"
    " checkpoint restore save init weight bias kernel stride padding dropout relu softmax attention"
    " head embed token mask length index self return for in if else not None True False import def"
).split()


def source_repository(cache: Path) -> Path:
    """Return a bare repository with a long history, packed as a server would have it."""
    return _cached(cache, "source", _import_source)


def ghost_repository(cache: Path, count: int) -> Path:
    """Return a bare ghost repository that stores `count` ghosts."""
    return _cached(cache, f"ghosts-{count}", lambda path: _import_ghosts(path, count))


def many_files(cache: Path, count: int) -> Path:
    """Return a bare repository with one commit of `count` small files."""
    return _cached(cache, f"files-{count}", lambda path: _import_many(path, count))


def copy(repository: Path, to: Path) -> Path:
    """Copy a bare repository; packs, which git never writes to, are linked where that works."""
    shutil.copytree(repository, to, copy_function=_link_or_copy)
    return to


def _link_or_copy(source: str, target: str) -> None:
    if "/objects/" in source:
        try:
            os.link(source, target)
        except OSError:
            pass
        else:
            return
    shutil.copy2(source, target)


def _cached(cache: Path, name: str, make: Callable[[Path], None]) -> Path:
    path = cache / f"{name}-v{_FORMAT}.git"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        _git("init", "--quiet", "--bare", "--initial-branch=main", str(part))
        make(part)
        part.rename(path)
    return path


def _git(*args: str, stdin: bytes | None = None) -> None:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *args], input=stdin, env=env, check=True)


def _fast_import(repository: Path, stream: Iterator[bytes]) -> None:
    command = ["git", "-C", str(repository), "fast-import", "--quiet", "--force"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.writelines(stream)
        process.stdin.close()
        assert process.wait() == 0


def _tidy(repository: Path) -> None:
    """Pack objects and refs, the way a server's maintenance leaves them."""
    _git("-C", str(repository), "repack", "-a", "-d", "-q", "--write-bitmap-index")
    _git("-C", str(repository), "commit-graph", "write", "--reachable", "--no-progress")
    _git("-C", str(repository), "pack-refs", "--all")


def _line(rng: random.Random) -> str:
    indent = " " * rng.choice((0, 4, 4, 8, 8, 12))
    return indent + " ".join(rng.choices(_WORDS, k=rng.randint(2, 8)))


def _blob(lines: list[str]) -> bytes:
    content = "\n".join(lines).encode() + b"\n"
    return b"data %d\n%s\n" % (len(content), content)


def _commit(number: int, text: str, parent: str = "") -> bytes:
    when = 1_500_000_000 + number * 3_600
    head = f"commit refs/heads/main\nmark :{number}\n"
    who = f"committer Ada Ghost <ada@example.com> {when} +0000\n"
    message = f"data {len(text)}\n{text}\n"
    return f"{head}{who}{message}{parent}".encode()


def _import_source(repository: Path) -> None:
    """Grow a tree commit by commit: each edits a few files, most of the early ones add some."""
    _fast_import(repository, _source_stream(random.Random(1)))
    _tidy(repository)


def _source_stream(rng: random.Random) -> Iterator[bytes]:
    files: list[tuple[str, list[str]]] = []
    for number in range(1, COMMITS + 1):
        yield _commit(number, f"Change {number}\n")
        wanted = FILES if number > COMMITS - 100 else 200 + (FILES - 200) * number // COMMITS
        while len(files) < wanted:
            index = len(files)
            path = f"src/part{index % 40}/group{index % 7}/module_{index}.py"
            size = max(5, int(rng.expovariate(1 / _LINES)))
            files.append((path, [_line(rng) for _ in range(size)]))
            yield f"M 100644 inline {path}\n".encode() + _blob(files[-1][1])
        for path, lines in rng.choices(files, k=rng.randint(1, 4)):
            start = rng.randrange(len(lines))
            lines[start : start + rng.randint(0, 4)] = [
                _line(rng) for _ in range(rng.randint(1, 5))
            ]
            yield f"M 100644 inline {path}\n".encode() + _blob(lines)
        yield b"\n"


def _import_ghosts(repository: Path, count: int) -> None:
    """Store ghosts as v0.1 and git ghost name them: an orphan commit with one patch each."""
    _fast_import(repository, _ghost_stream(random.Random(2), count))
    _tidy(repository)


def _ghost_stream(rng: random.Random, count: int) -> Iterator[bytes]:
    base = ""
    for number in range(count):
        if number % 5 == 0:  # a few runs from one commit, then the next commit
            base = rng.randbytes(20).hex()
        patch = _patch(rng)
        name = hashlib.sha1(patch, usedforsecurity=False).hexdigest()
        when = 1_600_000_000 + number * 60
        text = (
            f"Create ghost commit\n\nGhost-Base: {base}\nGhost-Source: https://git.example/a.git\n"
        )
        head = f"commit refs/heads/ghost/{base}/{name}\n"
        who = f"committer Ada Ghost <ada@example.com> {when} +0000\n"
        yield f"{head}{who}data {len(text)}\n{text}deleteall\n".encode()
        yield b"M 100644 inline local-mod.patch\ndata %d\n%s\n" % (len(patch), patch)


def _patch(rng: random.Random) -> bytes:
    """Return what a run's changes look like: half of them below 3 KB, 7 KB on average."""
    size = rng.lognormvariate(math.log(3_000), 1.3)
    parts: list[str] = []
    length = 0
    while length < size:
        path = f"src/part{rng.randrange(40)}/module_{rng.randrange(FILES)}.py"
        part = f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n"
        for start in sorted(rng.sample(range(1, 4_000, 10), rng.randint(1, 6))):
            lines = "".join(f"{sign}{_line(rng)}\n" for sign in "   -+   ")
            part += f"@@ -{start},7 +{start},7 @@\n{lines}"
        parts.append(part)
        length += len(part)
    return "".join(parts).encode()


def _import_many(repository: Path, count: int) -> None:
    _fast_import(repository, _many_stream(random.Random(3), count))
    _tidy(repository)


def _many_stream(rng: random.Random, count: int) -> Iterator[bytes]:
    yield _commit(1, "All at once\n")
    for number in range(count):
        path = f"dir{number % 50}/sub{number // 50 % 20}/file_{number}.txt"
        yield f"M 100644 inline {path}\n".encode() + _blob([_line(rng) for _ in range(4)])
    yield b"\n"
