"""Completion in real shells: what stands at an argument comes from its type."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import click
import pytest

from git_ghost.cli.commands import completion
from git_ghost.cli.main import COMMANDS, cli
from git_ghost.cli.types import Word
from tests.support.lab import Lab

ROOT = click.Context(cli, info_name="git ghost")
SECONDS = 60
"""Longer than any shell takes, so that a test that fails ends."""


@pytest.mark.parametrize("name", [*COMMANDS, "_complete-hashes"])
def test_every_argument_says_what_completes_it(name: str) -> None:
    command = cli.get_command(ROOT, name)
    assert command is not None
    for param in command.params:
        taking = not isinstance(param, click.Option) or not (param.is_flag or param.count)
        known = (Word, click.Choice, click.IntRange, click.types.FuncParamType)
        assert isinstance(param.type, known) or not taking, (name, param.name)


class Pushed:
    """Two ghosts of a laptop: the first with a message, the second on a local commit."""

    def __init__(self, lab: Lab) -> None:
        self.base = lab.head()
        lab.write("foo", b"b\n")
        self.first = lab.ghost("push", "-m", "Lower the rate: 0.1\nand\tmore").ok().split()[-1]
        self.head = lab.commit("Local")
        lab.write("foo", b"c\n")
        self.second = lab.ghost("push").ok().split()[-1]
        self.ends = {self.first, self.head, self.second}
        self.env = {"GIT_GHOST_REPO": lab.ghost_url}


@pytest.fixture
def pushed(lab: Lab) -> Pushed:
    """Two ghosts."""
    return Pushed(lab)


# --- what the scripts ask ------------------------------------------------------------------------


def test_hashes_come_newest_first_with_date_and_message(lab: Lab, pushed: Pushed) -> None:
    lines = lab.ghost("_complete-hashes", "--about").ok().splitlines()
    found = dict(line.split("\t") for line in lines)
    assert set(found) == pushed.ends
    assert lines[-1].startswith(pushed.first)
    when = r"\d{4}-\d\d-\d\d \d\d:\d\d"
    assert re.fullmatch(f"{when} Lower the rate: 0.1 and more", found[pushed.first])
    assert re.fullmatch(f"{when} main", found[pushed.second])


def test_what_somebody_else_pushed_comes_without(lab: Lab, pushed: Pushed) -> None:
    other = lab.fresh_clone("other")
    lines = lab.ghost("_complete-hashes", "--about", at=other).ok().splitlines()
    assert set(lines) == pushed.ends
    assert set(lab.ghost("_complete-hashes", "--bases").ok().split()) == {pushed.base, pushed.head}


def test_offline_what_was_pushed_from_here_is_offered(lab: Lab, pushed: Pushed) -> None:
    lab.ghost_repo.rename(lab.ghost_repo.with_name("gone"))
    assert set(lab.ghost("_complete-hashes").ok().split()) == pushed.ends
    assert lab.ghost("_complete-hashes", pushed.first[:5]).ok() == pushed.first


def test_the_note_of_what_was_pushed_does_not_grow_for_ever(lab: Lab, pushed: Pushed) -> None:
    note = lab.laptop / ".git/git-ghost/pushed"
    old = f"{pushed.base}\t{'a' * 40}\t1\t{lab.ghost_url}\told\n" * 5000
    note.write_text(old + note.read_text())
    lab.ghost("push").ok()
    assert note.stat().st_size <= 256 << 10
    lab.ghost_repo.rename(lab.ghost_repo.with_name("gone"))
    assert set(lab.ghost("_complete-hashes").ok().split()) == {*pushed.ends, "a" * 40}


def test_what_was_deleted_is_not_offered(lab: Lab, pushed: Pushed) -> None:
    lab.ghost("delete", pushed.first).ok()
    assert pushed.first not in lab.ghost("_complete-hashes").ok()


def test_a_message_is_one_line_without_control_characters(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    lab.ghost("push", "-m", "a\x1b[31mred\x07\u202e").ok()
    (line,) = lab.ghost("_complete-hashes", "--about").ok().splitlines()
    assert line.endswith(r"a\x1b[31mred\x07\u202e")


# --- bash ----------------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_bash_completes_by_the_type_of_the_argument(lab: Lab, pushed: Pushed) -> None:
    script = lab.write("../complete.bash", completion.script("bash").encode())

    def offered(*words: str) -> list[str]:
        call = 'COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _git_ghost_alone'
        code = f'. "$0"; {call}; printf "%s\\n" "${{COMPREPLY[@]}}"'
        argv = ("bash", "--norc", "-c", code, str(script), "git-ghost", *words)
        return lab.sandbox.run(*argv, cwd=lab.laptop, env=pushed.env).ok().split()

    assert set(offered("list", "--from", "")) == {pushed.base, pushed.head}
    assert set(offered("list", "--to", "")) == pushed.ends
    assert offered("clone", "--depth", "3", pushed.first[:6]) == [pushed.first]
    assert offered("clone", pushed.first, "sr") == ["src"]
    assert offered("list", "") == ["diff", "commits", "all"]
    assert offered("run", "-f", "fo") == ["foo"]
    assert offered("inject", pushed.first[:6]) == [pushed.first]


# --- fish ----------------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_completes_by_the_type_of_the_argument(lab: Lab, pushed: Pushed) -> None:
    folder = lab.write("../fish/git-ghost.fish", completion.script("fish").encode()).parent

    def offered(line: str) -> dict[str, str]:
        code = f"set -p fish_complete_path {folder}; complete -C '{line}'"
        out = lab.sandbox.run("fish", "-c", code, cwd=lab.laptop, env=pushed.env).ok()
        return {row.split("\t")[0]: row.partition("\t")[2] for row in out.splitlines()}

    assert set(offered("git-ghost list --from ")) == {pushed.base, pushed.head}
    assert set(offered("git-ghost list --to ")) == pushed.ends
    assert set(offered("git-ghost clone --depth 3 ")) == pushed.ends
    assert set(offered(f"git-ghost clone {pushed.first} s")) == {"src/"}
    assert offered("git-ghost pull ")[pushed.first].endswith(" Lower the rate: 0.1 and more")


# --- zsh -----------------------------------------------------------------------------------------


@contextmanager
def zsh(lab: Lab, pushed: Pushed) -> Iterator[int]:
    """A terminal with an interactive zsh, in which ^G lists the completions and prints OFFERED."""
    folder = lab.write("../zsh/_git-ghost", completion.script("zsh").encode()).parent
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    env = {**lab.sandbox.env, **pushed.env, "TERM": "dumb"}
    shell = subprocess.Popen(
        ["zsh", "-f", "-i"], stdin=terminal, stdout=terminal, stderr=terminal,
        start_new_session=True, cwd=lab.laptop, env=env,
    )  # fmt: skip
    os.close(terminal)
    setup = (
        f"fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -d {folder}/dump",
        "offer() { print OFF''ER:; zle list-choices; zle -R; print OFF''ERED; zle kill-buffer }",
        "PS1=",
        "zle -N offer; bindkey '^G' offer; LISTMAX=9999",
    )
    try:
        os.write(controller, ("; ".join(setup) + "; print REA''DY\n").encode())
        read_until(controller, b"READY")
        yield controller
    finally:
        shell.kill()
        shell.wait()
        os.close(controller)


def read_until(terminal: int, mark: bytes) -> str:
    """What is shown before ``mark``."""
    shown = b""
    while mark not in shown:
        assert select.select([terminal], [], [], SECONDS)[0], shown
        shown += os.read(terminal, 65536)
    return shown.decode().replace("\r", "")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh_completes_by_the_type_of_the_argument(lab: Lab, pushed: Pushed) -> None:
    with zsh(lab, pushed) as terminal:

        def offered(line: str) -> list[str]:
            os.write(terminal, line.encode() + b"\x07")
            shown = read_until(terminal, b"OFFERED").rpartition("OFFER:")[2]
            rows = (row.partition(line)[0].rstrip() for row in shown.splitlines())
            return [row for row in rows if row and row != "OFFERED"]

        assert {row.split()[0] for row in offered("git-ghost pu")} == {"push", "pull"}
        (bases,) = offered("git-ghost list --from ")
        assert set(bases.split()) == {pushed.base, pushed.head}
        kinds, *rows = offered("git-ghost pull ")
        assert set(kinds.split()) == {"all", "commits", "diff"}
        assert set(re.findall(r"\b[0-9a-f]{40}\b", " ".join(rows))) == pushed.ends
        (row,) = (row for row in rows if row.startswith(pushed.first))
        assert row.endswith(" Lower the rate: 0.1 and more")
        assert offered("git-ghost clone --depth 3 abcdef s") == ["src/"]
