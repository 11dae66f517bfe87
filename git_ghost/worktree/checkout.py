"""Checkout: bring the working tree, the index and HEAD to a rebuilt tree, losing nothing.

:mod:`git_ghost.worktree.planning` looks and decides, :func:`carry_out` acts. The order of acting
(backup, note, objects, working tree, index, HEAD, note) makes it safe to kill anywhere and
run again.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import field
from typing import NamedTuple

from git_ghost.errors import GhostError, GitFailed, LocalChanges, VerificationFailed
from git_ghost.git import Running, environment, git
from git_ghost.model import Oid, null
from git_ghost.repository import Quarantine, Repository
from git_ghost.worktree import guards, journal
from git_ghost.worktree.journal import Journal, Pulled
from git_ghost.worktree.planning import (
    INDEX,
    Changes,
    Plan,
    Target,
    as_checked_out,
    changes_between,
)

BACKUPS = "refs/git-ghost/backup/"
"""Where the local changes go that ``--force`` sets aside."""


class Outcome(NamedTuple):
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


def carry_out(quarantine: Quarantine, todo: Plan, mark: str, keep: int) -> Outcome:
    """Do what ``todo`` says; ``keep`` is the pull lock's descriptor.

    Raises LocalChanges when something got in the way meanwhile, VerificationFailed when the working
    tree is not the target afterwards.
    """
    repository = quarantine.repository
    assert repository is not None
    target = todo.target
    outcome = Outcome(
        target.tree, target.base, len(todo.changes), todo.head_moves, todo.survey.branch
    )
    if todo.nothing_to_do:
        untracked = _verify(quarantine, target)
        journal.abandon(repository)
    else:
        with journal.index_lock(repository, mark, quarantine.file("mark")):
            backup, untracked = _write(quarantine, todo, mark, keep)
            outcome = outcome._replace(backup=backup)
    submodules = tuple(_stale_submodules(repository, quarantine.env("rebuilt")))
    return outcome._replace(untracked=untracked, submodules=submodules)


def _write(
    quarantine: Quarantine, todo: Plan, mark: str, keep: int
) -> tuple[str, tuple[bytes, ...]]:
    """Change the working tree, the index and HEAD.

    Returns the ref of the backup, if one was needed, and the untracked files that are left.
    """
    repository = quarantine.repository
    assert repository is not None
    target, env = todo.target, quarantine.env()
    if journal.stamp(repository.index) != todo.stamp:
        raise LocalChanges(
            "another git command changed the index while the pull was looking; nothing was touched",
            "Run the command again.",
        )
    backup = todo.before.backup if todo.before else ""
    if todo.in_the_way:
        backup = _back_up(quarantine, todo)
    put = changes_between(repository, env, f"{target.base}^{{tree}}", target.tree)
    note = _note(repository, env, todo, put)
    journal.begin(repository, Journal(target.tree, mark, note, backup))
    quarantine.keep_objects(packs_only=not _is_sparse(repository))
    _write_files(repository, env, todo, keep)
    untracked = _verify(quarantine, target)
    _install_index(quarantine, target, put)
    _move_head(repository, todo, keep)
    entries = {path: new for path, (_, new) in put.items()}
    added = frozenset(path for path, (old, _) in put.items() if not old)
    journal.complete(repository, Pulled(target.tree, entries, added))
    return backup, untracked


def _note(
    repository: Repository, env: dict[str, str], todo: Plan, put: Changes
) -> dict[bytes, frozenset[str]]:
    """What may be found at each path, on disk or in the index, if this pull is killed."""
    known = dict(todo.before.contents) if todo.before else {}
    steps = [todo.changes, put]
    if todo.survey.head is not None:
        head, base = f"{todo.survey.head}^{{tree}}", f"{todo.target.base}^{{tree}}"
        steps.append(changes_between(repository, env, head, base))
    for step in steps:
        for path, entries in step.items():
            known[path] = known.get(path, frozenset()).union(entries)
    return known


def _is_sparse(repository: Repository) -> bool:
    value = repository.config.get("core.sparsecheckout", "false").lower()
    return value in ("true", "yes", "on", "1", "")


def _write_files(repository: Repository, env: dict[str, str], todo: Plan, keep: int) -> None:
    workers = repository.config.get("checkout.workers") or str(min(os.cpu_count() or 1, 8))
    args = ("read-tree", "-m", "-u", "--no-recurse-submodules", todo.current, todo.target.tree)
    try:
        git(
            "-c",
            f"checkout.workers={workers}",
            *args,
            cwd=repository.work_tree,
            env=env,
            keep=(keep,),
        )
    except GitFailed as e:
        if "error:" in e.stderr and (
            "uptodate" in e.stderr or "untracked" in e.stderr.lower() or "lose" in e.stderr
        ):
            raise LocalChanges(
                f"files changed while the pull was at work:\n  {e.stderr.strip()}",
                "Run the command again.",
            ) from e
        said = e.stderr.strip() or f"git ended with status {e.status}"
        raise GhostError(
            f"the working tree could not be written completely: {said}",
            "Run the command again when the cause is gone; it goes on where this one stopped.",
        ) from e


def _verify(quarantine: Quarantine, target: Target) -> tuple[bytes, ...]:
    """Read the working tree back: every file must be what git makes of the target's content.

    Returns the untracked files that are not part of the target.
    """
    repository = quarantine.repository
    assert repository is not None
    env, cwd = quarantine.env(), repository.work_tree
    compare = ("diff-files", "-z", "--name-only", "--ignore-submodules=all")
    others = ("ls-files", "-z", "--others", "--exclude-standard")
    with (
        Running(*compare, cwd=cwd, env=env) as comparing,
        Running(*others, cwd=cwd, env=quarantine.env("rebuilt")) as listing,
    ):
        if repository.write_tree(env) != target.tree:
            raise VerificationFailed(f"the working tree is not {target.tree} after the pull")
        differing, left = (run.result().split(b"\0") for run in (comparing, listing))
    wrong = [
        path for path in differing if path and not _is_as_checked_out(quarantine, target.tree, path)
    ]
    if wrong:
        raise VerificationFailed(
            f"the working tree is not {target.tree} after the pull:{guards.show_paths(wrong)}",
            "Something else writes to these files, or a filter changes them; see `git diff`.",
        )
    return tuple(path for path in left if path)


def _is_as_checked_out(quarantine: Quarantine, tree: Oid, path: bytes) -> bool:
    """Whether a file that looks modified is just what a checkout makes of its content.

    With ``eol=crlf`` on a blob that holds CRLF, git itself calls a fresh checkout modified.
    """
    repository = quarantine.repository
    assert repository is not None
    full = os.path.join(os.fsencode(repository.work_tree), path)
    if os.path.islink(full) or not os.path.isfile(full):
        return False
    with open(full, "rb") as file:
        return file.read() == as_checked_out(quarantine, tree, path)


def _install_index(quarantine: Quarantine, target: Target, put: Changes) -> None:
    """Give the user the index of ``base``, so that the ghost's changes show as unstaged ones.

    What would not show, or be lost to the next push, is in it all the same: the commits of
    submodules, and the names of files that git ignores. In a sparse checkout the index is the
    target's: paths outside the cone exist in the index alone.
    """
    repository = quarantine.repository
    assert repository is not None
    if not _is_sparse(repository):
        cwd, env = repository.work_tree, quarantine.env()
        git("read-tree", "-m", f"{target.base}^{{tree}}", cwd=cwd, env=env)
        gitlinks = {path: new for path, (_, new) in put.items() if new.startswith("160000 ")}
        if gitlinks:
            feed = b"".join(n.encode() + b"\t" + path + b"\0" for path, n in gitlinks.items())
            args = ("update-index", "--replace", "-z", "--index-info")
            git(*args, cwd=cwd, env=env, stdin=feed)
        added = [path + b"\0" for path, (old, _) in put.items() if not old and path not in gitlinks]
        if added:
            _show_ignored(repository, env, b"".join(added))
    journal.install_index(repository, quarantine.file(INDEX))


def _show_ignored(repository: Repository, env: dict[str, str], added: bytes) -> None:
    """Mark those of the ``added`` paths (NUL after each) that git ignores as to be added."""
    check = ("check-ignore", "-z", "--stdin")
    ignored = git(*check, cwd=repository.work_tree, env=env, stdin=added, ok=(0, 1))
    if ignored:
        # Not in the quarantine: git stores the empty blob that such an entry stands on.
        literal = repository.env(GIT_INDEX_FILE=env["GIT_INDEX_FILE"], GIT_LITERAL_PATHSPECS="1")
        add = ("add", "--intent-to-add", "--force", "--pathspec-from-file=-")
        git(*add, "--pathspec-file-nul", cwd=repository.work_tree, env=literal, stdin=ignored)


def _move_head(repository: Repository, todo: Plan, keep: int) -> None:
    if not todo.head_moves:
        return
    reason = f"git-ghost pull: {todo.target.tree}"
    deref = ["--no-deref"] if todo.head_moves == "detached" else []
    old = [todo.survey.head] if todo.survey.head is not None else []
    args = ["update-ref", *deref, "-m", reason, "HEAD", todo.target.base, *old]
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
    head, env = todo.survey.head, quarantine.env(**_SIGNATURE)
    text = f"git ghost: set aside before pulling {todo.target.tree}"

    def commit(tree: Oid, parents: list[Oid]) -> Oid:
        named = [arg for parent in parents for arg in ("-p", parent)]
        args = ("commit-tree", tree, *named, "-m", text)
        return Oid(git(*args, cwd=repository.cwd, env=env).decode().strip())

    first = [head] if head else []
    staged = commit(_staged_tree(quarantine), first)
    kept = commit(todo.current, [*first, staged])
    quarantine.keep_objects()
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    ref = f"{BACKUPS}{stamp}-{secrets.token_hex(3)}"
    args = ("update-ref", ref, kept, null(repository.object_format))
    git(*args, cwd=repository.cwd, env=repository.env(**_SIGNATURE))
    return ref


def _staged_tree(quarantine: Quarantine) -> Oid:
    """The tree of the user's index; where it is in conflict, our side (the files have the rest)."""
    repository = quarantine.repository
    assert repository is not None
    quarantine.copy_index("before")
    env = quarantine.env("before")
    out = git("ls-files", "--unmerged", "-z", cwd=repository.work_tree, env=env)
    feed: dict[bytes, list[bytes]] = {}
    for line in filter(None, out.split(b"\0")):
        about, _, path = line.partition(b"\t")
        mode, value, stage = about.split(b" ")
        gone = b"0 " + null(repository.object_format).encode() + b"\t" + path + b"\0"
        feed.setdefault(path, [gone, b""])
        if stage == b"2":
            feed[path][1] = mode + b" " + value + b"\t" + path + b"\0"
    if feed:
        text = b"".join(gone + ours for gone, ours in feed.values())
        git("update-index", "-z", "--index-info", cwd=repository.work_tree, env=env, stdin=text)
    return repository.write_tree(env)


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
