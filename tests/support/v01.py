"""Git Ghost v0.1.5 for the tests: the real one if there is one, else a stand-in.

The stand-in runs the same git commands in the same order as v0.1.5 does, with all that follows from
them: the user's configuration takes part, every command clones the ghost repository, commits are
applied by `git am`. Set `GIT_GHOST_V01` to the path of a real v0.1 binary to use that instead.

It needs neither pytest nor git ghost. As a program: `python -m tests.support.v01 push diff …`.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tests.support.sandbox import Argument, Result

BINARY = os.environ.get("GIT_GHOST_V01") or None
"""The real v0.1, read before any test empties the environment."""

Pair = tuple[str, str]


class V01:
    """Git Ghost v0.1.5 in an environment of its own; a ghost is a pair: from, and hash or to."""

    def __init__(self, env: Mapping[str, str], binary: str | None = BINARY) -> None:
        """Use `env` (with `GIT_GHOST_REPO` in it), and the program `binary` if there is one."""
        self.env = dict(env)
        self.binary = binary

    def run(self, *args: Argument, cwd: Path) -> Result:
        """Run a command line in the directory `cwd`."""
        env = {**self.env, "PWD": str(cwd)}
        argv = [os.fsdecode(argument) for argument in args]
        if self.binary is None:
            return _Command(env).run(argv)
        done = subprocess.run(
            [self.binary, *argv], cwd=cwd, env=env, capture_output=True, check=False
        )
        return Result(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))

    def push_diff(self, cwd: Path, start: str = "HEAD", *, include: Sequence[str] = ()) -> Pair:
        """Push what is not committed, and the files in `include`."""
        flags = [f"--include={name}" for name in include]
        return _pairs(self.run("push", "diff", start, *flags, cwd=cwd))[0]

    def push_commits(self, cwd: Path, start: str, to: str = "HEAD") -> Pair:
        """Push the commits `start..to`."""
        return _pairs(self.run("push", "commits", start, to, cwd=cwd))[0]

    def push_all(self, cwd: Path, start: str, diff_from: str = "HEAD") -> tuple[Pair, Pair]:
        """Push the commits `start..diff_from` and what is not committed."""
        commits, diff = _pairs(self.run("push", "all", start, diff_from, cwd=cwd))
        return commits, diff

    def pull_diff(self, cwd: Path, hash: str, start: str = "HEAD") -> Result:
        """Apply a diff to the working tree."""
        return self.run("pull", "diff", start, hash, cwd=cwd)

    def pull_commits(self, cwd: Path, to: str, start: str = "HEAD") -> Result:
        """Apply commits with `git am`."""
        return self.run("pull", "commits", start, to, cwd=cwd)

    def pull_all(self, cwd: Path, to: str, hash: str, start: str = "HEAD") -> Result:
        """Apply commits, then a diff."""
        return self.run("pull", "all", start, to, hash, cwd=cwd)

    def show(self, cwd: Path, *args: str) -> bytes:
        """Return the stored patches."""
        result = self.run("show", *args, cwd=cwd)
        result.ok()
        return result.out

    def list(self, cwd: Path, what: str = "all") -> list[Pair]:
        """Return the ghosts it finds, commits first."""
        return _pairs(self.run("list", what, "--no-headers", cwd=cwd))

    def delete(self, cwd: Path, what: str = "all", *flags: str) -> str:
        """Delete ghosts, all unless told otherwise, and return what it prints."""
        return self.run("delete", what, *(flags or ("--all",)), cwd=cwd).ok()


def _pairs(result: Result) -> list[Pair]:
    lines = result.ok().splitlines()
    return [(start, to) for start, to in (line.split(" ") for line in lines)]


# --- the stand-in --------------------------------------------------------------------------------

_LIMITS = {
    "push": {"diff": (0, 1), "commits": (1, 2), "all": (1, 2)},
    "pull": {"diff": (1, 2), "commits": (1, 2), "all": (2, 3)},
    "show": {"diff": (1, 2), "commits": (1, 2), "all": (2, 3)},
    "list": {"diff": (0, 0), "commits": (0, 0), "all": (0, 0)},
    "delete": {"diff": (0, 0), "commits": (0, 0), "all": (0, 0)},
}
"""How many arguments each form of a command takes."""

_COLUMNS = {
    "commits": ("Local Base Branches:", "Remote Base", "Local Base"),
    "diff": ("Local Mod Branches:", "Local Base", "Local Mod"),
}
_FILES = {"commits": "commits.patch", "diff": "local-mod.patch"}
_BRANCHES = {
    "commits": re.compile(r"[a-z0-9]+/([a-f0-9]+)-([a-f0-9]+)"),
    "diff": re.compile(r"[a-z0-9]+/([a-f0-9]+)/([a-f0-9]+)"),
}


class _Failure(Exception):
    """Exit code 1, with a message."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _Failure(message)


def _parser() -> _Parser:
    parser = _Parser("git-ghost", allow_abbrev=False)
    for name in ("src-dir", "ghost-working-dir", "ghost-prefix", "ghost-repo", "from", "to"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("-I", "--include", action="append", default=[])
    parser.add_argument("-o", "--output", choices=("", "only-from", "only-to"), default="")
    parser.add_argument("-v", "--verbose", action="count")
    for name in ("follow-symlinks", "no-headers", "all", "dry-run"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("words", nargs="*")
    return parser


@dataclass(frozen=True)
class _Ghost:
    kind: str
    start: str
    to: str

    def branch(self, prefix: str) -> str:
        return f"{prefix}/{self.start}{'-' if self.kind == 'commits' else '/'}{self.to}"


class _Command:
    """One call of v0.1.5."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._out: list[bytes] = []
        self._temporary: list[Path] = []

    def run(self, argv: Sequence[str]) -> Result:
        try:
            self._run(argv)
        except _Failure as failure:
            return Result(1, b"".join(self._out), f"{failure}\n")
        finally:
            for path in self._temporary:
                shutil.rmtree(path, ignore_errors=True)
        return Result(0, b"".join(self._out), "")

    def _run(self, argv: Sequence[str]) -> None:
        self._flags = flags = _parser().parse_intermixed_args(argv)
        self._prefix = flags.ghost_prefix or self._env.get("GIT_GHOST_PREFIX") or "ghost"
        self._repo = flags.ghost_repo or self._env.get("GIT_GHOST_REPO", "")
        self._source = flags.src_dir or self._env.get("PWD") or str(Path.cwd())
        self._git("version")
        if not self._repo:
            raise _Failure("ghost-repo must be specified")
        verb, *words = flags.words or [""]
        if verb not in _LIMITS:
            raise _Failure(f'unknown command "{verb}" for "git-ghost"')
        form = words.pop(0) if words and words[0] in ("diff", "commits", "all") else "diff"
        least, most = _LIMITS[verb][form]
        if not least <= len(words) <= most:
            raise _Failure(f"accepts between {least} and {most} arg(s), received {len(words)}")
        getattr(self, f"_{verb}")(form, words)

    def _git(self, *args: str, ok: Sequence[int] = (0,)) -> bytes:
        done = subprocess.run(
            ["git", *args],
            cwd=self._source,
            env=dict(self._env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode not in ok:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise _Failure(said or f"exit status {done.returncode}")
        return done.stdout

    def _print(self, text: str) -> None:
        self._out.append(text.encode())

    def _clone(self) -> Path:
        parent = self._flags.ghost_working_dir or self._env.get("TMPDIR")
        path = Path(tempfile.mkdtemp(prefix="git-ghost-", dir=parent))
        self._temporary.append(path)
        self._git("clone", "-q", "-o", "origin", self._repo, str(path))
        self._git("-C", str(path), "config", "user.name", '"Git Ghost"')
        self._git("-C", str(path), "config", "user.email", '"git-ghost@example.com"')
        return path

    def _commit(self, name: str) -> str:
        """The full id of a commit, which has to be here."""
        try:
            self._git("-C", self._source, "cat-file", "-e", name)
        except _Failure as failure:
            raise _Failure(f"{name} does not exist") from failure
        return self._git("-C", self._source, "rev-list", "-1", name).decode().rstrip("\r\n")

    # push

    def _push(self, form: str, words: Sequence[str]) -> None:
        for name in (*words, "HEAD")[: _LIMITS["push"][form][1]]:
            self._git("-C", self._source, "cat-file", "-e", name)
        lines = []
        if form != "diff":
            to = words[1] if len(words) > 1 else "HEAD"
            lines.append(self._push_commits(words[0], to))
        if form != "commits":
            start = words[-1] if words and (form == "diff" or len(words) > 1) else "HEAD"
            lines.append(self._push_diff(start))
        self._print("\n".join(lines) + ("" if form == "commits" else "\n"))

    def _push_commits(self, first: str, last: str) -> str:
        clone = self._clone()
        start, to = self._commit(first), self._commit(last)
        text = self._git(
            "-C", self._source, "log", "-p", "--reverse", "--pretty=email", "--stat", "-m",
            "--first-parent", "--binary", f"{start}..{to}",
        )  # fmt: skip
        return self._send(clone, _Ghost("commits", start, to), text)

    def _push_diff(self, first: str) -> str:
        clone = self._clone()
        start = self._commit(first)
        patch = self._git("-C", self._source, "diff", "--patience", "--binary", start)
        for path in self._included():
            no_index = ("diff", "--patience", "--binary", "--no-index", os.devnull, path)
            patch += self._git("-C", self._source, *no_index, ok=(0, 1))
        name = hashlib.sha1(patch, usedforsecurity=False).hexdigest()
        return self._send(clone, _Ghost("diff", start, name), patch)

    def _included(self) -> list[str]:
        """The included files, relative to the source; the flag's value is itself a list."""
        found: dict[str, None] = {}
        for name in (name for row in csv.reader(self._flags.include) for name in row):
            found[self._inside(name)] = None
            link = Path(self._source, name)
            while self._flags.follow_symlinks and link.is_symlink():
                target = link.readlink()
                if target.is_absolute():
                    raise _Failure("symlink to absolute path is not supported")
                link = link.parent / target
                found[self._inside(str(link))] = None
        return list(found)

    def _inside(self, name: str) -> str:
        path = os.path.relpath(os.path.join(self._source, name), self._source)  # noqa: PTH118
        if path.startswith("../"):
            raise _Failure(f"{name} is not located in the source directory")
        if Path(self._source, path).is_dir():
            raise _Failure(f"directory diff is not supported: {name}")
        return path

    def _send(self, clone: Path, ghost: _Ghost, content: bytes) -> str:
        branch, file, at = ghost.branch(self._prefix), _FILES[ghost.kind], ("-C", str(clone))
        (clone / file).write_bytes(content)
        self._git(*at, "checkout", "--orphan", branch)
        self._git(*at, "add", file)
        self._git(*at, "commit", "-q", file, "-m", "Create ghost commit")
        if not self._git("ls-remote", "--heads", self._repo, branch):
            self._git(*at, "push", "origin", branch)
        return f"{ghost.start} {ghost.to}"

    # pull and show

    def _ghosts(self, form: str, words: Sequence[str]) -> list[tuple[str, str, str]]:
        """Kind, from and to of the ghosts that the arguments name."""
        if form != "all":
            start, to = words if len(words) == 2 else ("HEAD", words[0])
            return [(form, start, to)]
        start, middle, to = words if len(words) == 3 else ("HEAD", *words)
        return [("commits", start, middle), ("diff", middle, to)]

    def _fetch(self, clone: Path, kind: str, start: str, to: str) -> _Ghost:
        first = self._commit(start)
        ghost = _Ghost(kind, first, self._commit(to) if kind == "commits" else to)
        self._git("-C", str(clone), "reset", "--hard", f"origin/{ghost.branch(self._prefix)}")
        return ghost

    def _pull(self, form: str, words: Sequence[str]) -> None:
        clone = self._clone()
        for names in self._ghosts(form, words):
            ghost = self._fetch(clone, *names)
            self._git("-C", self._source, "rev-list", "-1", "HEAD")
            path = clone / _FILES[ghost.kind]
            if not path.stat().st_size:
                continue
            if ghost.kind == "diff":
                self._git("-C", self._source, "apply", str(path))
                continue
            try:
                self._git("-C", self._source, "am", str(path))
            except _Failure:
                self._git("-C", self._source, "am", "--abort", ok=range(256))
                raise

    def _show(self, form: str, words: Sequence[str]) -> None:
        for names in self._ghosts(form, words):
            clone = self._clone()
            file = _FILES[self._fetch(clone, *names).kind]
            self._out.append(
                self._git("-C", str(clone), "--no-pager", "cat-file", "-p", f"HEAD:{file}")
            )

    # list and delete

    def _found(self, form: str) -> dict[str, list[Pair]]:
        found = {}
        for kind in ("commits", "diff") if form == "all" else (form,):
            start = self._resolved(vars(self._flags)["from"]) or "*"
            to = (self._resolved(self._flags.to) if kind == "commits" else self._flags.to) or "*"
            patterns = (f"refs/heads/{self._prefix}/{start}{joint}{to}" for joint in "-/")
            out = self._git("ls-remote", "-q", "--heads", "--refs", self._repo, *patterns)
            names = [
                line.split()[1].removeprefix("refs/heads/") for line in out.decode().splitlines()
            ]
            matches = (_BRANCHES[kind].fullmatch(name) for name in sorted(names))
            found[kind] = [(match[1], match[2]) for match in matches if match]
        return found

    def _resolved(self, name: str) -> str:
        try:
            return name and self._commit(name)
        except _Failure:
            return name

    def _list(self, form: str, words: Sequence[str]) -> None:
        del words
        self._table(self._found(form), "", headers=not self._flags.no_headers)

    def _table(self, found: Mapping[str, list[Pair]], did: str, *, headers: bool) -> None:
        output = self._flags.output
        columns = slice(0, 1) if output == "only-from" else slice(output == "only-to", 2)
        for kind, pairs in found.items():
            title, *names = _COLUMNS[kind]
            rows = [" ".join(pair[columns]) for pair in pairs]
            if headers:
                rows = [did + title, "", " ".join(f"{n:<40}" for n in names[columns]), *rows, ""]
            self._print("".join(f"{row}\n" for row in rows))

    def _delete(self, form: str, words: Sequence[str]) -> None:
        del words
        flags = self._flags
        if not (vars(flags)["from"] and flags.to) and not flags.all and not flags.dry_run:
            raise _Failure("all must be set if multiple ghosts branches are deleted")
        found = self._found(form)
        clone = self._clone()
        for kind, pairs in found.items():
            branches = [":" + _Ghost(kind, *pair).branch(self._prefix) for pair in pairs]
            if branches and not flags.dry_run:
                self._git("-C", str(clone), "push", "origin", *branches)
        self._table(found, "Deleted ", headers=True)


def main(argv: Sequence[str]) -> int:
    """Run a command line on this process's environment, in its directory."""
    env = {**os.environ, "PWD": str(Path.cwd())}
    if BINARY is not None:
        return subprocess.call([BINARY, *argv], env=env)
    result = _Command(env).run(argv)
    sys.stdout.buffer.write(result.out)
    sys.stderr.write(result.err)
    return result.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
