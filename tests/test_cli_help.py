"""Help, man page and completions: made from the commands, so all of them are in each."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import click
import pytest

from git_ghost.cli import manpage
from git_ghost.cli.commands import completion
from git_ghost.cli.main import COMMANDS, cli
from git_ghost.errors import EXIT_CODES
from git_ghost.settings import TABLE, Setting
from tests.support.lab import Lab
from tests.support.sandbox import Sandbox

ROOT = click.Context(cli, info_name="git ghost")
GLOBAL = "--ghost-repo --ghost-prefix --remote --src-dir --ghost-working-dir --verbose --quiet"


def found(name: str) -> click.Command:
    """The command of that name."""
    command = cli.get_command(ROOT, name)
    assert command is not None
    return command


def own_options(name: str) -> list[str]:
    """The long options only this command takes."""
    options = (p for p in found(name).params if isinstance(p, click.Option))
    names = [n for p in options for n in (*p.opts, *p.secondary_opts) if n.startswith("--")]
    return [n for n in names if n not in GLOBAL.split()]


# --- help ----------------------------------------------------------------------------------------


def test_the_help_lists_every_command_with_a_whole_sentence(sandbox: Sandbox) -> None:
    done = sandbox.ghost("-h")
    text = done.ok()
    assert done.err == ""
    for name in COMMANDS:
        assert re.search(rf"^  {name} +\w[^\n]*[^.]\.$", text, re.MULTILINE), name
    for option in GLOBAL.split():
        assert option in text
    assert "_complete" not in text
    assert sandbox.ghost("--help").out == sandbox.ghost("help").out == done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_its_options(sandbox: Sandbox, name: str) -> None:
    done = sandbox.ghost(name, "-h")
    text = done.ok()
    assert text.startswith(f"Usage: git ghost {name} [OPTIONS]")
    assert "WORDS" not in text
    assert done.err == ""
    for option in (*own_options(name), *GLOBAL.split(), "--help"):
        assert re.search(rf"{option}\b", text), option
    for param in found(name).params:
        if isinstance(param, click.Option):
            assert param.help, param
            assert param.help.endswith("."), param
    assert sandbox.ghost("help", name).out == done.out
    assert max(map(len, text.splitlines())) <= 80


def test_the_short_help_of_a_form_is_that_of_its_command(sandbox: Sandbox) -> None:
    assert sandbox.ghost("push", "diff", "-h").out == sandbox.ghost("push", "-h").out


def test_the_hidden_command_is_hidden() -> None:
    assert "_complete-hashes" not in cli.list_commands(ROOT)
    assert found("_complete-hashes").hidden


# --- man page ------------------------------------------------------------------------------------


def plain(roff: str) -> str:
    """A man page's source without its fonts and escapes, lines joined."""
    text = re.sub(r"\\f[BIR]", "", roff).replace("\\-", "-").replace("\\(aq", "'")
    return text.replace("\\e", "\\").replace("\\&", "")


def test_the_man_page_has_every_command_option_setting_variable_and_exit_code() -> None:
    page = plain(manpage.render())
    sections = re.findall(r"^\.SH (.*)$", page, re.MULTILINE)
    assert sections == [
        *("NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "CONFIGURATION"),
        *("ENVIRONMENT", "EXIT STATUS", "EXAMPLES", "SEE ALSO"),
    ]
    for name in COMMANDS:
        part = re.search(rf"^\.SS {name}\n(.*?)^\.S[SH] ", page, re.MULTILINE | re.DOTALL)
        assert part, name
        for option in own_options(name):
            assert option in part[1], (name, option)
        assert f"git ghost {name} [" in page
    for entry in (
        *GLOBAL.split(),
        *(row.key for row in TABLE),
        *(row.variable for row in TABLE if row.variable),
        *("XDG_DATA_HOME", "NO_COLOR"),
        *(", ".join(map(str, row.codes)) for row in EXIT_CODES),
    ):
        assert re.search(rf"^\.TP\n([^\n]*, )?{entry}", page, re.MULTILINE), entry


@pytest.mark.parametrize("row", [row for row in TABLE if row.flags], ids=lambda row: row.name)
def test_the_option_of_a_setting_says_where_else_it_is_read(row: Setting[Any]) -> None:
    texts = [
        param.help or ""
        for name in COMMANDS
        for param in found(name).params
        if isinstance(param, click.Option) and param.name == row.name
        if set(param.opts) <= set(row.option_names)
    ]
    assert texts
    for text in texts:
        assert f"config: {row.key}" in text
        assert (f"env: {row.variable}" in text) is bool(row.variable)


def test_no_line_of_the_man_page_is_taken_for_a_request_by_mistake() -> None:
    known = "TH SH SS PP TP RS RE EX EE nf fi nr ad".split()
    for line in manpage.render().splitlines():
        if line.startswith((".", "'")):
            assert line[1:].split()[0] in known, line
    assert manpage.render().isascii()


def test_the_man_page_is_the_same_every_time() -> None:
    assert manpage.render() == manpage.render()


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_groff_has_nothing_against_the_man_page() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww"],
        input=manpage.render().encode(),
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    assert b"git-ghost - send the exact state" in re.sub(rb"\x1b\[\d*m", b"", done.stdout)


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
def test_git_opens_the_man_page_for_help(sandbox: Sandbox) -> None:
    place = sandbox.root / "share/man/man1"
    place.mkdir(parents=True)
    (place / "git-ghost.1").write_text(manpage.render())
    env = {"MANPATH": str(place.parent), "MANPAGER": "cat", "MANWIDTH": "80"}
    shown = sandbox.run("git", "ghost", "--help", env=env).ok()
    if "minimized" in shown:
        pytest.skip("man pages are taken out of this system")
    assert "GIT-GHOST(1)" in shown


# --- completions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_a_completion_script_has_every_command_and_option(sandbox: Sandbox, shell: str) -> None:
    text = sandbox.ghost("completion", shell).out.decode()
    assert text == completion.script(shell)
    for name in COMMANDS:
        assert name in text
        for option in own_options(name):
            assert (f"-l {option[2:]} " if shell == "fish" else option) in text, option


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_a_completion_script_is_well_formed(shell: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "script"
    script.write_text(completion.script(shell))
    done = subprocess.run([shell, "-n", script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.fixture
def pushed(lab: Lab) -> str:
    """The hash of a ghost."""
    lab.write("foo", b"b\n")
    lab.write("new", b"n\n")
    return lab.ghost("push").ok().split()[-1]


def complete_in_bash(lab: Lab, *words: str, through_git: bool = False) -> list[str]:
    """What bash offers for the last of these words."""
    script = lab.write("../complete.bash", completion.script("bash").encode())
    if through_git:  # as git's completion calls it: with these four variables set
        call = 'words=(git ghost); words+=("${@:2}"); cword=$#; cur=${words[cword]};'
        call += "prev=${words[cword-1]}; _git_ghost"
    else:
        call = 'COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _git_ghost_alone'
    code = f'. "$0"; {call}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    argv = ("bash", "--norc", "-c", code, str(script), "git-ghost", *words)
    env = {"GIT_GHOST_REPO": lab.ghost_url}
    return lab.sandbox.run(*argv, cwd=lab.laptop, env=env).ok().split()


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@pytest.mark.parametrize("through_git", [False, True], ids=["git-ghost", "git ghost"])
def test_bash_completes(lab: Lab, pushed: str, through_git: bool) -> None:
    def offered(*words: str) -> list[str]:
        return complete_in_bash(lab, *words, through_git=through_git)

    assert offered("pu") == ["push", "pull"]
    assert offered("") == list(COMMANDS)
    assert offered("pull", "") == ["diff", "commits", "all", pushed]
    assert offered("pull", pushed[:5]) == [pushed]
    assert offered("--ghost-repo", "nowhere", "pull", pushed[:5]) == []
    assert offered("-v", "pull", "--force", pushed[:5]) == [pushed]
    assert offered("push", "ma") == ["main"]
    assert offered("push", "--fo") == ["--follow-symlinks"]
    assert offered("push", "--without", "") == ["nested", "submodules", "lfs"]
    assert offered("push", "-I", "n") == ["new"]
    assert offered("push", "-m", "") == []
    assert offered("list", "--no") == ["--no-headers"]
    assert offered("list", "-o", "only-f") == ["only-from"]
    assert offered("--src-dir", "sr") == ["src"]
    assert offered("completion", "z") == ["zsh"]
    assert offered("help", "cl") == ["clone"]


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_completes(lab: Lab, pushed: str) -> None:
    folder = lab.write("../fish/git-ghost.fish", completion.script("fish").encode()).parent

    def offered(line: str) -> list[str]:
        code = f"set -p fish_complete_path {folder}; complete -C '{line}'"
        env = {"GIT_GHOST_REPO": lab.ghost_url}
        out = lab.sandbox.run("fish", "-c", code, cwd=lab.laptop, env=env).ok()
        return [row.split("\t")[0] for row in out.splitlines()]

    assert set(offered("git-ghost pu")) == {"push", "pull"}
    assert set(offered("git-ghost pull ")) == {"diff", "commits", "all", pushed}
    assert offered(f"git-ghost --ghost-prefix other pull {pushed[:5]}") == []
    assert offered("git-ghost push --fo") == ["--follow-symlinks"]
    assert set(offered("git-ghost list -o ")) == {"only-from", "only-to"}


def test_the_hashes_for_completion_are_silent_on_failure(lab: Lab, pushed: str) -> None:
    assert lab.ghost("_complete-hashes").ok() == pushed
    assert lab.ghost("_complete-hashes", "--", pushed[:4]).ok() == pushed
    assert lab.ghost("_complete-hashes", "--", "-x").ok() == ""
    for repo in ("nowhere", "http://127.0.0.1:1/x", "-dash"):
        done = lab.ghost("_complete-hashes", f"--ghost-repo={repo}")
        assert (done.code, done.out, done.err) == (0, b"", "")


@pytest.mark.slow
def test_the_hashes_for_completion_do_not_wait_for_long(lab: Lab) -> None:
    start = time.monotonic()
    env = {"GIT_SSH_COMMAND": "exec sleep 30 #", "GIT_GHOST_REPO": "ssh://host/x"}
    done = lab.ghost("_complete-hashes", env=env)
    assert (done.code, done.out, done.err) == (0, b"", "")
    assert time.monotonic() - start < 20
