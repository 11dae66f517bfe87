"""Checkout: bring the working tree, the index and HEAD to a rebuilt tree, losing nothing.

:mod:`git_ghost.worktree.planning` looks and decides, :func:`carry_out` acts. The order of acting
(backup, note, objects, working tree, index, HEAD, note) makes it safe to kill anywhere and
run again.
"""

from __future__ import annotations

import os
import secrets
import shlex
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from git_ghost.errors import GhostError, GitFailed, LocalChanges, VerificationFailed
from git_ghost.git import environment, git
from git_ghost.model import Oid, null, oid
from git_ghost.quarantine import Quarantine
from git_ghost.repository import Repository
from git_ghost.worktree import filters, guards, journal, locks
from git_ghost.worktree.journal import Journal, LastPull
from git_ghost.worktree.planning import (
    GITLINK,
    INDEX,
    Changes,
    Plan,
    Target,
    changes_between,
)

BACKUPS = "refs/git-ghost/backup/"
"""Where the local changes go that ``--force`` sets aside."""


class CheckedOut(NamedTuple):
    """What a pull did."""

    tree: Oid
    base: Oid
    changed: int
    head: str
    """As :attr:`Plan.head_moves`."""
    branch: str
    backup: str = ""
    restore: tuple[str, ...] = ()
    """The commands that bring back what the backup holds: files, index and HEAD."""
    untracked: tuple[bytes, ...] = ()
    submodules: tuple[bytes, ...] = ()
    """Submodules that are not at the commit the tree names."""


def carry_out(quarantine: Quarantine, todo: Plan, mark: str, keep: int) -> CheckedOut:
    """Do what ``todo`` says; ``keep`` is the pull lock's descriptor.

    Raises LocalChanges when something got in the way meanwhile, VerificationFailed when the working
    tree is not the target afterwards.
    """
    repository, target = quarantine.repository, todo.target
    outcome = CheckedOut(
        target.tree, target.base, len(todo.changes), todo.head_moves, todo.survey.branch
    )
    if todo.nothing_to_do:
        untracked = _verify(quarantine, target)
        journal.abandon(repository)
    else:
        with locks.index_lock(repository, mark, quarantine.file("mark")):
            backup, untracked = _write(quarantine, todo, mark, keep)
            restore = _restoring(backup, todo) if backup else ()
            outcome = outcome._replace(backup=backup, restore=restore)
    submodules = tuple(_stale_submodules(quarantine, target.submodules))
    return outcome._replace(untracked=untracked, submodules=submodules)


def _write(
    quarantine: Quarantine, todo: Plan, mark: str, keep: int
) -> tuple[str, tuple[bytes, ...]]:
    """Change the working tree, the index and HEAD.

    Returns the ref of the backup, if one was needed, and the untracked files that are left.
    """
    repository, target = quarantine.repository, todo.target
    if journal.stamp(repository.index) != todo.stamp:
        raise LocalChanges(
            "another git command changed the index while the pull was looking; nothing was touched",
            "Run the command again.",
        )
    if todo.head_moves:
        detach = todo.head_moves == "detached"
        locks.require_free_head(repository, todo.survey.head, detach=detach)
    backup = todo.before.backup if todo.before else ""
    if todo.in_the_way:
        backup = _back_up(quarantine, todo)
    put = changes_between(quarantine, f"{target.base}^{{tree}}", target.tree)
    note = _note(quarantine, todo, put)
    journal.begin(repository, Journal(target.tree, mark, note, backup))
    quarantine.keep_objects(packs_only=not _is_sparse(repository))
    _write_files(quarantine, todo, keep)
    untracked = _verify(quarantine, target)
    filters.remember(quarantine, [path for path, (_, new) in put.items() if new], "rebuilt")
    _install_index(quarantine, target, put)
    _move_head(repository, todo, keep)
    entries = {path: new for path, (_, new) in put.items()}
    journal.complete(repository, LastPull(target.tree, entries, frozenset(_not_in_base(put))))
    return backup, untracked


def _note(quarantine: Quarantine, todo: Plan, put: Changes) -> dict[bytes, frozenset[str]]:
    """What may be found at each path, on disk or in the index, if this pull is killed."""
    known = dict(todo.before.contents) if todo.before else {}
    steps = [todo.changes, put]
    if todo.survey.head is not None:
        head, base = f"{todo.survey.head}^{{tree}}", f"{todo.target.base}^{{tree}}"
        steps.append(changes_between(quarantine, head, base))
    for step in steps:
        for path, entries in step.items():
            known[path] = known.get(path, frozenset()).union(entries)
    return known


def _is_sparse(repository: Repository) -> bool:
    value = repository.config.get("core.sparsecheckout", "false").lower()
    return value in ("true", "yes", "on", "1", "")


def _write_files(quarantine: Quarantine, todo: Plan, keep: int) -> None:
    config = quarantine.repository.config
    workers = config.get("checkout.workers") or str(min(os.cpu_count() or 1, 8))
    options = ("-c", f"checkout.workers={workers}", *filters.trusting(config))
    listener = quarantine.activity.progress
    told = () if listener is None else ("-v",)
    args = ("read-tree", "-m", "-u", *told, "--no-recurse-submodules")
    quarantine.activity.now("Updating files")
    try:
        quarantine.git(
            *options, *args, todo.current, todo.target.tree,
            keep=(keep,), progress=listener, GIT_PROGRESS_DELAY="0",
        )  # fmt: skip
    except GitFailed as e:
        if "error:" in e.stderr and (
            "uptodate" in e.stderr or "untracked" in e.stderr.lower() or "lose" in e.stderr
        ):
            raise LocalChanges(
                f"files changed while the pull was at work:\n  {e.said}",
                "Run the command again.",
            ) from e
        raise GhostError(
            f"the working tree could not be written completely: {e.said}",
            "Run the command again when the cause is gone; it continues where this one stopped.",
        ) from e


def _verify(quarantine: Quarantine, target: Target) -> tuple[bytes, ...]:
    """Read the working tree back: every file must be what git makes of the target's content.

    Returns the untracked files that are not part of the target.
    """
    quarantine.activity.now("Checking files")
    compare = ("diff-files", "-z", "--name-only", "--ignore-submodules=all")
    others = ("ls-files", "-z", "--others", "--exclude-standard")
    with (
        quarantine.start(*compare) as comparing,
        quarantine.start(*others, index="rebuilt") as listing,
    ):
        if quarantine.write_tree() != target.tree:
            raise VerificationFailed(f"the working tree is not {target.tree} after the pull")
        differing, left = (run.result().split(b"\0") for run in (comparing, listing))
    wrong = [
        path for path in differing if path and not _is_as_checked_out(quarantine, target.tree, path)
    ]
    if wrong:
        names = sorted(set(filters.asked_for(quarantine, wrong).values()))
        named = f"their filter ({', '.join(names)})" if names else "a filter"
        raise VerificationFailed(
            f"the working tree is not {target.tree} after the pull:{guards.show_paths(wrong)}",
            f"Something else writes to these files, or {named} changes them; see `git diff`.",
        )
    return tuple(path for path in left if path)


def _is_as_checked_out(quarantine: Quarantine, tree: Oid, path: bytes) -> bool:
    """Whether a file that looks modified is just what a checkout makes of its content.

    With ``eol=crlf`` on a blob that holds CRLF, git itself calls a fresh checkout modified.
    """
    full = os.path.join(os.fsencode(quarantine.repository.work_tree), path)
    if os.path.islink(full) or not os.path.isfile(full):
        return False
    with open(full, "rb") as file:
        return file.read() == filters.smudged(quarantine, f"{tree}:".encode() + path, path)


def _install_index(quarantine: Quarantine, target: Target, put: Changes) -> None:
    """Give the user the index of ``base``, so that the ghost's changes show as unstaged ones.

    What would not show, or be lost to the next push, is in it all the same: the commits of
    submodules, and the names of files that git ignores. In a sparse checkout the index is the
    target's: paths outside the cone exist in the index alone.
    """
    if not _is_sparse(quarantine.repository):
        # Not -m: it would look at files again, and refuse those that a filter makes look modified.
        quarantine.git("read-tree", "--reset", f"{target.base}^{{tree}}")
        gone = f"0 {null(quarantine.repository.object_format)}"
        links = {
            path: new if new.startswith(GITLINK) else gone
            for path, (old, new) in put.items()
            if GITLINK in (old[:7], new[:7])
        }
        if links:
            feed = b"".join(entry.encode() + b"\t" + path + b"\0" for path, entry in links.items())
            args = ("update-index", "--replace", "-z", "--index-info")
            quarantine.git(*args, stdin=feed)
        if added := _not_in_base(put):
            _show_ignored(quarantine, b"".join(path + b"\0" for path in added))
    journal.install_index(quarantine.repository, quarantine.file(INDEX))


def _not_in_base(put: Changes) -> list[bytes]:
    """The files of the target that the base has not, or where it has a submodule."""
    return [
        path
        for path, (old, new) in put.items()
        if new and not new.startswith(GITLINK) and (not old or old.startswith(GITLINK))
    ]


def _show_ignored(quarantine: Quarantine, added: bytes) -> None:
    """Mark those of the ``added`` paths (NUL after each) that git ignores as to be added."""
    ignored = quarantine.git("check-ignore", "-z", "--stdin", stdin=added, ok=(0, 1))
    if ignored:
        # Not in the quarantine: git stores the empty blob that such an entry stands on.
        index, add = quarantine.file(INDEX), ("add", "--intent-to-add", "--force")
        quarantine.repository.git(
            *add, "--pathspec-from-file=-", "--pathspec-file-nul",
            stdin=ignored, GIT_INDEX_FILE=index, GIT_LITERAL_PATHSPECS="1",
        )  # fmt: skip


def _move_head(repository: Repository, todo: Plan, keep: int) -> None:
    if not todo.head_moves:
        return
    reason = f"git-ghost pull: {todo.target.tree}"
    deref = ["--no-deref"] if todo.head_moves == "detached" else []
    old = [todo.survey.head] if todo.survey.head is not None else []
    args = ["update-ref", *deref, "-m", reason, "HEAD", todo.target.base, *old]
    repository.git(*args, keep=(keep,), **_SIGNATURE)


_SIGNATURE: dict[str, Any] = {  # for keyword arguments
    "GIT_AUTHOR_NAME": "git ghost",
    "GIT_AUTHOR_EMAIL": "",
    "GIT_COMMITTER_NAME": "git ghost",
    "GIT_COMMITTER_EMAIL": "",
}


def _back_up(quarantine: Quarantine, todo: Plan) -> str:
    """Keep what is there now as a commit shaped like a stash; the ref that holds it."""
    repository, head = quarantine.repository, todo.survey.head
    text = f"git ghost: set aside before pulling {todo.target.tree}"

    def commit(tree: Oid, parents: list[Oid]) -> Oid:
        named = [arg for parent in parents for arg in ("-p", parent)]
        made = quarantine.git("commit-tree", tree, *named, "-m", text, **_SIGNATURE)
        return Oid(made.decode().strip())

    staged_tree = _staged_tree(quarantine)
    first = head or commit(oid(quarantine.git("mktree", stdin=b"")), [])
    kept = commit(todo.current, [first, commit(staged_tree, [first])])
    quarantine.keep_objects()
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    ref = f"{BACKUPS}{stamp}-{secrets.token_hex(3)}"
    repository.git("update-ref", ref, kept, null(repository.object_format), **_SIGNATURE)
    return ref


def _restoring(backup: str, todo: Plan) -> tuple[str, ...]:
    """Files first, as all staged; then what was staged; then HEAD, which moves nothing else."""
    branch, ref = shlex.quote(f"refs/heads/{todo.survey.branch}"), f"{backup}^1"
    if not todo.head_moves:
        head: tuple[str, ...] = ()
    elif todo.head_moves == "branch":
        head = (f"git reset --soft {ref}",)
    elif todo.survey.branch:
        head = (f"git symbolic-ref HEAD {branch}",)
    else:
        head = (f"git update-ref --no-deref HEAD {ref}",)
    read_tree = "git read-tree --no-recurse-submodules --reset"
    return f"{read_tree} -u {backup}", f"{read_tree} {backup}^2", *head


def _staged_tree(quarantine: Quarantine) -> Oid:
    """The tree of the user's index; where it is in conflict, our side (the files have the rest)."""
    quarantine.copy_index("before")
    out = quarantine.git("ls-files", "--unmerged", "-z", index="before")
    feed: dict[bytes, list[bytes]] = {}
    for line in filter(None, out.split(b"\0")):
        about, _, path = line.partition(b"\t")
        mode, value, stage = about.split(b" ")
        gone = b"0 " + null(quarantine.repository.object_format).encode() + b"\t" + path + b"\0"
        feed.setdefault(path, [gone, b""])
        if stage == b"2":
            feed[path][1] = mode + b" " + value + b"\t" + path + b"\0"
    if feed:
        text = b"".join(gone + ours for gone, ours in feed.values())
        quarantine.git("update-index", "-z", "--index-info", index="before", stdin=text)
    return quarantine.write_tree("before")


def _stale_submodules(quarantine: Quarantine, of_use: frozenset[str] | None) -> Iterator[bytes]:
    """Submodules that are not at the commit of the tree; those not here only if they are of use."""
    top = quarantine.repository.work_tree
    if not os.path.exists(os.path.join(top, ".gitmodules")):
        return
    out = quarantine.git("ls-files", "-s", "-z", index="rebuilt")
    for line in out.split(b"\0"):
        if line.startswith(b"160000 "):
            commit, path = line.split(b" ")[1].decode(), line.partition(b"\t")[2]
            folder = os.path.join(os.fsencode(top), path)
            if not os.path.exists(os.path.join(folder, b".git")):
                if of_use is None or os.fsdecode(path) in of_use:
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
