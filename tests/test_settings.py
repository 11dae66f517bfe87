"""Settings: flag, then environment, then git config, then default."""

from __future__ import annotations

import os
import stat
from io import BytesIO
from pathlib import Path

import pytest

from git_ghost import Options, clone, delete, diff, list_ghosts, pull, push, show
from git_ghost.errors import GhostError, NoSuchGhost, UsageError
from git_ghost.gitconfig import GitConfig, parse_bool, parse_size
from git_ghost.settings import Settings, default_repository
from git_ghost.urls import is_local, locate
from tests.support.lab import Lab
from tests.support.sandbox import Sandbox


def config(**values: str) -> GitConfig:
    return GitConfig({f"ghost.{name}": (value,) for name, value in values.items()})


# Values


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("512", 512),
        ("10k", 10 << 10),
        ("10K", 10 << 10),
        ("25m", 25 << 20),
        ("1g", 1 << 30),
        ("1GiB", 1 << 30),
        (" 3M ", 3 << 20),
    ],
)
def test_a_size_has_git_s_suffixes(text: str, size: int) -> None:
    assert parse_size(text, "ghost.maxSize") == size


@pytest.mark.parametrize("text", ["", "m", "-1", "1.5m", "10t", "ten", "1 0"])
def test_a_size_that_is_none_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(UsageError, match=r"ghost\.maxSize"):
        parse_size(text, "ghost.maxSize")


@pytest.mark.parametrize("text", ["true", "yes", "on", "1", "True", "2", "-1", "false", "no", "OFF",
                                  "0", ""])  # fmt: skip
def test_a_boolean_is_what_git_takes_it_for(text: str, sandbox: Sandbox) -> None:
    options = ("-c", f"ghost.untracked={text}", "config", "--type=bool", "ghost.untracked")
    assert parse_bool(text, "x") == (sandbox.text(*options) == "true")


def test_a_boolean_that_is_none_is_refused_by_its_name() -> None:
    with pytest.raises(UsageError, match=r"ghost\.untracked is 'maybe'"):
        parse_bool("maybe", "ghost.untracked")


def test_git_s_listing_is_read_as_git_reads_its_files(sandbox: Sandbox) -> None:
    path = sandbox.repo("r")
    with (path / ".git/config").open("a") as file:
        file.write('[ghost]\n\tuntracked\n\trepo = one\n\trepo = "two\\nlines"\n\tprefix =\n')
        file.write(
            '[remote "B"]\n\turl = /b\n[remote "a.url"]\n\turl = /a\n[remote "c"]\n\tpush=x\n'
        )
    found = GitConfig.parse(sandbox.git("config", "--list", "-z", cwd=path))
    assert found.get("ghost.untracked") == "true"
    assert found.get("ghost.repo") == "two\nlines"
    assert found.values["ghost.repo"] == ("one", "two\nlines")
    assert found.get("ghost.prefix", "x") == ""
    assert found.get("ghost.none", "x") == "x"
    assert found.remotes() == ("B", "a.url")


# Precedence


def test_flag_then_environment_then_config_then_default() -> None:
    flags, environ = {"repo": "/flag", "prefix": "flag"}, {"GIT_GHOST_REPO": "/env"}
    environ["GIT_GHOST_PREFIX"] = "env"
    configured = config(repo="/config", prefix="config")
    found = [
        Settings.resolve(flags, environ, configured),
        Settings.resolve({"repo": None}, environ, configured),
        Settings.resolve({}, {"GIT_GHOST_PREFIX": ""}, configured),
        Settings.resolve({}, {}, GitConfig()),
    ]
    assert [s.repo for s in found] == ["/flag", "/env", "/config", ""]
    assert [s.prefix for s in found] == ["flag", "env", "config", "ghost"]


@pytest.mark.parametrize("variable", ["GIT_GHOST_REPO", "GIT_GHOST_SOURCE"])
def test_a_variable_that_is_set_but_empty_is_an_error_unless_an_option_goes_before(
    lab: Lab, variable: str
) -> None:
    said = lab.ghost("list", env={variable: ""}).fails(2)
    assert f"error: {variable} is set, but empty\n" in said
    assert f"unset {variable}" in said
    done = lab.ghost("pull", "a" * 40, "--ghost-repo", lab.ghost_url, "--source", lab.source_url,
                     env={variable: ""})  # fmt: skip
    assert "there is no ghost" in done.fails(3)


def test_an_empty_place_on_the_command_line_is_an_error_too(lab: Lab) -> None:
    for option in ("--ghost-repo=", "--source="):
        said = lab.ghost("pull", option, "a" * 40).fails(2)
        assert option[:-1] in said
        assert "it is empty. Is a variable not set?" in said
    assert lab.ghost("list", "--ghost-prefix", "", env={"GIT_GHOST_PREFIX": ""}).code == 0


def test_the_library_takes_every_setting_by_its_name(lab: Lab) -> None:
    left = Options(lab.laptop, repo=lab.ghost_url, settings={"untracked": "false"})
    lab.write("new", b"n\n")
    assert push(left, dry_run=True).untracked == ()
    with pytest.raises(UsageError, match="there is no setting 'untracket'"):
        push(Options(lab.laptop, settings={"untracket": "false"}))


def test_doctor_names_settings_that_there_are_not(lab: Lab) -> None:
    for name in ("ghost.imgae", "ghost.maxFilesSize", "ghost.zzzzzz", "ghost.prefix"):
        lab.sandbox.config(name, "ghost")
    told = " ".join(lab.ghost("doctor").out.decode().split())
    for name, near in (("imgae", "image"), ("maxfilessize", "maxFileSize")):
        at = f"warn settings git config has ghost.{name}, which is not a setting"
        assert f"{at} Is ghost.{near} meant?" in told
    assert "git config has ghost.zzzzzz, which is not a setting" in told
    assert told.count("meant?") == 2
    assert "ghost.prefix" not in told


def test_the_source_has_the_same_precedence() -> None:
    environ = {"GIT_GHOST_SOURCE": "/env"}
    assert Settings.resolve({"source": "/f"}, environ, config(source="/c")).source == "/f"
    assert Settings.resolve({}, environ, config(source="/c")).source == "/env"
    assert Settings.resolve({}, {}, config(source="/c")).source == "/c"


def test_everything_else_comes_from_git_config() -> None:
    found = Settings.resolve(
        {}, {}, config(untracked="no", maxsize="1k", maxfilesize="2k", remote="up")
    )
    assert (found.untracked, found.max_size, found.max_file_size) == (False, 1024, 2048)
    assert found.remote == "up"
    assert Settings.resolve({}, {}, GitConfig()).untracked
    assert Settings.resolve({}, {}, GitConfig()).max_file_size == 25 << 20


def test_an_empty_untracked_is_false_as_in_git() -> None:
    assert not Settings.resolve({}, {}, config(untracked="")).untracked


@pytest.mark.parametrize(
    ("name", "value"),
    [("prefix", "-x"), ("untracked", "maybe"), ("maxsize", "huge"), ("maxfilesize", "x"),
     ("repo", "-x"), ("source", "--upload-pack=x")],
)  # fmt: skip
def test_a_setting_that_cannot_be_is_refused_by_name_or_value(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=value):
        Settings.resolve({}, {}, config(**{name: value}))


def test_a_relative_path_starts_where_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    both = config(repo="../ghosts", source="src.git")
    from_config = Settings.resolve({}, {}, both, "/srv/top")
    assert (from_config.repo, from_config.source) == ("/srv/ghosts", "/srv/top/src.git")
    flag_and_config = Settings.resolve({"source": "src.git"}, {}, both, "/srv/top")
    assert flag_and_config.repo == "/srv/ghosts"
    assert flag_and_config.source == str(tmp_path / "src.git")
    from_env = Settings.resolve({}, {"GIT_GHOST_REPO": "./g"}, both, "/srv/top")
    assert (from_env.repo, from_env.source) == (str(tmp_path / "g"), "/srv/top/src.git")


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert locate("~/ghosts", "/x") == "/home/ada/ghosts"
    assert Settings.resolve({}, {}, config(repo="~/g"), "/top").repo == "/home/ada/g"


@pytest.mark.parametrize(
    ("url", "local"),
    [("/a/b", True), ("a", True), ("./a:b", True), ("a/b:c", True), ("host:a/b", False),
     ("git@host:a", False), ("https://h/a", False), ("file:///a", False), ("ext::sh", False),
     ("codecommit::eu://x", False)],
)  # fmt: skip
def test_a_path_is_told_from_a_url_as_git_does(url: str, local: bool) -> None:
    assert is_local(url) is local
    assert (locate(url, "/base") == url) is (not local or url.startswith("/"))


def test_a_url_that_begins_with_a_dash_is_refused() -> None:
    with pytest.raises(UsageError, match="dash"):
        locate("--upload-pack=evil", "/")


def test_the_library_reads_no_setting_from_the_environment(
    in_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(in_sandbox)
    monkeypatch.setenv("GIT_GHOST_REPO", "/nowhere")
    monkeypatch.setenv("GIT_GHOST_PREFIX", "elsewhere")
    pushed = push(Options(directory=lab.laptop, repo=lab.ghost_url))
    assert pushed.repo == lab.ghost_url
    assert lab.ghost_refs()[0].startswith("refs/heads/ghost/")
    handed = {"GIT_GHOST_REPO": lab.ghost_url, "GIT_GHOST_PREFIX": "env"}
    push(Options(directory=lab.laptop, environ=handed))
    assert lab.ghost_refs()[0].startswith("refs/heads/env/")


def test_settings_of_the_repository_are_found_from_a_subfolder(in_sandbox: Sandbox) -> None:
    lab = Lab(in_sandbox)
    in_sandbox.git("config", "ghost.repo", "../ghosts.git", cwd=lab.laptop)
    in_sandbox.git("config", "ghost.prefix", "mine", cwd=lab.laptop)
    push(Options(directory=lab.laptop / "src"))
    assert lab.ghost_refs()[0].startswith("refs/heads/mine/")


# The embedded default


def test_the_default_is_below_the_data_home_one_for_each_object_format() -> None:
    assert default_repository("sha1", {"XDG_DATA_HOME": "/d"}) == "/d/git-ghost/ghosts.git"
    assert default_repository("sha256", {"XDG_DATA_HOME": "/d"}) == "/d/git-ghost/ghosts-sha256.git"
    home = os.path.expanduser("~")  # noqa: PTH111 - what git would expand
    for environ in ({}, {"XDG_DATA_HOME": ""}, {"XDG_DATA_HOME": "relative"}):
        assert default_repository("sha1", environ) == f"{home}/.local/share/git-ghost/ghosts.git"


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_everything_works_on_one_machine_without_any_set_up(
    in_sandbox: Sandbox, object_format: str
) -> None:
    lab = Lab(in_sandbox, object_format)
    options = Options(directory=lab.laptop)
    assert list_ghosts(options) == []
    with pytest.raises(NoSuchGhost, match="no ghost was ever stored"):
        show("a" * len(lab.head()), options, out=BytesIO())
    base = lab.head()
    lab.write("foo", b"b\n")
    lab.commit("Local")
    lab.write("foo", b"c\n")

    pushed = push(options)
    assert pushed.made_repository
    assert not push(options).made_repository
    store = Path(pushed.repo)
    assert store.parent == in_sandbox.home / ".local/share/git-ghost"
    assert stat.S_IMODE(store.parent.stat().st_mode) == 0o700
    assert pushed.hash == lab.tree_of()

    out = BytesIO()
    show(pushed.hash, options, out=out)
    assert out.getvalue() == diff(None, None, options)
    assert [g.ghost.to for g in list_ghosts(options)] == [pushed.hash]
    fresh = lab.fresh_clone("fresh")
    assert pull(pushed.hash, Options(directory=fresh)).tree == pushed.hash
    assert lab.tree_of(fresh) == pushed.hash
    cloned = clone(pushed.hash, str(in_sandbox.root / "pod"))
    assert lab.tree_of(Path(cloned.directory)) == pushed.hash
    gone = delete(options, what="all", start="*", to="*")
    assert [g.ghost.base for g in gone] == [base, pushed.head]
    assert list_ghosts(options, what="all") == []


def test_a_default_that_cannot_be_made_is_said(in_sandbox: Sandbox) -> None:
    lab = Lab(in_sandbox)
    Path(in_sandbox.env["XDG_DATA_HOME"]).rmdir()
    Path(in_sandbox.env["XDG_DATA_HOME"]).touch()
    with pytest.raises(GhostError, match="cannot be made") as caught:
        push(Options(directory=lab.laptop))
    assert "ghost.repo" in caught.value.hint


def test_a_dry_run_does_not_make_the_default(in_sandbox: Sandbox) -> None:
    lab = Lab(in_sandbox)
    pushed = push(Options(directory=lab.laptop), dry_run=True)
    assert not pushed.made_repository
    assert not Path(pushed.repo).parent.exists()
