"""Make ghosts: their files as blobs, their commit with its trailers."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

from git_ghost.git import Running
from git_ghost.gitconfig import GitConfig
from git_ghost.model import Oid, format_of, oid
from git_ghost.process import Background
from git_ghost.quarantine import Quarantine
from git_ghost.store.format import (
    Trailers,
)


class Author(NamedTuple):
    """Who a ghost is from: name and e-mail as git has them, and the time in seconds since 1970."""

    name: str
    email: str
    time: int


def identity(config: GitConfig, environ: Mapping[str, str], fallback: str, now: int) -> Author:
    """The author of ghosts: environment, then git config, then ``fallback`` (never a failure).

    git would refuse to commit without one; a ghost is not a contribution that needs a name.
    """
    name = environ.get("GIT_AUTHOR_NAME") or config.get("user.name") or fallback
    email = environ.get("GIT_AUTHOR_EMAIL") or config.get("user.email")
    return Author(_clean(name) or "unknown", _clean(email or ""), now)


def _clean(text: str) -> str:
    return "".join(c for c in text if c not in "<>\n\0").strip()


def start_blob(quarantine: Quarantine, producer: Running, head: bytes = b"") -> Callable[[], Oid]:
    """Store ``head`` and ``producer``'s output as a blob; call the result to wait for its id.

    The content goes from process to process and is never held here.
    """
    args = ("hash-object", "-w", "--stdin", "--no-filters")
    if not head:
        return lambda: oid(quarantine.pipe(producer, *args))

    def store() -> Oid:
        import shutil  # loaded by now: see warm_up()

        reading, writing = os.pipe()

        def feed() -> None:
            with open(writing, "wb") as target:
                target.write(head)
                shutil.copyfileobj(producer.stdout, target, 1 << 20)

        with producer, open(reading, "rb") as source:
            feeding = Background(feed)
            blob = oid(quarantine.git(*args, stdin=source))
            feeding.get()
            producer.result()  # what a producer that failed left is not a blob of ours
            return blob

    return store


def warm_up() -> None:
    """Import what the end of a push needs: 15 ms, to be spent while git is at work."""
    import shutil  # noqa: F401

    import dulwich.objects  # noqa: F401


def make_commit(
    quarantine: Quarantine, files: Mapping[str, Oid], trailers: Trailers, by: Author
) -> Oid:
    """A parentless ghost commit in the quarantine that holds ``files`` (name → blob id)."""
    # Imported here: see warm_up().
    from dulwich.object_format import SHA1, SHA256
    from dulwich.objects import Commit, ObjectID, ShaFile, Tree

    object_format = SHA256 if format_of(next(iter(files.values()))) == "sha256" else SHA1

    def write(thing: ShaFile) -> ObjectID:
        name = thing.get_id(object_format).decode()
        folder = os.path.join(quarantine.objects, name[:2])
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name[2:]), "wb") as file:
            file.write(
                zlib.compress(
                    thing.type_name + b" %d\0" % thing.raw_length() + thing.as_raw_string()
                )
            )
        return ObjectID(name.encode())

    tree = Tree()
    for name, blob in files.items():
        tree.add(name.encode(), 0o100644, ObjectID(blob.encode()))
    commit = Commit()
    commit.tree = write(tree)
    who = f"{by.name} <{by.email}>".encode("utf-8", "surrogateescape")
    commit.author = commit.committer = who
    commit.author_time = commit.commit_time = by.time
    commit.author_timezone = commit.commit_timezone = 0
    commit.message = trailers.message()
    return oid(write(commit))
