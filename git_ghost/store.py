"""The ghost repository: make ghosts, send them, find them, fetch them, delete them.

Its layout is described in ``docs/format.md``. No command copies it: every one asks for exactly the
refs it needs.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple

from git_ghost import network
from git_ghost.config import GitConfig, Settings, default_repository, locate
from git_ghost.errors import GhostError, GitFailed, NoSuchGhost, VerificationFailed
from git_ghost.git import (
    CONFIGURATION,
    Background,
    Environment,
    Running,
    environment,
    git,
    pipe,
)
from git_ghost.model import (
    BUNDLE_FILE,
    COMMITS_FILE,
    DIFF_FILE,
    CommitsGhost,
    DiffGhost,
    Ghost,
    Oid,
    Trailers,
    format_of,
    is_oid,
    oid,
    parse_ref,
    redact,
)
from git_ghost.network import Link, Place, Update
from git_ghost.repository import Quarantine, Repository, quarantine


class GhostRepository(NamedTuple):
    """Where ghosts are kept: ``url`` as git takes it; ``embedded`` when it is the default one."""

    url: str
    prefix: str
    embedded: bool = False

    @property
    def shown(self) -> str:
        """The URL without credentials, for people, logs and manifests."""
        return redact(self.url)


def ghost_repository(
    settings: Settings, object_format: str, environ: Mapping[str, str]
) -> GhostRepository:
    """The ghost repository the settings name, or the embedded default; nothing is made yet."""
    if settings.repo:
        return GhostRepository(locate(settings.repo, settings.repo_base), settings.prefix)
    return GhostRepository(
        default_repository(object_format, environ), settings.prefix, embedded=True
    )


def make_embedded(store: GhostRepository, object_format: str) -> bool:
    """Make the embedded default if it is not there yet; whether it was made now.

    Raises GhostError where that is not possible.
    """
    if not store.embedded or os.path.exists(os.path.join(store.url, "HEAD")):
        return False
    folder = os.path.dirname(store.url)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as e:
        raise GhostError(
            f"the folder for the default ghost repository cannot be made: {e}",
            "Name another one: --ghost-repo, GIT_GHOST_REPO or git config ghost.repo.",
        ) from e
    git(
        "init", "--quiet", "--bare", "--template=", f"--object-format={object_format}",
        "--", store.url, env=environment(foreign=True),
    )  # fmt: skip
    return True


# --- making ghosts -------------------------------------------------------------------------------


class Identity(NamedTuple):
    """Who a ghost is from: name and e-mail as git has them, and the time in seconds since 1970."""

    name: str
    email: str
    time: int


def identity(config: GitConfig, environ: Mapping[str, str], fallback: str, now: int) -> Identity:
    """The author of ghosts: environment, then git config, then ``fallback`` (never a failure).

    git would refuse to commit without one; a ghost is no contribution that needs a name.
    """
    name = environ.get("GIT_AUTHOR_NAME") or config.get("user.name") or fallback
    email = environ.get("GIT_AUTHOR_EMAIL") or config.get("user.email")
    return Identity(_clean(name) or "unknown", _clean(email or ""), now)


def _clean(text: str) -> str:
    return "".join(c for c in text if c not in "<>\n\0").strip()


def start_blob(
    env: Environment, cwd: str, producer: Running, head: bytes = b""
) -> Callable[[], Oid]:
    """Store ``head`` and ``producer``'s output as a blob; call the result to wait for its id.

    The content goes from process to process and is never held here.
    """
    args = ("hash-object", "-w", "--stdin", "--no-filters")
    if not head:
        return lambda: oid(pipe(producer, *args, cwd=cwd, env=env))

    def store() -> Oid:
        import shutil  # loaded by now: see warm_up()

        reading, writing = os.pipe()

        def feed() -> None:
            with open(writing, "wb") as target:
                target.write(head)
                shutil.copyfileobj(producer.stdout, target, 1 << 20)

        with producer, open(reading, "rb") as source:
            feeding = Background(feed)
            blob = oid(git(*args, cwd=cwd, env=env, stdin=source))
            feeding.get()
            producer.result()  # what a producer that failed left is no blob of ours
            return blob

    return store


def warm_up() -> None:
    """Import what the end of a push needs: 15 ms, to be spent while git is at work."""
    import shutil  # noqa: F401

    import dulwich.objects  # noqa: F401


def make_commit(
    quarantine: Quarantine, files: Mapping[str, Oid], trailers: Trailers, by: Identity
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


# --- talking to it -------------------------------------------------------------------------------


def send(
    quarantine: Quarantine,
    store: GhostRepository,
    ghosts: Mapping[Ghost, Oid],
    link: Link,
) -> dict[Ghost, bool]:
    """Send ghosts from the quarantine in one session; for each, whether it is new there.

    One that is there already is success: its name says its content. Raises RemoteError.
    """
    repository = quarantine.repository
    assert repository is not None
    place = Place(repository.cwd, quarantine.env(), link)
    fates = network.push(
        place, store.url, [Update(ghost.ref, commit) for ghost, commit in ghosts.items()]
    )
    return {ghost: fates[ghost.ref] == "new" for ghost in ghosts}


class Listed(NamedTuple):
    """One ghost in the ghost repository, and the id of its commit."""

    ghost: Ghost
    commit: Oid


def place_of(repository: Repository | None, link: Link = Link()) -> Place:
    """Where commands about a ghost repository run: in the user's repository, if there is one."""
    if repository is None:
        return Place(None, environment(foreign=True), link)
    return Place(repository.cwd, repository.env(), link)


def list_ghosts(place: Place, store: GhostRepository) -> list[Listed]:
    """Every ghost under the store's prefix, sorted by name; raises RemoteError."""
    if store.embedded and not os.path.exists(store.url):
        return []
    found = []
    for value, ref in network.list_heads(place, store.url):
        ghost = parse_ref(ref, store.prefix)
        if ghost is not None and is_oid(value):
            found.append(Listed(ghost, Oid(value)))
    return sorted(found, key=lambda listed: listed.ghost.ref)


def matching(ghosts: Iterable[Listed], start: str = "", to: str = "") -> list[Listed]:
    """The ghosts whose ends match the globs ``start`` and ``to`` (empty: any)."""
    return [
        g
        for g in ghosts
        if fnmatchcase(g.ghost.base, start or "*") and fnmatchcase(g.ghost.to, to or "*")
    ]


def delete(place: Place, store: GhostRepository, ghosts: Sequence[Listed]) -> list[Listed]:
    """Delete ghosts, each only if it is still the one that was listed; those that are gone now.

    Raises RemoteError when the server refuses.
    """
    if ghosts and place.cwd is None:  # outside a repository; git wants one to push from
        with quarantine(None) as private:
            git_dir = private.bare("outbox", format_of(ghosts[0].commit))
            env = environment(foreign=True, GIT_DIR=git_dir)
            return delete(Place(git_dir, env, place.link), store, ghosts)
    gone = []
    for start in range(0, len(ghosts), 500):  # a command line has a bounded length
        some = ghosts[start : start + 500]
        fates = network.push(place, store.url, [Update(g.ghost.ref, "", g.commit) for g in some])
        gone += [g for g in some if fates[g.ghost.ref] == "deleted"]
    return gone


# --- fetching ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fetched:
    """A ghost in hand: its name, its commit in the bare repository ``git_dir``, what it says."""

    ghost: Ghost
    commit: Oid
    git_dir: str
    trailers: Trailers
    env: Environment = field(repr=False, default_factory=dict)

    def start_file(self, name: str) -> Running:
        """Start reading one of its files, unbuffered: a part may be read, the rest handed on."""
        return Running(
            "cat-file", "blob", f"{self.commit}:{name}", cwd=self.git_dir, env=self.env, buffering=0
        )

    def file(self, name: str) -> bytes:
        """The whole of one of its files; VerificationFailed when it has none of that name."""
        try:
            return self.start_file(name).result()
        except GitFailed as e:
            raise VerificationFailed(f"the ghost {self.ghost.to} holds no {name}") from e

    def has(self, name: str) -> bool:
        """Whether it holds a file of that name."""
        running = Running("cat-file", "-e", f"{self.commit}:{name}", cwd=self.git_dir, env=self.env)
        running.result(ok=(0, 1, 128))
        return running.status == 0

    @property
    def patch_name(self) -> str:
        """The name of the file people want to see."""
        return DIFF_FILE if isinstance(self.ghost, DiffGhost) else COMMITS_FILE


class Inbox:
    """A bare repository in the quarantine that ghosts are fetched into."""

    def __init__(
        self,
        quarantine: Quarantine,
        store: GhostRepository,
        object_format: str,
        link: Link = Link(),
    ) -> None:
        self.store = store
        self.git_dir = quarantine.bare("inbox", object_format)
        self.env = environment(foreign=True, GIT_DIR=self.git_dir)
        if quarantine.repository is None:
            cwd = self.git_dir
        else:  # relative paths in its configuration start there
            cwd = quarantine.repository.cwd
            for variable in CONFIGURATION:  # is in the inbox's own configuration already
                self.env.pop(variable, None)
        self.place = Place(cwd, self.env, link)

    def start(self, refspecs: Sequence[str]) -> Running:
        """Start fetching refs of the ghost repository; hand the result to :meth:`finish`."""
        if self.store.embedded and not os.path.exists(self.store.url):
            raise NoSuchGhost(
                f"no ghost was ever stored in {self.store.shown}",
                "Name the ghost repository it was pushed to: --ghost-repo, GIT_GHOST_REPO or"
                " git config ghost.repo.",
            )
        config = ("-c", "fetch.negotiationAlgorithm=noop")
        return network.fetch(self.place, self.store.url, refspecs, config=config)

    def finish(self, running: Running) -> list[Fetched]:
        """Wait for :meth:`start`; every ghost fetched so far, sorted by name."""
        network.finish(running, self.store.url)
        form = "%(objectname)%00%(objecttype)%00%(refname)%00%(contents)%00%01"
        out = git(
            "for-each-ref", f"--format={form}", "refs/ghosts/", cwd=self.git_dir, env=self.env
        )
        found = []
        for record in out.split(b"\0\x01\n"):
            if not record:
                continue
            value, kind, ref, message = record.split(b"\0", 3)
            name = "refs/heads/" + os.fsdecode(ref).removeprefix("refs/ghosts/")
            ghost = parse_ref(name, self.store.prefix)
            if ghost is not None and kind == b"commit":
                found.append(
                    Fetched(ghost, oid(value), self.git_dir, Trailers.parse(message), self.env)
                )
        return sorted(found, key=lambda f: f.ghost.ref)

    def fetch(self, ghosts: Iterable[Ghost]) -> list[Fetched]:
        """Fetch ghosts by their exact names; NoSuchGhost when one is not there."""
        names = [ghost.ref for ghost in ghosts]
        return self.finish(self.start([f"{name}:{inbox_ref(name)}" for name in names]))


def replace_without_bundle(
    quarantine: Quarantine, store: GhostRepository, ghost: CommitsGhost, commit: Oid, link: Link
) -> bool:
    """Put ``commit`` in the place of a commits ghost that v0.1 made; whether that was called for.

    A v0.1 reader finds what it needs in the new one too. Raises RemoteError.
    """
    repository = quarantine.repository
    assert repository is not None
    inbox = Inbox(quarantine, store, format_of(ghost.base), link)
    found = next((f for f in inbox.fetch([ghost]) if f.ghost == ghost), None)
    if found is None or found.has(BUNDLE_FILE):
        return False
    place = Place(repository.cwd, quarantine.env(), link)
    network.push(place, store.url, [Update(ghost.ref, commit, found.commit)])
    return True


def inbox_ref(ref: str) -> str:
    """Where a ref of the ghost repository goes in an :class:`Inbox`."""
    return "refs/ghosts/" + ref.removeprefix("refs/heads/")


def refspecs_for(prefix: str, target: str, start: str = "") -> list[str]:
    """Refspecs for the ghosts that lead to the full id ``target``, from commit ``start`` if given.

    With ``start`` the names are exact but may be missing, so a pattern is used that matches one
    name: fetching an exact name that is not there fails the whole session.
    """
    diff = f"refs/heads/{prefix}/{start or '*'}/{target}"
    commits = f"refs/heads/{prefix}/{start or '*'}-{target}"
    if start:  # a pattern must hold a star: one that stands for the rest of a full-length name
        diff, commits = (name[:-1] + "*" for name in (diff, commits))
    return [f"{name}:{inbox_ref(name)}" for name in (diff, commits)]


def resolve_prefix(listed: Sequence[Listed], digits: str) -> str:
    """The full id that ``digits`` begin: of a tree, a commit, or a ghost's own commit.

    Raises NoSuchGhost when there is none, or more than one.
    """
    ends = {g.ghost.to for g in listed if g.ghost.to.startswith(digits)}
    if not ends:
        ends = {g.ghost.to for g in listed if g.commit.startswith(digits)}
    if len(ends) > 1:
        shown = "".join(f"\n  {end}" for end in sorted(ends)[:8])
        raise NoSuchGhost(f"{digits} is ambiguous; it may be:{shown}", "Give more digits.")
    if not ends:
        raise no_such_ghost(digits)
    return ends.pop()


def no_such_ghost(digits: str, where: str = "") -> NoSuchGhost:
    """The error for a hash that names no ghost."""
    at = f" in {where}" if where else ""
    return NoSuchGhost(
        f"there is no ghost {digits}{at}",
        "See `git ghost list`; check --ghost-repo and --ghost-prefix, and that the push succeeded.",
    )


def probe_write(repository: Repository | None, store: GhostRepository) -> bool:
    """Ask the ghost repository for write access without writing; True, or RemoteError why not."""
    with quarantine(repository) as private:
        object_format = repository.object_format if repository else "sha1"
        inbox = Inbox(private, store, object_format)
        feed = b"tree " + git("mktree", cwd=inbox.git_dir, env=inbox.env).strip()
        feed += b"\nauthor git ghost <> 0 +0000\ncommitter git ghost <> 0 +0000\n\nprobe\n"
        commit = git(
            "hash-object",
            "-w",
            "-t",
            "commit",
            "--stdin",
            cwd=inbox.git_dir,
            env=inbox.env,
            stdin=feed,
        )
        ref = f"refs/heads/{store.prefix}/doctor"
        network.push(inbox.place, store.url, [Update(ref, oid(commit))], dry_run=True)
    return True
