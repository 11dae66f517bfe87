"""The help of every command as it is: a change of it is seen in review (`make golden`)."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from git_ghost.cli.main import COMMANDS, cli
from tests.support import golden

HELP = Path(__file__).parent / "golden" / "help"


def shown(*args: str) -> str:
    """What a call prints where a line has 100 columns."""
    width = 98  # click keeps two of them free
    done = CliRunner().invoke(cli, args, prog_name="git ghost", terminal_width=width)
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_is_the_expected_one(name: str) -> None:
    golden.check(HELP / f"{name}.txt", shown(name, "-h"))


def test_the_help_of_all_is_the_expected_one() -> None:
    golden.check(HELP / "git-ghost.txt", shown("-h"))


def test_help_is_expected_of_nothing_but_the_commands() -> None:
    assert {path.stem for path in HELP.iterdir()} == {"git-ghost", *COMMANDS}
