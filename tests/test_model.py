"""Ids, names, messages: parsed once; and no password survives."""

from __future__ import annotations

import re
import string
from urllib.parse import quote

import pytest
from hypothesis import given, strategies as st

from git_ghost import errors
from git_ghost.errors import GhostError, UsageError
from git_ghost.model import (
    check_prefix,
    format_of,
    hash_argument,
    is_oid,
    null,
    oid,
)
from git_ghost.store.format import CommitsGhost, DiffGhost, Ghost, Trailers, parse_ref
from git_ghost.urls import redact, redact_text
from tests.support.sandbox import Sandbox

A, B = "a1" * 20, "b2" * 20
LONG = "c3" * 32

ids = st.one_of(
    st.text("0123456789abcdef", min_size=40, max_size=40),
    st.text("0123456789abcdef", min_size=64, max_size=64),
)

# Hashes


@pytest.mark.parametrize("text", [A, LONG, A[:7], f"  {A}\n", A.upper(), f"\t{A[:12]} "])
def test_a_hash_is_a_full_id_or_seven_digits_of_one_whatever_is_around_it(text: str) -> None:
    assert hash_argument(text) == text.strip().lower()


@pytest.mark.parametrize(
    "text",
    ["", " ", A[:6], "main", "HEAD", f"{A} {B}", f"-{A}", "g" * 40, "a" * 65, "１２３４５６７"],
)
def test_anything_else_is_no_hash_and_the_sentence_names_it(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        hash_argument(text)
    assert f"'{text.strip()}'" in caught.value.message


def test_an_object_id_is_complete_and_knows_its_format() -> None:
    assert oid(f"{A}\n".encode()) == A
    assert oid(f" {LONG.upper()} ") == LONG
    assert (format_of(A), format_of(LONG)) == ("sha1", "sha256")
    assert (len(null("sha1")), len(null("sha256"))) == (40, 64)
    assert not is_oid(A + "\n")
    for text in (A[:39], A + "0", "", b"\xff" * 40):
        with pytest.raises(UsageError):
            oid(text)


# Names in the ghost repository


@given(ids, ids, st.sampled_from(["ghost", "a", "team/ada", "x-1.y", "0"]))
def test_a_ghost_s_ref_reads_back_as_the_ghost(start: str, to: str, prefix: str) -> None:
    ghosts: list[Ghost] = [DiffGhost(start, to, prefix), CommitsGhost(start, to, prefix)]
    for ghost in ghosts:
        assert parse_ref(ghost.ref, prefix) == ghost
        assert parse_ref(ghost.ref, "other") is None
        assert ghost.to == to


def test_v01_s_names_are_the_names_here() -> None:
    assert DiffGhost(A, B).ref == f"refs/heads/ghost/{A}/{B}"
    assert CommitsGhost(A, B, "p").ref == f"refs/heads/p/{A}-{B}"


@pytest.mark.parametrize(
    "ref",
    [
        f"refs/heads/{A}/{B}",
        f"refs/heads/ghost/{A}",
        f"refs/heads/ghost/{A}/{B}/more",
        f"refs/heads/ghost/{A}_{B}",
        f"refs/heads/ghost/{A[:39]}/{B}",
        f"refs/heads/ghost/{A}ffff/{B}",
        f"refs/heads/ghost/{A}/{B}\n",
        f"refs/tags/ghost/{A}/{B}",
        "refs/heads/ghost/doctor",
        "refs/heads/main",
        "",
    ],
)
def test_other_refs_are_no_ghosts(ref: str) -> None:
    assert parse_ref(ref, "ghost") is None


@pytest.mark.parametrize("prefix", ["ghost", "ghost2", "Team/ada-1", "a.b", "a_b", "0", "a+b"])
def test_a_prefix_may_be_what_a_branch_name_may_begin_with(prefix: str, sandbox: Sandbox) -> None:
    assert check_prefix(prefix) == prefix
    sandbox.git("check-ref-format", DiffGhost(A, B, prefix).ref)


@pytest.mark.parametrize(
    "prefix",
    ["", "-x", "a b", "a..b", ".a", "a/.b", "a.lock", "a.lock/b", "a/", "/a", "a//b", "a.", "a*",
     "a?b", "a[b", "a:b", "a~1", "a^", "a\\b", "a\n", "a@{1}", "é"],
)  # fmt: skip
def test_a_prefix_that_is_none_is_refused_before_git_sees_it(prefix: str) -> None:
    with pytest.raises(UsageError):
        check_prefix(prefix)


# The message of a ghost commit

one_line = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=30).map(
    str.strip
)
subjects = st.text(st.characters(codec="utf-8", exclude_characters="\0")).map(str.strip)


@st.composite
def trailers(draw: st.DrawFn) -> Trailers:
    trailer_like = st.lists(
        st.sampled_from(
            ["", "Ghost-Tree: " + A, "Ghost-Format: 9", "Signed-off-by: x", "text", "---", "#1"]
        )
    ).map(lambda lines: "\n".join(lines).strip())
    return Trailers(
        tree=draw(st.one_of(st.just(""), ids)),
        base=draw(ids),
        remote_base=draw(st.one_of(st.just(""), ids)),
        source=draw(one_line),
        branch=draw(one_line),
        subject=draw(st.one_of(subjects, trailer_like)),
        format="2",
    )


@given(trailers())
def test_a_message_reads_back_as_what_was_written(written: Trailers) -> None:
    assert Trailers.parse(written.message()) == written


@given(trailers())
def test_a_value_with_line_breaks_cannot_bring_a_trailer_of_its_own(written: Trailers) -> None:
    evil = Trailers(
        base=written.base,
        source=f"x\nGhost-Tree: {A}\r\n\r\nGhost-Tree: {A}",
        branch=f"y\n\nGhost-Format: 2\nGhost-Tree: {A}",
        subject=written.subject,
    )
    assert Trailers.parse(evil.message()).tree == ""


def test_what_v01_wrote_has_no_trailers_whatever_its_words() -> None:
    assert Trailers.parse(b"Create ghost commit").from_v01
    assert Trailers.parse(b"Create ghost commit\n").subject == ""
    assert Trailers.parse(b"a\n\nGhost-Tree: " + A.encode()).from_v01
    assert Trailers.parse(b"").from_v01
    assert Trailers.parse(b"\xff\xfe: \xff\n\n\xff").from_v01
    assert not Trailers.parse(b"x\n\nGhost-Format: 2\n").from_v01


def test_a_nul_in_the_text_becomes_a_space_since_git_would_cut_there() -> None:
    assert b"\0" not in Trailers(subject="a\0b", base=A).message()


def test_git_itself_finds_the_trailers(sandbox: Sandbox) -> None:
    message = Trailers(tree=A, base=B, source="/s", subject="Try\n\nmore words").message()
    found = sandbox.git("interpret-trailers", "--parse", stdin=message).decode()
    assert found.splitlines() == [
        "Ghost-Format: 2",
        f"Ghost-Tree: {A}",
        f"Ghost-Base: {B}",
        "Ghost-Source: /s",
    ]


# No password survives


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host/x.git", "https://host/x.git"),
        ("https://ada@host/x.git", "https://host/x.git"),
        ("https://ada:pw@host:8080/x.git?y#z", "https://host:8080/x.git"),
        ("HTTPS://ada:pw@host/x", "HTTPS://host/x"),
        ("https://ada:p@w@host/x", "https://host/x"),
        ("https://ada:p/w@host/x", "https://host/x"),
        ("https://ada:p#w@host/x", "https://host/x"),
        ("https://ada:1/w@host/x", "https://ada:1/w@host/x"),  # a host, a port and a path
        ("https://host:443/a@b/c", "https://host:443/a@b/c"),
        ("https://[::1]:8080/a@b", "https://[::1]:8080/a@b"),
        ("https://ada:pw@[::1]:8080/x", "https://[::1]:8080/x"),
        ("https://host/a@b", "https://host/a@b"),
        ("ssh://git@host/x", "ssh://git@host/x"),
        ("ssh://git:pw@host:22/x", "ssh://git@host:22/x"),
        ("git+ssh://git:pw@host/x", "git+ssh://git@host/x"),
        ("ssh://:pw@host/x", "ssh://host/x"),
        ("git@host:ghosts.git", "git@host:ghosts.git"),
        ("/srv/a@b/ghosts.git", "/srv/a@b/ghosts.git"),
        ("file:///srv/x@y", "file:///srv/x@y"),
        ("helper::https://ada:pw@host/x", "helper::https://host/x"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_credentials(url: str, shown: str) -> None:
    assert redact(url) == shown
    assert redact_text(f"fatal: '{url}' said no to {url}") == f"fatal: '{shown}' said no to {shown}"


marked = st.text(string.printable.replace("\0", ""), max_size=12)


@given(
    st.sampled_from(["https", "http", "ssh", "ftp", "git+ssh", "x::https"]), marked, marked, marked
)
def test_no_password_survives_whatever_its_characters(
    scheme: str, user: str, before: str, after: str
) -> None:
    user = quote(user, safe="")
    password = f"{before}SECRET{after}"
    assert "SECRET" not in redact(f"{scheme}://{user}:{quote(password, safe='')}@host/x.git")
    assert "SECRET" not in redact_text(f"{scheme}://{user}:{quote(password, safe='')}@host/x.git")
    # Unquoted, as people paste them; but digits and a slash are a port and a path, and what stands
    # between an "@" and a slash is a host.
    port = (before.strip(string.digits) + "x").startswith(tuple("/?#'\"" + string.whitespace))
    if not port and not ("@" in password and set("/?#").intersection(password)):
        assert "SECRET" not in redact(f"{scheme}://{user}:{password}@host/x.git")


@given(st.text())
def test_text_without_urls_stays_as_it_is(text: str) -> None:
    if "://" not in text:
        assert redact_text(text) == redact(text) == text


# Errors


def test_the_error_tree_is_as_its_docstring_draws_it() -> None:
    assert errors.__doc__ is not None
    drawn = {
        name: int(code)
        for name, code in re.findall(r"^[ │├└─]*(\w+) +(\d+)   \w", errors.__doc__, re.MULTILINE)
    }
    classes = {
        name: thing.exit_code
        for name, thing in vars(errors).items()
        if isinstance(thing, type) and issubclass(thing, GhostError)
    }
    assert drawn == classes


def test_a_failed_git_command_names_its_verb_and_what_git_said() -> None:
    failed = errors.GitFailed(["git", "-c", "x=y", "rev-list", "nope"], 128, "fatal: bad\n")
    assert failed.message == "git rev-list failed: fatal: bad"
    assert (failed.status, failed.exit_code) == (128, 1)
    assert errors.GitFailed(["git", "frobnicate"], 3, "").message == "exit status 3"


def test_what_follows_a_question_mark_in_a_web_address_is_not_shown() -> None:
    url = "https://h.example/x.git?private_token=SECRET"
    assert redact(url) == "https://h.example/x.git"
    assert "SECRET" not in redact_text(f"fatal: unable to access '{url}/': no")
    assert redact("/srv/what?/x.git") == "/srv/what?/x.git"
