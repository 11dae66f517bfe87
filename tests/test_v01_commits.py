"""Commits ghosts of v0.1: what `git log` writes, and what can be had back from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from git_ghost.errors import VerificationFailed
from git_ghost.model import Oid
from git_ghost.quarantine import quarantine
from git_ghost.repository import open_repository
from git_ghost.v01 import commits as v01_commits
from tests.support.sandbox import Sandbox

LOG = ("log", "-p", "--reverse", "--pretty=email", "--stat", "-m", "--first-parent", "--binary")
"""The command of v0.1."""

ADA = b"Ada Ghost <ada@example.com>"
LATER = ADA + b" 1800000000 +0000"
"""A committer other than the author: what `git commit --amend` and `git rebase` leave behind."""

Files = dict[str, bytes | None]


@dataclass(frozen=True)
class Rebuilt:
    """The commits made again: id, tree and message of each."""

    ids: list[str]
    trees: list[str]
    messages: list[bytes]


class Workshop:
    """A repository whose commits are made byte for byte, sent as text, and made again."""

    def __init__(self, sandbox: Sandbox, object_format: str = "sha1") -> None:
        """Make it, with one commit."""
        self.sandbox = sandbox
        self.path = sandbox.repo("workshop", object_format)
        self.head = ""
        self.base = self.commit(b"Base\n", {"kept": b"1\n2\n3\n", "text": b"a\nb\nc\n"})

    def git(self, *args: str, stdin: bytes | None = None) -> bytes:
        """Run git in it."""
        return self.sandbox.git(*args, cwd=self.path, stdin=stdin)

    def text(self, *args: str) -> str:
        """Run git in it and return its output as text."""
        return self.git(*args).decode().strip()

    def commit(
        self,
        message: bytes = b"Change\n",
        files: Files | None = None,
        *,
        author: bytes = ADA + b" 1700000000 +0100",
        committer: bytes = b"",
        extra: bytes = b"",
        parents: tuple[str, ...] = (),
    ) -> str:
        """Commit a change of `files` (None: remove), or the index as it is; return the id."""
        for name, content in (files or {}).items():
            (self.path / name).unlink(missing_ok=True)
            if content is not None:
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
                (self.path / name).write_bytes(content)
        if files:
            self.git("add", "--all")
        lines = [b"tree " + self.git("write-tree").strip()]
        lines += [b"parent " + p.encode() for p in (parents or (self.head,)) if p]
        lines += [b"author " + author, b"committer " + (committer or author)]
        raw = b"\n".join(lines) + b"\n" + extra + b"\n" + message
        made = self.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=raw)
        self.head = made.decode().strip()
        return self.head

    def go_to(self, commit: str) -> None:
        """Go back to a commit, with index and working tree."""
        self.git("reset", "--quiet", "--hard", commit)
        self.head = commit

    def sent(self, *config: str, start: str = "") -> bytes:
        """Return what v0.1 would store for the commits since `start`."""
        options = [word for setting in config for word in ("-c", setting)]
        return self.git(*options, *LOG, f"{start or self.base}..{self.head}")

    def rebuild(self, text: bytes | None = None, *, start: str = "", head: str = "") -> Rebuilt:
        """Make the commits again from the text, in a quarantine."""
        base = start or self.base
        text = self.sent(start=base) if text is None else text
        with quarantine(open_repository(str(self.path))) as private:
            made = v01_commits.apply(private, Oid(base), text, head)

            def log(form: str) -> list[bytes]:
                args = ("log", "--reverse", "-z", f"--format={form}", f"{base}..{made}")
                out = self.sandbox.git(*args, cwd=self.path, env=private.env())
                return out.split(b"\0")[:-1] if out else []

            ids, trees = ([one.decode() for one in log(form)] for form in ("%H", "%T"))
            return Rebuilt(ids, trees, log("%B"))

    def originals(self, start: str = "", form: str = "%H") -> list[str]:
        """Return the ids (or trees, `%T`) of the commits since `start`, merged ones left out."""
        span = f"{start or self.base}..{self.head}"
        return self.text("log", "--first-parent", "--reverse", f"--format={form}", span).split()

    def check_exact(self) -> None:
        """See to it that every commit comes back with its id."""
        assert self.rebuild(head=self.head).ids == self.originals()

    def check_trees(self) -> Rebuilt:
        """See to it that there are as many commits as before, with the same trees."""
        rebuilt = self.rebuild(head=self.head)
        assert rebuilt.trees == self.originals(form="%T")
        return rebuilt

    def refused(self, text: bytes | None = None, head: str = "") -> str:
        """See to it that the text is refused, and return why."""
        with pytest.raises(VerificationFailed) as caught:
            self.rebuild(text, head=head)
        assert "\n" not in caught.value.message
        assert caught.value.hint
        return caught.value.message


@pytest.fixture
def workshop(in_sandbox: Sandbox) -> Iterator[Workshop]:
    """Return a repository with one commit."""
    return Workshop(in_sandbox)  # type: ignore[return-value]


def fake_patch(name: str = "kept", old: bytes = b"3", new: bytes = b"4") -> bytes:
    """Return a stat and a patch as git writes them, with made-up ids."""
    where = name.encode()
    return (
        b"---\n %b | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\n" % where
        + b"diff --git a/%b b/%b\nindex 0123456..89abcde 100644\n" % (where, where)
        + b"--- a/%b\n+++ b/%b\n@@ -1,3 +1,3 @@\n 1\n 2\n-%b\n+%b\n" % (where, where, old, new)
    )


def fake_mail(patch: bytes, subject: bytes = b"Quoted") -> bytes:
    """Return a mail as git writes it, with a made-up id."""
    return (
        b"From 1234567890123456789012345678901234567890 Mon Sep 17 00:00:00 2001\n"
        b"From: Bob <bob@example.com>\nDate: Sat, 21 Nov 2020 08:47:55 +0000\n"
        b"Subject: [PATCH] %b\n\n%b" % (subject, patch)
    )


SUBJECTS = [
    b"Plain",
    b"A subject that goes on and on " * 9 + b"to its end",
    b"x" * 300,
    b"x" * 90 + b" and more",
    b"Two  spaces   and " + b"many   words  " * 12 + b"end",
    "Größe ändern: 日本語 ✨".encode(),
    "Größe ändern, ".encode() * 20 + b"end",
    b"=?UTF-8?q?not=20encoded?=",
    "ein_wort_größer = 1?".encode(),
    b"[PATCH] twice",
    b"[wip] not a prefix",
    b"[PATCH 1/2] [RFC] x",
    b"Date: not a header",
    b"a\ttab",
    b"From 1234567890123456789012345678901234567890 Mon Sep 17 00:00:00 2001",
    b"---",
    b"diff --git a/x b/x",
]


def test_subjects_come_back_with_the_commits_ids(workshop: Workshop) -> None:
    for n, subject in enumerate(SUBJECTS):
        workshop.commit(subject + b"\n", {"text": b"%d\n" % n})
        workshop.commit(subject + b"\n\nAnd a body.\n")
    workshop.check_exact()


AUTHORS = [
    b"J\xc3\xbcrgen M\xc3\xbcller <j@example.com> 1700000000 +0200",
    b"A. B. Dot, Jr. <dot@example.com> 1700000000 -0330",
    b'Ada "the \\ Ghost" G <ada@example.com> 1700000000 +1245',
    b"With (a comment) <c@example.com> 1 +0000",
    b"%b <long@example.com> 4000000000 +0000" % (b"Very Long Name " * 12).strip(),
    b"%b <l\xc3\xb6ng@example.com> 951782400 -1100" % ("Längster Name " * 9).strip().encode(),
    b"x <%b@example.com> 1709164800 +0545" % (b"m" * 120),
    b"no-at <nobody> 1700000000 +0000",
    b"Under_Score =?x <u@example.com> 1700000000 +0000",
]


def test_authors_and_time_zones_come_back_with_the_commits_ids(workshop: Workshop) -> None:
    for author in AUTHORS:
        workshop.commit(b"Change\n", {"text": author}, author=author)
    workshop.check_exact()


def test_messages_without_a_last_newline_or_without_a_word_come_back(workshop: Workshop) -> None:
    workshop.commit(b"As web sites write them\n\nNo newline at the end", {"text": b"a\n"})
    workshop.commit(b"No newline", {"text": b"b\n"})
    workshop.commit(b"", {"text": b"c\n"})
    workshop.commit(b"")
    workshop.check_exact()


def test_bytes_that_are_no_utf8_come_back(workshop: Workshop) -> None:
    workshop.commit(b"caf\xe9 and t\xe9\n\nbody \xff\xfe\n", {"text": b"a\n"})
    workshop.check_exact()


def test_a_message_in_another_encoding_comes_back(workshop: Workshop) -> None:
    extra = b"encoding ISO-8859-1\n"
    workshop.commit(b"caf\xe9\n\nbody \xe9\n", {"text": b"a\n"}, extra=extra)
    text = workshop.sent("i18n.commitEncoding=ISO-8859-1")
    assert workshop.rebuild(text, head=workshop.head).ids == [workshop.head]
    assert workshop.check_trees().messages == ["café\n\nbody é\n".encode()]


def test_what_the_text_does_not_say_is_the_same_every_time(workshop: Workshop) -> None:
    """Several lines of a subject become one, and the committer becomes the author."""
    workshop.commit(b"Two\nlines\n\n\n\nbody \n\n", {"text": b"a\n"}, committer=LATER)
    first, second = workshop.check_trees(), workshop.check_trees()
    assert first == second
    assert first.messages == [b"Two lines\n\nbody\n"]
    assert first.ids != workshop.originals()


def test_a_configured_subject_prefix_is_not_part_of_the_message(workshop: Workshop) -> None:
    workshop.commit(b"Change\n", {"text": b"a\n"})
    workshop.commit(b"[wip] more\n", {"text": b"b\n"})
    for prefix in ("RFC PATCH", ""):
        text = workshop.sent(f"format.subjectPrefix={prefix}")
        assert workshop.rebuild(text).ids == workshop.originals()


TRAPS = {
    "dashes": b"one\n---\ntwo\n---\n",
    "stat": b"---\n text | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n",
    "diff": b"diff --git a/kept b/kept\n--- a/kept\n+++ b/kept\n@@ -3 +3 @@\n-3\n+4\n",
    "patch": fake_patch() + b"\nand so on\n",
    "patch at the end": b"as in\n" + fake_patch(),
    "patch at the start": fake_patch()[4:],
    "stat of two, patch of one": fake_patch().replace(b"1 file ", b"2 files "),
    "from": b"From 1234567890123456789012345678901234567890 Mon Sep 17 00:00:00 2001\nFrom: x\n",
    "quoted from": b">From 1234567890123456789012345678901234567890 Mon Sep 17 00:00:00 2001\n",
    "mail": b"Quote:\n\n" + fake_mail(b"body\n"),
    "mail with a patch": b"Quote:\n\n" + fake_mail(b"body\n" + fake_patch()),
    "mail with a patch and more": b"Quote:\n\n" + fake_mail(fake_patch()) + b"\nbye\n",
    "mails": b"Quote:\n\n" + fake_mail(fake_patch()) + b"\n" + fake_mail(fake_patch("text")),
    "signature": fake_patch() + b"--\n2.39.5\n",
    "scissors": b"-- >8 --\nFrom: someone <else@example.com>\nSubject: another\n",
}


def test_what_a_message_says_is_not_taken_for_code(workshop: Workshop) -> None:
    for name, body in TRAPS.items():
        workshop.commit(b"Change\n\n" + body, {"text": name.encode() + b"\n"})
        workshop.commit(b"Nothing\n\n" + body)
    workshop.check_exact()


def test_nor_when_the_commits_were_amended(workshop: Workshop) -> None:
    messages = [b"Say\n\n" + body for name, body in TRAPS.items() if not name.startswith("mail")]
    for n, message in enumerate(messages):
        workshop.commit(message, {"text": b"%d\n" % n}, committer=LATER)
    rebuilt = workshop.check_trees()
    assert rebuilt.messages == messages
    assert set(rebuilt.ids).isdisjoint(workshop.originals())


def real_patch(workshop: Workshop, files: Files) -> bytes:
    """Return the stat and patch, ids and all, of a change that is not committed."""
    kept = workshop.head
    made = workshop.commit(b"Aside\n", files)
    text = workshop.git(*LOG, f"{kept}..{made}")
    workshop.go_to(kept)
    return text[text.index(b"---\n") :]


def test_a_real_patch_in_a_message_is_not_applied(workshop: Workshop) -> None:
    """Where it stands in a proven commit it does not matter that it would fit."""
    patch = real_patch(workshop, {"kept": b"1\n2\n4\n"})
    workshop.commit(b"Change\n\n" + patch, {"text": b"b\n"})
    workshop.commit(b"Nothing\n\n" + patch)
    workshop.commit(b"Mails\n\n" + fake_mail(patch) + b"\n" + fake_mail(patch), {"text": b"c\n"})
    workshop.check_exact()


def test_an_empty_commit_whose_message_is_whole_mails_is_proven_too(workshop: Workshop) -> None:
    patch = real_patch(workshop, {"kept": b"1\n2\n4\n"})
    workshop.commit(b"Nothing\n\nbut\n\n" + fake_mail(patch))
    workshop.check_exact()


def test_mails_quoted_in_an_amended_commit_are_refused_where_they_may_be_commits(
    workshop: Workshop,
) -> None:
    patch = real_patch(workshop, {"kept": b"1\n2\n4\n"})
    message = b"Quote\n\n" + fake_mail(patch)
    workshop.commit(message, {"text": b"b\n"}, committer=LATER)
    # One of them does no harm: its patch is followed by another, and so part of a message.
    assert workshop.rebuild().trees[-1] == workshop.originals(form="%T")[-1]
    workshop.go_to(workshop.base)
    workshop.commit(message + b"\n" + fake_mail(fake_patch()), {"text": b"b\n"}, committer=LATER)
    assert "which one is code is not certain" in workshop.refused()


def test_two_ways_to_read_a_patch_are_refused(workshop: Workshop) -> None:
    """The hunk that ends the message swallows the stat after it, and all ids are right."""
    rest = b"text | 2 +-\n1 file changed, 1 insertion(+), 1 deletion(-)\n\n"
    files: Files = {"bait": b"--\n" + rest, "text": b"b\n"}
    start = workshop.commit(b"Bait\n", files, committer=LATER)
    blobs = [
        workshop.git("hash-object", "--stdin", stdin=content).strip()
        for content in (b"--\n" + rest, rest)
    ]
    message = (
        b"Change\n\n---\n bait | 1 -\n text | 2 +-\n"
        b" 2 files changed, 1 insertion(+), 2 deletions(-)\n\n"
        b"diff --git a/bait b/bait\nindex %b..%b 100644\n--- a/bait\n+++ b/bait\n"
        b"@@ -1,4 +1,3 @@\n" % tuple(blobs)
    )
    workshop.commit(message, {"text": b"c\n"}, committer=LATER)
    text = workshop.sent(start=start)
    with pytest.raises(VerificationFailed, match="which one is code is not certain"):
        workshop.rebuild(text, start=start)
    workshop.go_to(start)
    workshop.commit(message, {"text": b"c\n"})
    assert workshop.rebuild(workshop.sent(start=start), start=start).ids == [workshop.head]


def test_every_kind_of_change_comes_back(workshop: Workshop) -> None:
    steps: list[Files] = [
        {"crlf": b"one\r\ntwo\r\n", "mixed": b"a\r\nb\nc\r", "no newline": b"end"},
        {"crlf": b"one\r\ntwo\n", "mixed": b"a\nb\r\nc", "no newline": b"end\n"},
        {"binary": bytes(range(256)) * 9, "empty": b"", "dir/sub/file": b"x\n"},
        {"binary": bytes(range(255, -1, -1)) * 9, "empty": None, "dir/sub/file": None},
        {"binary": None, "trailing": b"space \t\n\n\n \n", "--\n": b"-- \n--\n---\n"},
        {"trailing": b"space\n \n\n", "--\n": b"---\n| 1\n", 'q"uo\\te': b"", "ünï": b"\xff\n"},
        {'q"uo\\te': None, "tab\tname": b"x", " lead": b"x", "a b/c": b"From \n", "a b c": b""},
        {"From x": b"From 1234 Mon Sep 17 00:00:00 2001\n+++ b/x\n@@ -1 +1 @@\n"},
    ]
    for files in steps:
        workshop.commit(b"Change\n", files)
    workshop.git("mv", "text", "moved")
    workshop.git("update-index", "--chmod=+x", "kept")
    workshop.commit(b"Move and mode\n")
    (workshop.path / "kept").unlink()
    (workshop.path / "kept").symlink_to("no where")
    workshop.commit(b"File to link\n", {"moved": b"a\nb\nchanged\n"})
    (workshop.path / "moved").unlink()
    workshop.commit(b"File to folder\n", {"moved/file": b"a\nb\nchanged\n", "kept": b"link\n"})
    gitlink = ("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    workshop.git(*gitlink)
    workshop.commit(b"Submodule\n")
    workshop.git(*gitlink[:-1], f"160000,{'2' * 40},module")
    workshop.commit(b"Submodule on\n")
    workshop.check_exact()
    for setting in (
        ("diff.renames=copies", "core.abbrev=4", "core.quotePath=false", "diff.context=9"),
        ("diff.renames=false", "core.abbrev=40", "diff.suppressBlankEmpty=true"),
    ):
        assert workshop.rebuild(workshop.sent(*setting)).ids == workshop.originals(), setting


def test_merges_and_empty_commits_come_back_as_plain_commits(workshop: Workshop) -> None:
    fork = workshop.commit(b"Fork\n", {"text": b"fork\n"})
    side = workshop.commit(b"Side\n", {"side": b"side\n"})
    workshop.go_to(fork)
    workshop.commit(b"Empty\n\nbut a body\n")
    workshop.commit(b"Merge with\n", {"side": b"side\n"}, parents=(workshop.head, side))
    workshop.commit(b"Merge of nothing\n", parents=(workshop.head, side))
    workshop.commit(b"Empty\n")
    rebuilt = workshop.check_trees()
    assert rebuilt.ids[:2] == workshop.originals()[:2]
    assert len(rebuilt.ids) == 5


def test_sha256_works_too(in_sandbox: Sandbox) -> None:
    workshop = Workshop(in_sandbox, "sha256")
    workshop.commit(b"Change\n", {"text": b"a\n", "binary": b"\0\1"})
    workshop.commit(b"Quote\n\n" + fake_mail(fake_patch()), {"text": b"b\n"})
    workshop.check_exact()


def test_the_users_settings_do_not_change_what_comes_back(workshop: Workshop) -> None:
    workshop.commit(b"Change\n", {"crlf": b"one \r\ntwo\r\n", "text": b"a\r\nb \nc\n"})
    text = workshop.sent()
    for key, value in (
        ("core.autocrlf", "input"),
        ("apply.whitespace", "fix"),
        ("apply.ignoreWhitespace", "change"),
        ("core.whitespace", "cr-at-eol"),
        ("i18n.commitEncoding", "ISO-8859-1"),
    ):
        workshop.sandbox.config(key, value)
    assert workshop.rebuild(text).ids == workshop.originals()


def test_nothing_of_it_is_left_in_the_repository(workshop: Workshop) -> None:
    workshop.commit(b"Change\n", {"text": b"a\n"}, committer=LATER)
    before = workshop.git("count-objects", "-v"), workshop.git("status", "--porcelain")
    workshop.check_trees()
    assert (workshop.git("count-objects", "-v"), workshop.git("status", "--porcelain")) == before


# --- refused -------------------------------------------------------------------------------------


def test_no_commits_give_the_base(workshop: Workshop) -> None:
    assert workshop.rebuild(b"") == Rebuilt([], [], [])
    assert f"they lead to {workshop.base}" in workshop.refused(b"", head="1" * 40)


def test_another_last_commit_than_the_one_asked_for_is_refused(workshop: Workshop) -> None:
    first = workshop.commit(b"One\n", {"text": b"a\n"})
    text = workshop.sent()
    workshop.commit(b"Two\n", {"text": b"b\n"})
    why = workshop.refused(text, head=workshop.head)
    assert f"they lead to {first}, and not to {workshop.head}" in why


def test_a_patch_that_the_senders_settings_changed_is_refused(
    workshop: Workshop, subtests: pytest.Subtests
) -> None:
    workshop.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    workshop.commit(b"Change\n", committer=LATER)
    workshop.commit(b"More\n", {"text": b"a\n"}, committer=LATER)
    for setting in ("color.ui=always", "diff.noprefix=true", "diff.submodule=log"):
        with subtests.test(setting):
            why = workshop.refused(workshop.sent(setting))
            assert "damaged, or not one that git makes without settings" in why


def test_a_patch_that_a_text_conversion_changed_is_refused(workshop: Workshop) -> None:
    (workshop.path / ".git/info/attributes").write_text("text diff=upper\n")
    workshop.commit(b"Change\n", {"text": b"a\nb\nX\n"})
    text = workshop.sent("diff.upper.textconv=sed s/b/B/")
    assert b" B\n" in text
    assert "does not apply" in workshop.refused(text)


def test_a_patch_for_other_files_than_those_of_the_base_is_refused(workshop: Workshop) -> None:
    """It would apply, since its context is there; but that is another file."""
    numbers = [b"%d\n" % n for n in range(40)]
    start = workshop.commit(b"Numbers\n", {"numbers": b"".join(numbers)})
    workshop.commit(b"Change\n", {"numbers": b"".join([*numbers[:39], b"x\n"])})
    text = workshop.sent(start=start)
    workshop.go_to(start)
    other = workshop.commit(b"Other\n", {"numbers": b"".join([b"y\n", *numbers[1:]])})
    with pytest.raises(VerificationFailed, match="does not give the files it names"):
        workshop.rebuild(text, start=other)


def test_a_path_outside_the_working_tree_is_refused(
    workshop: Workshop, subtests: pytest.Subtests
) -> None:
    for path in ("../outside", ".git/config", "a/../../outside", "/etc/outside", "x/.git/hooks/y"):
        with subtests.test(path):
            name = path.encode()
            patch = (
                b"---\n %b | 1 +\n 1 file changed, 1 insertion(+)\n\ndiff --git a/%b b/%b\n"
                b"new file mode 100644\nindex 0000000..7898192\n--- /dev/null\n+++ b/%b\n"
                b"@@ -0,0 +1 @@\n+a\n" % (name, name, name, name)
            )
            assert "invalid path" in workshop.refused(fake_mail(patch))


HOSTILE = {
    "no text": b"\0",
    "NUL": fake_mail(b"x\0y\n"),
    "stat and patch without dashes": fake_mail(fake_patch()[4:]),
    "prose": b"Hello\n",
    "leading line": b"\n" + fake_mail(b"x\n"),
    "no header end": fake_mail(b"")[:-1],
    "other object format": fake_mail(b"").replace(b"7890 Mon", b"7890" + b"0" * 24 + b" Mon"),
    "no name": fake_mail(b"").replace(b"Bob <bob@example.com>", b"Bob"),
    "angles": fake_mail(b"").replace(b"Bob", b"B<o>b\\"),
    "year": fake_mail(b"").replace(b"2020", b"99999999999"),
    "year zero": fake_mail(b"").replace(b"2020", b"0000"),
    "month": fake_mail(b"").replace(b"Nov", b"Foo"),
    "before 1970": fake_mail(b"").replace(b"2020", b"1902"),
    "stat only": fake_mail(fake_patch().split(b"diff --git")[0]),
    "huge hunk": fake_mail(fake_patch().replace(b"-1,3", b"-1," + b"9" * 5000)),
    "endless hunk": fake_mail(fake_patch().replace(b"-1,3", b"-1,999999999999999999")),
    "huge stat": fake_mail(fake_patch().replace(b" 1 file", b" " + b"9" * 5000 + b" file")),
    "negative hunk": fake_mail(fake_patch().replace(b"-1,3", b"-1,0")),
    "no index": fake_mail(fake_patch().replace(b"index 0123456..89abcde 100644\n", b"")),
    "no names": fake_mail(fake_patch().replace(b"--- a/kept\n+++ b/kept\n", b"")),
    "wrong blobs": fake_mail(fake_patch()),
    "rename from nowhere": fake_mail(
        fake_patch().split(b"index")[0] + b"rename to x\nsimilarity index 100%\n"
    ),
    "bad quoting": fake_mail(fake_patch().replace(b"a/kept", b'"a/ke\\pt"')),
    "bad base85": fake_mail(
        fake_patch().split(b"--- a")[0] + b"GIT binary patch\nliteral 9\n!\n\n"
    ),
}


def test_malformed_text_is_refused_with_a_sentence(
    workshop: Workshop, subtests: pytest.Subtests
) -> None:
    for name, text in HOSTILE.items():
        with subtests.test(name):
            assert "the commits stored by v0.1 cannot be rebuilt" in workshop.refused(text)


def test_many_fake_patches_in_a_message_do_not_take_forever(workshop: Workshop) -> None:
    workshop.commit(b"Change\n\n" + fake_patch() * 2000, {"text": b"a\n"}, committer=LATER)
    workshop.check_trees()


def test_damaged_text_never_gives_another_tree(workshop: Workshop) -> None:
    """Cut off, or with a line left out, it is refused, or at most the message is another."""
    workshop.commit(b"One\n\nbody\n", {"text": b"a\nb\nx\n", "new": b"new\n"}, committer=LATER)
    workshop.commit(b"Two\n", {"text": b"a\ny\nx\n", "binary": b"\0\1\2"}, committer=LATER)
    lines = workshop.sent().splitlines(keepends=True)
    trees = workshop.originals(form="%T")
    for n in range(1, len(lines), 3):
        for damaged in (lines[:n] + lines[n + 1 :], lines[:n]):
            text = b"".join(damaged)
            try:
                rebuilt = workshop.rebuild(text)
            except VerificationFailed:
                continue
            # A mail that is cut off before its patch is that of an empty commit.
            wanted = [trees[k] for k in range(2) if text.count(b"\ndiff --git a/text") > k]
            assert [t for t in dict.fromkeys(rebuilt.trees) if t in trees] == wanted, text
            assert len(rebuilt.trees) == text.count(b"\nSubject: "), text


# --- any message ---------------------------------------------------------------------------------

LINES = st.one_of(
    st.sampled_from(
        [
            b"",
            b"---",
            b" text | 2 +-",
            b" 1 file changed, 1 insertion(+), 1 deletion(-)",
            *fake_patch().splitlines(),
            *fake_mail(b"").splitlines(),
            fake_patch().rstrip(b"\n"),
            fake_mail(b"x\n" + fake_patch()).rstrip(b"\n"),
        ]
    ),
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=120).map(str.encode),
)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A message as git cleans it up: no excess empty lines, no space at the end of one."""
    title = draw(st.text(st.characters(exclude_categories=("Cs", "C", "Z")), min_size=1))
    more = draw(st.text(st.sampled_from("ab é=?_ [],.:"), max_size=200))
    body = [line.rstrip(b" \t\r\n\f\v") for line in draw(st.lists(LINES, max_size=12))]
    text = re.sub(rb"\n{3,}", b"\n\n", b"\n".join(body)).strip(b"\n")
    subject = " ".join((title + " " + more).split(" ")).strip()
    return subject.encode() + b"\n" + (b"\n" + text + b"\n" if text else b"")


def check_any_messages(workshop: Workshop, commits: list[tuple[bytes, bool]]) -> None:
    """See to it that commits with these messages come back, with and without changes."""
    workshop.go_to(workshop.base)
    for n, (message, changes) in enumerate(commits):
        workshop.commit(message, {"text": b"%d\n" % n} if changes else None)
    workshop.check_exact()


COMMITS = st.lists(st.tuples(messages(), st.booleans()), min_size=1, max_size=3)
RELAXED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@given(COMMITS)
@settings(max_examples=10, deadline=None, suppress_health_check=RELAXED)
def test_any_message_comes_back(workshop: Workshop, commits: list[tuple[bytes, bool]]) -> None:
    check_any_messages(workshop, commits)


@pytest.mark.slow
@given(COMMITS)
@settings(max_examples=200, deadline=None, suppress_health_check=RELAXED)
def test_any_of_many_messages_comes_back(
    workshop: Workshop, commits: list[tuple[bytes, bool]]
) -> None:
    check_any_messages(workshop, commits)


def test_a_message_that_quotes_a_diff_and_then_a_mail_comes_back(workshop: Workshop) -> None:
    quoted = (
        b"0\n\ndiff --git a/kept b/kept\n\nFrom " + b"1" * 40 + b" Mon Sep 17 00:00:00 2001\n"
        b"From: Bob <bob@example.com>\nDate: Sat, 21 Nov 2020 08:47:55 +0000\n"
        b"Subject: [PATCH] Quoted\n\nx\n---\n kept | 2 +-\n 1 file changed, 1 insertion(+), "
        b"1 deletion(-)\n\ndiff --git a/kept b/kept\nindex 0123456..89abcde 100644\n--- a/kept\n"
        b"+++ b/kept\n@@ -1,3 +1,3 @@\n 1\n 2\n-3\n+4\n"
    )
    check_any_messages(workshop, [(quoted, False)])
