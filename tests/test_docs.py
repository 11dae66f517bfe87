"""The README and the docs are true: sessions run as printed, tables match, links lead somewhere."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from git_ghost import errors
from git_ghost.cli import failure
from git_ghost.cli.main import COMMANDS
from git_ghost.settings import PODS, TABLE
from git_ghost.store.format import Trailers
from git_ghost.workloads.cluster import follow
from git_ghost.workloads.manifest import Step
from tests.support.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BY_KEY = {row.key: row for row in TABLE}
BASE, HASH = "1" * 40, "2" * 40


@dataclass
class Told:
    """A command of a README session, where it runs, and what it prints."""

    place: str
    command: str
    output: str


def sessions() -> Iterator[Told]:
    """The commands of the README's sessions, in order."""
    for place, block in re.findall(
        r"<!-- session: (\w+) -->\n```console\n(.*?)```", README, re.DOTALL
    ):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield Told(place, command, output)


def test_the_readmes_session_prints_what_it_says(sandbox: Sandbox) -> None:
    source = sandbox.repo("source.git", bare=True)
    laptop = sandbox.root / "laptop"
    sandbox.git("clone", "--quiet", source, laptop)
    (laptop / "foo").write_text("a\n")
    sandbox.git("add", "foo", cwd=laptop)
    sandbox.git("commit", "--quiet", "-m", "Say a", cwd=laptop)
    sandbox.git("push", "--quiet", "origin", "HEAD", cwd=laptop)
    elsewhere = sandbox.root / "elsewhere"
    sandbox.git("clone", "--quiet", source, elsewhere)
    (laptop / "foo").write_text("b\n")
    pod = sandbox.root / "pod"
    pod.mkdir()
    places = {"laptop": laptop, "elsewhere": elsewhere, "pod": pod}
    real: dict[str, str] = {}
    steps = list(sessions())
    assert len(steps) >= 6
    for step in steps:
        command = step.command
        for shown, value in real.items():
            command = command.replace(shown, value)
        out = sandbox.run("sh", "-c", command, cwd=places[step.place])
        assert out.code == 0, out.err
        text = out.out.decode()
        if step.command == "git ghost push":
            base, tree = text.split()
            real.update({BASE: base, HASH: tree})
        for shown, value in real.items():
            text = text.replace(value, shown)
        assert text == step.output, step.command
    assert (pod / "workspace" / "foo").read_text() == "b\n"


def test_the_readmes_command_table_lists_the_commands_there_are() -> None:
    documented = set(re.findall(r"^\| `git ghost ([a-z]+)", README, re.MULTILINE))
    assert documented == set(COMMANDS) - {"help"}


def test_the_readmes_python_example_works(
    sandbox: Sandbox, in_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = sandbox.repo("source.git", bare=True)
    sandbox.repo("ghosts.git", bare=True)
    project = sandbox.root / "project"
    sandbox.git("clone", "--quiet", source, project)
    (project / "foo").write_text("a\n")
    sandbox.git("add", "foo", cwd=project)
    sandbox.git("commit", "--quiet", "-m", "Say a", cwd=project)
    sandbox.git("push", "--quiet", "origin", "HEAD", cwd=project)
    (project / "foo").write_text("b\n")
    monkeypatch.chdir(in_sandbox.root)
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - our own README
    assert (sandbox.root / "workspace" / "foo").read_text() == "b\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_the_pages_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        found = page.parent / name if name else page
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)", found.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in slugs, target


def rows(page: str) -> list[list[str]]:
    """The cells of the rows of a page's tables."""
    lines = (ROOT / page).read_text().splitlines()
    split = (re.split(r"(?<= )\|(?= )", line.strip("|")) for line in lines if line.startswith("| "))
    return [[cell.strip() for cell in row] for row in split]


def test_the_documented_exit_codes_are_those_of_the_table() -> None:
    documented = [row for row in rows("docs/format.md") if re.fullmatch(r"\d[\d, ]*", row[0])]
    assert documented == [[", ".join(map(str, r.codes)), r.meaning] for r in errors.EXIT_CODES]
    known = {str(code) for row in errors.EXIT_CODES for code in row.codes}
    cluster = {row[0] for row in rows("docs/cluster.md") if row[0].isdigit()}
    assert cluster - {str(128 + signal.SIGKILL)} <= known


def test_the_table_has_every_exit_code_there_is() -> None:
    classes = [c for c in vars(errors).values() if isinstance(c, type)]
    tree = {c.exit_code for c in classes if issubclass(c, errors.GhostError)}
    signals = {128 + s for s in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)}
    rest = {0, failure.BUG, follow.NO_CODE, follow.TIMED_OUT}
    codes = [code for row in errors.EXIT_CODES for code in row.codes]
    assert sorted(codes) == sorted(tree | signals | rest)


def test_the_documented_trailers_are_those_that_are_written() -> None:
    text = (ROOT / "docs" / "format.md").read_text()
    documented = set(re.findall(r"^\| `(Ghost-[\w-]+)`", text, re.MULTILINE))
    fields = ("tree", "base", "remote_base", "source", "branch", "submodules")
    message = Trailers(**dict.fromkeys(fields, "x")).message().decode()
    assert documented == set(re.findall(r"^(Ghost-[\w-]+):", message, re.MULTILINE))


def quoted(*names: str) -> str:
    """Names as a table of the documentation has them."""
    return ", ".join(f"`{name}`" for name in names if name)


def test_the_tables_of_settings_are_those_of_the_code() -> None:
    laptop = [row[1:] for row in rows("README.md") if "`ghost." in row[-1]]
    for row in (row for row in TABLE if row.group != PODS):
        assert [quoted(*row.option_names), quoted(row.variable), quoted(row.key)] in laptop
    pods = [row[:2] for row in rows("docs/cluster.md") if row[1].startswith("`ghost.")]
    for row in (row for row in TABLE if row.group == PODS):
        assert [quoted(*row.option_names), quoted(row.key)] in pods
    assert {row[-1] for row in (*laptop, *pods)} <= {quoted(row.key) for row in TABLE}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_pages_speak_of_settings_that_there_are(page: Path) -> None:
    text = page.read_text()
    assert set(re.findall(r"`(ghost\.\w+)`", text)) <= set(BY_KEY)
    named = set(re.findall(r"`(GIT_GHOST_(?!TEST_)\w+)`", text))
    in_pods = set(Step("h", "r", "i", "b", "s", "p").variables)
    assert named <= {s.variable for s in TABLE} | in_pods


def test_the_readmes_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_architecture_page_speaks_of_files_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`((?:\w+/)*\w+(?:/|\.py))`", text))
    assert "usecases/pushing.py" in named
    package = ROOT / "git_ghost"
    assert [
        name for name in sorted(named) if not any((p / name).exists() for p in (package, ROOT))
    ] == []


def test_the_architecture_page_draws_every_layer() -> None:
    picture = (ROOT / "docs" / "architecture.md").read_text().split("```")[1]
    modules = {path.stem for path in (ROOT / "git_ghost").iterdir() if path.stem[:2] != "__"}
    assert [name for name in sorted(modules - {"py"}) if name not in picture] == []
