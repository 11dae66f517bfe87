"""Checkout: bring the working tree, the index and HEAD to a rebuilt tree, losing nothing.

:func:`plan` looks and decides, :func:`carry_out` acts. The order of acting (objects, working tree,
index, HEAD, note) and the journal make it safe to kill anywhere and run again.
"""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from git_ghost.errors import GhostError, GitFailed, LocalChanges, VerificationFailed
from git_ghost.git import Running, environment, git
from git_ghost.model import Oid, oid
from git_ghost.repository import Quarantine, Repository
from git_ghost.worktree import guards, journal, snapshot
from git_ghost.worktree.snapshot import Survey

BACKUPS = "refs/git-ghost/backup/"
"""Where the local changes go that ``--force`` sets aside."""

_INDEX = "index"
_IN_PROGRESS = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase or am",
}


@dataclass(frozen=True)
class Target:
    """Where a pull leads: working tree ``tree`` with HEAD on ``base``.

    ``remote_base`` is where a branch must be to be fast-forwarded to ``base`` (empty: nowhere).
    """

    tree: Oid
    base: Oid
    remote_base: str = ""


@dataclass(frozen=True)
class Plan:
    """What a pull would do; paths relative to the top of the working tree."""

    target: Target
    current: Oid
    """The tree of what is there now: tracked files as on disk, and files the target has too."""
    survey: Survey
    paths: tuple[bytes, ...]
    """The paths that change."""
    in_the_way: tuple[bytes, ...]
    resumed: bool
    head_moves: str
    """``""`` (it stays), ``branch`` (fast-forward) or ``detached``."""

    @property
    def nothing_to_do(self) -> bool:
        """Whether everything is as it should be already."""
        return not self.paths and not self.head_moves and not self.resumed


@dataclass(frozen=True)
class Outcome:
    """What a pull did."""

    tree: Oid
    base: Oid
    changed: int
    head: str
    """As :attr:`Plan.head_moves`."""
    branch: str
    backup: str = ""
    untracked: tuple[bytes, ...] = field(default=())
    submodules: tuple[bytes, ...] = field(default=())
    """Submodules that are not at the commit the tree names."""


def plan(
    quarantine: Quarantine, target: Target, before: journal.Journal | None, *, force: bool
) -> Plan:
    """Compare the working tree with the target. The private index then holds :attr:`Plan.current`.

    Raises LocalChanges for what would be lost, unless ``force`` or an interrupted pull of ours put it
    there.
    """
    repository = quarantine.repository
    assert repository is not None
    _refuse_in_progress(repository)
    quarantine.copy_index(_INDEX)
    found = _survey_refreshed(quarantine)
    env = quarantine.env()
    snapshot.update_index(repository, env, found.deleted, (*found.written, *found.hidden))
    pulled = journal.last_pulled(repository)
    ours = _adopt(repository, env, pulled.added) if pulled else []
    current = _write_tree(repository, env)
    is_ghost = pulled is not None and current == pulled.tree
    blockers = _blockers(
        repository, _names(repository, env, current, target.tree, "A"), current, env
    )
    folders = [path for path in blockers if _is_folder(repository, path)]
    adopted = _adopt(repository, env, [path for path in blockers if path not in folders])
    if folders and force:
        adopted += _adopt(repository, env, _files_inside(repository, env, folders))
    current = _write_tree(repository, env) if adopted else current
    differing = _names(repository, env, current, target.tree)
    local = found.changed.union(found.hidden, adopted, ours)
    both = set(found.staged).intersection((*found.written, *found.deleted, *found.conflicted))
    in_the_way = sorted({*(local.intersection(differing)), *both, *(() if force else folders)})
    if is_ghost:  # all of it was put there by a pull, and the ghost has it
        in_the_way = sorted(set(in_the_way).difference(found.changed, ours))
    if before is not None:
        in_the_way = sorted(set(in_the_way) - before.paths) if not force else in_the_way
    if in_the_way and not force:
        raise LocalChanges(
            f"local changes are in the way of {target.tree}; nothing was touched:{guards.show_paths(in_the_way)}",
            "Commit or stash them, or let --force set them aside in a backup ref first.",
        )
    return Plan(
        target=target,
        current=current,
        survey=found,
        paths=tuple(differing),
        in_the_way=tuple(in_the_way),
        resumed=before is not None,
        head_moves=_head_moves(found, target),
    )


def _refuse_in_progress(repository: Repository) -> None:
    for name, what in _IN_PROGRESS.items():
        if os.path.exists(os.path.join(repository.git_dir, name)):
            raise LocalChanges(
                f"a {what} is in progress in {repository.work_tree}; nothing was touched",
                f"Finish it or abort it first (see `git status`).",
            )


def _survey_refreshed(quarantine: Quarantine) -> Survey:
    """Survey, and leave fresh stat data in the private index, which ``read-tree -u`` relies on."""
    repository = quarantine.repository
    assert repository is not None
    env = quarantine.env()
    git("update-index", "-q", "--refresh", cwd=repository.work_tree, env=env, ok=(0, 1))
    found = snapshot.survey(quarantine)
    if found.hidden:
        snapshot.unflag(repository, env, found.hidden)
    return found


def _write_tree(repository: Repository, env: dict[str, str]) -> Oid:
    return oid(git("write-tree", "--missing-ok", cwd=repository.work_tree, env=env))


def _names(
    repository: Repository, env: dict[str, str], a: str, b: str, only: str = ""
) -> list[bytes]:
    """The paths that differ between two trees (``only``: a ``--diff-filter``)."""
    if a == b:
        return []
    args = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--ignore-submodules=none"]
    if only:
        args.append(f"--diff-filter={only}")
    out = git(*args, a, b, cwd=repository.work_tree, env=env)
    return [path for path in out.split(b"\0") if path]


def _blockers(
    repository: Repository, added: Iterable[bytes], current: Oid, env: dict[str, str]
) -> list[bytes]:
    """What untracked things on disk stand where the target adds files: the file itself, or a parent."""
    top = os.fsencode(repository.work_tree)
    kinds: dict[bytes, str] = {b"": "folder"}

    def kind(path: bytes) -> str:
        known = kinds.get(path)
        if known is None:
            parent = path.rpartition(b"/")[0]
            if kind(parent) != "folder":
                known = "none"
            else:
                try:
                    mode = os.lstat(os.path.join(top, path)).st_mode
                    known = "folder" if stat.S_ISDIR(mode) else "file"
                except FileNotFoundError:
                    known = "none"
            kinds[path] = known
        return known

    found: dict[bytes, None] = {}
    for path in added:
        parent = path.rpartition(b"/")[0]
        while parent and kind(parent) == "none":
            parent = parent.rpartition(b"/")[0]
        if kind(parent) == "file":
            found[parent] = None
        elif kind(path) != "none":
            found[path] = None
    if not found:
        return []
    tracked = set(git("ls-files", "-z", cwd=repository.work_tree, env=env).split(b"\0"))
    occupied = {path[:i] for path in tracked for i in range(len(path)) if path[i : i + 1] == b"/"}
    return [
        path
        for path in found
        if path not in tracked
        and not (path in occupied and not _has_untracked(repository, path, env))
    ]


def _has_untracked(repository: Repository, folder: bytes, env: dict[str, str]) -> bool:
    return bool(_files_inside(repository, env, [folder]))


def _is_folder(repository: Repository, path: bytes) -> bool:
    full = os.path.join(os.fsencode(repository.work_tree), path)
    return os.path.isdir(full) and not os.path.islink(full)


def _files_inside(repository: Repository, env: dict[str, str], folders: list[bytes]) -> list[bytes]:
    """Every untracked file in ``folders``, ignored ones too; LocalChanges for a repository in there."""
    specs = [b":(literal,top)" + path for path in folders]
    out = git("ls-files", "-z", "--others", "--", *specs, cwd=repository.work_tree, env=env)
    found = [path for path in out.split(b"\0") if path]
    if nested := [path for path in found if path.endswith(b"/")]:
        raise LocalChanges(
            f"a git repository stands where the ghost has a file; nothing was touched:{guards.show_paths(nested)}",
            "Move it away first.",
        )
    return found


def _adopt(repository: Repository, env: dict[str, str], paths: Iterable[bytes]) -> list[bytes]:
    """Take untracked files into the private index as they are on disk; those that exist."""
    top = os.fsencode(repository.work_tree)
    there = [path for path in paths if _is_plain(os.path.join(top, path))]
    snapshot.update_index(repository, env, (), there)
    return there


def _is_plain(path: bytes) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def _head_moves(found: Survey, target: Target) -> str:
    if found.head == target.base:
        return ""
    if found.branch and found.head is not None and found.head == target.remote_base:
        return "branch"
    return "detached"


def refuse_untracked(quarantine: Quarantine, todo: Plan) -> None:
    """Raise LocalChanges for files on disk that are not part of the target (ignored ones not counted)."""
    repository = quarantine.repository
    assert repository is not None
    args = ("ls-files", "-z", "--others", "--exclude-standard")
    out = git(*args, cwd=repository.work_tree, env=quarantine.env("rebuilt"))
    # What the checkout removes is still on disk now, and in the private index.
    going = set(_names(repository, quarantine.env(), todo.current, todo.target.tree, "D"))
    if left := [path for path in out.split(b"\0") if path and path not in going]:
        raise LocalChanges(
            f"{len(left)} untracked file(s) are not part of {todo.target.tree}; nothing was touched:"
            f"{guards.show_paths(left)}",
            "Remove them, or pull without --exact.",
        )


def carry_out(quarantine: Quarantine, todo: Plan, mark: str, keep: int) -> Outcome:
    """Do what ``todo`` says; ``keep`` is the pull lock's descriptor.

    Raises LocalChanges when something got in the way meanwhile, VerificationFailed when the working
    tree is not the target afterwards.
    """
    repository = quarantine.repository
    assert repository is not None
    target, env = todo.target, quarantine.env()
    outcome = Outcome(
        target.tree, target.base, len(todo.paths), todo.head_moves, todo.survey.branch
    )
    if not todo.nothing_to_do:
        lock = journal.IndexLock(repository, mark)
        try:
            backup = _back_up(quarantine, todo) if todo.in_the_way else ""
            outcome = replace(outcome, backup=backup)
            journal.begin(repository, target.tree, _touched_paths(repository, env, todo), mark)
            quarantine.keep_objects(packs_only=not _is_sparse(repository))
            _write_files(repository, env, todo, keep)
            _verify(quarantine, target)
            lock.install(_final_index(quarantine, target))
        finally:
            lock.release()
        _move_head(repository, todo, keep)
        added = _names(repository, env, f"{target.base}^{{tree}}", target.tree, "A")
        journal.complete(repository, target.tree, added)
    else:
        _verify(quarantine, target)
        journal.abandon(repository)
    untracked, submodules = _left_over(quarantine)
    return replace(outcome, untracked=untracked, submodules=submodules)


def _touched_paths(repository: Repository, env: dict[str, str], todo: Plan) -> list[bytes]:
    """Every path this pull may leave half-done: those on disk, and those HEAD or the index moves over."""
    paths = set(todo.paths)
    if todo.survey.head is not None and todo.survey.head != todo.target.base:
        paths.update(
            _names(repository, env, f"{todo.survey.head}^{{tree}}", f"{todo.target.base}^{{tree}}")
        )
    return sorted(paths.union(todo.survey.changed))


def _is_sparse(repository: Repository) -> bool:
    value = repository.config.get("core.sparsecheckout", "false").lower()
    return value in ("true", "yes", "on", "1", "")


def _write_files(repository: Repository, env: dict[str, str], todo: Plan, keep: int) -> None:
    args = ("read-tree", "-m", "-u", "--no-recurse-submodules", todo.current, todo.target.tree)
    try:
        git(*args, cwd=repository.work_tree, env=env, keep=(keep,))
    except GitFailed as e:
        if "error:" in e.stderr and (
            "uptodate" in e.stderr or "untracked" in e.stderr.lower() or "lose" in e.stderr
        ):
            raise LocalChanges(
                f"files changed while the pull was at work:\n  {e.stderr.strip()}",
                "Run the command again.",
            ) from e
        raise GhostError(
            f"the working tree could not be written completely: {e.stderr.strip()}",
            "Run the command again when the cause is gone; it goes on where this one stopped.",
        ) from e


def _verify(quarantine: Quarantine, target: Target) -> None:
    """Read the working tree back: every file must be what git makes of the target's content."""
    repository = quarantine.repository
    assert repository is not None
    env = quarantine.env()
    if _write_tree(repository, env) != target.tree:
        raise VerificationFailed(f"the working tree is not {target.tree} after the pull")
    out = git(
        "diff-files",
        "-z",
        "--name-only",
        "--ignore-submodules=all",
        cwd=repository.work_tree,
        env=env,
    )
    wrong = [
        path
        for path in out.split(b"\0")
        if path and not _as_checked_out(quarantine, target.tree, path)
    ]
    if wrong:
        raise VerificationFailed(
            f"the working tree is not {target.tree} after the pull:{guards.show_paths(wrong)}",
            "Something else writes to these files, or a filter changes them; see `git diff`.",
        )


def _as_checked_out(quarantine: Quarantine, tree: Oid, path: bytes) -> bool:
    """Whether a file that looks modified is just what a checkout makes of its content.

    With ``eol=crlf`` on a blob that holds CRLF, git itself calls a fresh checkout modified.
    """
    repository = quarantine.repository
    assert repository is not None
    full = os.path.join(os.fsencode(repository.work_tree), path)
    if os.path.islink(full) or not os.path.isfile(full):
        return False
    args = ("cat-file", "--filters", b"--path=" + path, f"{tree}:".encode() + path)
    try:
        expected = git(*args, cwd=repository.work_tree, env=quarantine.env())
    except GitFailed:
        return False
    with open(full, "rb") as file:
        return file.read() == expected


def _final_index(quarantine: Quarantine, target: Target) -> str:
    """The index the user gets: that of ``base``, so that the ghost's changes show as unstaged ones.

    In a sparse checkout it is the target's: paths outside the cone exist in the index alone.
    """
    repository = quarantine.repository
    assert repository is not None
    if not _is_sparse(repository):
        git(
            "read-tree",
            "-m",
            f"{target.base}^{{tree}}",
            cwd=repository.work_tree,
            env=quarantine.env(),
        )
    return quarantine.file(_INDEX)


def _move_head(repository: Repository, todo: Plan, keep: int) -> None:
    if not todo.head_moves:
        return
    reason = f"git-ghost pull: {todo.target.tree}"
    deref = ["--no-deref"] if todo.head_moves == "detached" else []
    args = ["update-ref", *deref, "-m", reason, "HEAD", todo.target.base]
    git(*args, cwd=repository.work_tree, env=repository.env(**_SIGNATURE), keep=(keep,))


_SIGNATURE = {
    "GIT_AUTHOR_NAME": "git ghost",
    "GIT_AUTHOR_EMAIL": "",
    "GIT_COMMITTER_NAME": "git ghost",
    "GIT_COMMITTER_EMAIL": "",
}


def _back_up(quarantine: Quarantine, todo: Plan) -> str:
    """Keep what is there now as a commit shaped like a stash; the ref that holds it."""
    repository = quarantine.repository
    assert repository is not None
    head = todo.survey.head
    quarantine.copy_index("before")
    env = quarantine.env(**_SIGNATURE)
    parents = ["-p", head] if head else []
    text = f"git ghost: set aside before pulling {todo.target.tree}"
    if head and not todo.survey.conflicted:
        try:
            staged = git(
                "write-tree", "--missing-ok", cwd=repository.cwd, env=quarantine.env("before")
            )
            index = git(
                "commit-tree",
                staged.decode().strip(),
                *parents,
                "-m",
                text,
                cwd=repository.cwd,
                env=env,
            )
            parents += ["-p", index.decode().strip()]
        except GitFailed:
            pass  # an index git cannot write as a tree has no content of its own to keep
    commit = git("commit-tree", todo.current, *parents, "-m", text, cwd=repository.cwd, env=env)
    quarantine.keep_objects()
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    ref = f"{BACKUPS}{stamp}-{secrets.token_hex(3)}"
    git(
        "update-ref",
        ref,
        commit.decode().strip(),
        cwd=repository.cwd,
        env=repository.env(**_SIGNATURE),
    )
    return ref


def _left_over(quarantine: Quarantine) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Untracked files that are not part of the target, and submodules at another commit."""
    repository = quarantine.repository
    assert repository is not None
    env = quarantine.env("rebuilt")
    with Running(
        "ls-files", "-z", "--others", "--exclude-standard", cwd=repository.work_tree, env=env
    ) as listing:
        submodules = tuple(_stale_submodules(repository, env))
        untracked = tuple(path for path in listing.result().split(b"\0") if path)
    return untracked, submodules


def _stale_submodules(repository: Repository, env: dict[str, str]) -> Iterator[bytes]:
    if not os.path.exists(os.path.join(repository.work_tree, ".gitmodules")):
        return
    out = git("ls-files", "-s", "-z", cwd=repository.work_tree, env=env)
    for line in out.split(b"\0"):
        if line.startswith(b"160000 "):
            commit, path = line.split(b" ")[1].decode(), line.partition(b"\t")[2]
            folder = os.path.join(os.fsencode(repository.work_tree), path)
            if not os.path.exists(os.path.join(folder, b".git")):
                yield path
                continue
            try:
                from_there = git(
                    "rev-parse", "HEAD", cwd=os.fsdecode(folder), env=environment(foreign=True)
                )
            except GitFailed:
                from_there = b""
            if from_there.decode().strip() != commit:
                yield path
