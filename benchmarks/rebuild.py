"""Clone and pull: what a pod waits for before its job starts."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import Bench, Contender, Goal, Report, Times, race
from benchmarks.places import Laptop, Place, ghost_env, place, settle
from benchmarks.programs import FLOOR, OURS, Programs

KNOWN = f"{OURS}, source and base given"


@dataclass(frozen=True)
class Wanted:
    """A ghost, stored in every contender's ghost repository."""

    base: str
    hash: str
    tree: str

    @property
    def ref(self) -> str:
        """Its branch."""
        return f"refs/heads/ghost/{self.base}/{self.hash}"


def clone_ssh(bench: Bench) -> Report:
    """From nothing to the tree that was pushed, over ssh."""
    report = Report()
    v01 = bench.programs.v01_name
    for stored, rounds, v01_rounds in ((20, 9, 3), (10_000, 7, 3)):
        what = f"cold clone over ssh, {stored:,} ghosts stored"
        with place(bench, stored, network=True) as here:
            wanted = _push_one(here, here.laptop(), bench.programs)
            cloning = _Cloning(here, wanted, bench.programs)
            times = race(cloning.contenders(v01_rounds), bench.rounds(rounds))
        report.add_times(what, times)
        report.goals += [
            Goal(f"{what}: time against the floor's", 1.35, times.ratio(OURS, FLOOR)),
            Goal(f"{what}, --source and --base: the same", 1.35, times.ratio(KNOWN, FLOOR)),
            Goal(f"{what}: times faster than {v01}", 4, times.ratio(v01, OURS), at_least=True),
        ]
    return report


def pull_ssh(bench: Bench) -> Report:
    """Pull in a clone that has the base, over ssh."""
    report = Report()
    for stored, rounds, v01_rounds in ((20, 9, 5), (10_000, 7, 3)):
        with place(bench, stored, network=True) as here:
            times = _race_pulls(bench, here, rounds, v01_rounds)
        report.add_times(f"pull over ssh, {stored:,} ghosts stored", times)
    return report


def pull_local(bench: Bench) -> Report:
    """Pull from a ghost repository on the same machine, by its path."""
    report = Report()
    v01 = bench.programs.v01_name
    for stored, rounds, v01_rounds in ((20, 15, 15), (10_000, 11, 5)):
        what = f"pull from a local path, {stored:,} ghosts stored"
        with place(bench, stored, network=False) as here:
            times = _race_pulls(bench, here, rounds, v01_rounds)
        report.add_times(what, times)
        if stored == 20:
            report.goals.append(Goal(f"{what}: time against {v01}", 1.2, times.ratio(OURS, v01)))
        else:
            faster = times.ratio(v01, OURS)
            report.goals.append(Goal(f"{what}: times faster than {v01}", 2, faster, at_least=True))
    return report


def _push_one(here: Place, laptop: Laptop, programs: Programs) -> Wanted:
    """Store one ghost: edits and a new file, on a commit that is not the newest any more."""
    sandbox = here.sandbox
    sandbox.git("reset", "--quiet", "--hard", "HEAD~20", cwd=laptop.path)
    laptop = Laptop(sandbox, laptop.path)
    laptop.edit()
    (laptop.path / "notes.md").write_text("What this run is about.\n", encoding="ascii")
    hashes = set()
    for name in ("ours.git", "floor.git", "v01.git"):
        env = ghost_env(str(here.server.root / name))
        said = sandbox.run(*programs.ours, "push", cwd=laptop.path, env=env).ok()
        base, hash_ = said.split()
        assert base == laptop.head
        hashes.add(hash_)
        sandbox.git("pack-refs", "--all", cwd=here.server.root / name)
    assert len(hashes) == 1
    return Wanted(laptop.head, hashes.pop(), tree_of(laptop))


def tree_of(laptop: Laptop) -> str:
    """Return the tree id of a working tree, computed by plain git."""
    index = laptop.path / ".git/check-index"
    env = {"GIT_INDEX_FILE": str(index)}
    laptop.sandbox.git("add", "--all", cwd=laptop.path, env=env)
    tree = laptop.sandbox.text("write-tree", cwd=laptop.path, env=env)
    index.unlink()
    return tree


class _Cloning:
    def __init__(self, here: Place, wanted: Wanted, programs: Programs) -> None:
        self._here = here
        self._wanted = wanted
        self._programs = programs
        self._target = here.sandbox.root / "workspace"
        self._cloned = False

    def contenders(self, v01_rounds: int) -> list[Contender]:
        v01 = self._programs.v01_name
        return [
            Contender(OURS, self._ours, self._prepare),
            Contender(KNOWN, self._ours_known, self._prepare),
            Contender(FLOOR, self._floor, self._prepare),
            Contender(v01, self._v01, self._prepare, v01_rounds),
        ]

    def _prepare(self) -> None:
        """Check what the one before did, and start from nothing."""
        if self._cloned:
            done = Laptop(self._here.sandbox, self._target)
            assert tree_of(done) == self._wanted.tree
            assert done.head == self._wanted.base
            shutil.rmtree(self._target)
        self._cloned = True

    def _ours(self, *more: str) -> None:
        env = ghost_env(self._here.url("ours.git"))
        command = (*self._programs.ours, "clone", *more, self._wanted.hash)
        self._here.sandbox.run(*command, self._target, env=env).ok()

    def _ours_known(self) -> None:
        self._ours("--source", self._here.source, "--base", self._wanted.base)

    def _floor(self) -> None:
        sandbox, target, wanted = self._here.sandbox, self._target, self._wanted
        sandbox.git("init", "--quiet", target)
        fetch = ("git", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head")
        commands = (  # a ghost has no history, and --depth would lock the other fetch out
            (*fetch, "--depth=1", self._here.source, f"{wanted.base}:refs/base"),
            (*fetch, self._here.url("floor.git"), f"{wanted.ref}:refs/ghost"),
        )
        running = [subprocess.Popen(command, cwd=target, env=sandbox.env) for command in commands]
        assert {process.wait() for process in running} == {0}
        sandbox.git("checkout", "--quiet", "--detach", wanted.base, cwd=target)
        patch = sandbox.git("cat-file", "blob", "refs/ghost:local-mod.patch", cwd=target)
        sandbox.git("apply", "--whitespace=nowarn", cwd=target, stdin=patch)

    def _v01(self) -> None:
        sandbox, target, wanted = self._here.sandbox, self._target, self._wanted
        sandbox.git("clone", "--quiet", self._here.source, target)
        sandbox.git("checkout", "--quiet", "--detach", wanted.base, cwd=target)
        self._here.run_v01(self._programs, "pull", "diff", "HEAD", wanted.hash, cwd=target)


def _race_pulls(bench: Bench, here: Place, rounds: int, v01_rounds: int) -> Times:
    laptop = here.laptop()
    wanted = _push_one(here, laptop, bench.programs)
    pulling = _Pulling(here, laptop.path, wanted, bench.programs)
    return race(pulling.contenders(v01_rounds), bench.rounds(rounds))


class _Pulling:
    def __init__(self, here: Place, path: Path, wanted: Wanted, programs: Programs) -> None:
        self._here = here
        self._path = path
        self._wanted = wanted
        self._programs = programs

    def contenders(self, v01_rounds: int) -> list[Contender]:
        v01 = self._programs.v01_name
        return [
            Contender(OURS, self._ours, self._prepare),
            Contender(FLOOR, self._floor, self._prepare),
            Contender(v01, self._v01, self._prepare, v01_rounds),
        ]

    def _prepare(self) -> None:
        """Go back to the base commit, as if nothing had ever been pulled here."""
        sandbox, path = self._here.sandbox, self._path
        sandbox.git("reset", "--quiet", "--hard", self._wanted.base, cwd=path)
        sandbox.git("clean", "--quiet", "-d", "--force", cwd=path)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path / ".git/git-ghost")
        settle(sandbox, path)

    def _ours(self) -> None:
        env = ghost_env(self._here.url("ours.git"))
        command = (*self._programs.ours, "pull", self._wanted.hash)
        self._here.sandbox.run(*command, cwd=self._path, env=env).ok()
        assert (self._path / "notes.md").exists()

    def _v01(self) -> None:
        words = ("pull", "diff", "HEAD", self._wanted.hash)
        self._here.run_v01(self._programs, *words, cwd=self._path)
        assert (self._path / "notes.md").exists()

    def _floor(self) -> None:
        sandbox, path = self._here.sandbox, self._path
        fetch = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head")
        url = self._here.url("floor.git")
        sandbox.git(*fetch, url, f"+{self._wanted.ref}:refs/ghost", cwd=path)
        patch = sandbox.git("cat-file", "blob", "refs/ghost:local-mod.patch", cwd=path)
        sandbox.git("apply", "--whitespace=nowarn", cwd=path, stdin=patch)
        assert (path / "notes.md").exists()
