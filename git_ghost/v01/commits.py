"""Commits ghosts of v0.1: no bundle, only the text of ``git log -p --stat --pretty=email``.

v0.1 gave that text to ``git am``. Here it is read more strictly, because a commit's message stands
in it as it is, and may itself hold a patch, or a whole mail:

- A patch is taken for one only when it is complete to its last line and touches as many files as
  the stat before it says. It must lead from and to the very blobs its ``index`` lines name.
- Every mail begins with the id its commit had. A commit made again with that id is proven, and
  everything before it too: nothing there can be read in another way.
- Only the committer is not in the text. Taking the author for it gives the same ids back for
  commits that were never amended, rebased or merged. For others, two ways to read the text that
  lead to different trees are an error, not a guess.

What cannot be told apart: an unproven commit whose message ends in a complete stat and a patch that
fits, from an empty commit with that message. It is taken for the former, as ``git am`` does.
"""

from __future__ import annotations

import calendar
import contextlib
import hashlib
import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from git_ghost.errors import GitFailed, VerificationFailed
from git_ghost.model import Oid, format_of, oid
from git_ghost.quarantine import Quarantine
from git_ghost.worktree.rebuild import APPLY

_HINT = (
    "Push their branch to the source remote, or delete that commits ghost"
    " (`git ghost delete commits TO`) and push again with this git ghost."
)
_REACH = 5
"""How many mails a message is followed over that may hold whole mails."""


def apply(quarantine: Quarantine, base: Oid, patch: bytes, head: str = "") -> Oid:
    """Make the commits that ``patch`` describes on top of ``base``; the last one's id.

    They go to the quarantine, as a pack. ``head``, if given, is the id the last must have had.
    Raises VerificationFailed when the text is damaged, or does not say for sure what the trees are.
    """
    tree = quarantine.tree(base)
    assert tree is not None  # the caller sees to it that the base is here
    mails = [mail for mail in _mails(patch) if len(mail.id) == len(base)]
    if patch and (not mails or mails[0].start):
        raise _refuse("this is not the text `git log --pretty=email` gives")
    steps = _Series(quarantine, patch, mails).make(_Step(base, tree))
    last = mails[steps[-2].next].id if steps[1:] else base
    if head not in ("", last):
        raise _refuse(f"they lead to {last}, and not to {head}")
    return steps[-1].id


def _refuse(reason: str) -> VerificationFailed:
    return VerificationFailed(f"the commits stored by v0.1 cannot be rebuilt: {reason}", _HINT)


# --- mails: where each begins, and who made the commit -------------------------------------------

_MAIL = re.compile(
    rb"^From ([0-9a-f]{40}(?:[0-9a-f]{24})?) Mon Sep 17 00:00:00 2001\n"
    rb"From:([^\n]*(?:\n [^\n]*)*)\n"
    rb"Date: [A-Z][a-z]{2}, (\d{1,2}) ([A-Z][a-z]{2}) (\d{4,18})"
    rb" (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\n"
    rb"Subject:([^\n]*(?:\n [^\n]*)*)\n"
    rb"((?:[A-Za-z-]+: [^\n]*\n)*)\n",
    re.MULTILINE,
)
_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_CHARSET = re.compile(rb"charset=([A-Za-z0-9._:+-]+)")
_ENCODED = re.compile(rb"=\?[^?\s]+\?[qQ]\?([^?\s]*)\?=")


@dataclass(frozen=True)
class _Mail:
    """A place where a mail begins, be it in the message of another."""

    head: re.Match[bytes]

    @property
    def start(self) -> int:
        """Where its "From " line is."""
        return self.head.start()

    @property
    def body(self) -> int:
        """Where its headers end."""
        return self.head.end()

    @property
    def id(self) -> str:
        """The id the commit had."""
        return self.head[1].decode()

    def author(self) -> bytes:
        """``NAME <EMAIL> SECONDS ZONE``; VerificationFailed for what no commit can have."""
        name, _, email = _unfolded(self.head[2]).rpartition(b"<")
        name = name.removesuffix(b" ")
        if len(name) > 1 and name.startswith(b'"') and name.endswith(b'"'):
            name = re.sub(rb"\\(.)", rb"\1", name[1:-1])
        day, year, hour, minute, second = (int(self.head[n]) for n in (3, 5, 6, 7, 8))
        hours, minutes = int(self.head[10]), int(self.head[11])
        offset = (hours * 60 + minutes) * (-60 if self.head[9] == b"-" else 60)
        try:
            month = _MONTHS.index(self.head[4]) + 1
            seconds = calendar.timegm((year, month, day, hour, minute, second)) - offset
        except (ValueError, OverflowError):
            seconds = -1
        if seconds < 0:
            raise _refuse(f"no commit can have the date of {self.id}")
        zone = b"".join(self.head[n] for n in (9, 10, 11))
        ident = b"%s <%s %d %s" % (_decoded(name), email, seconds, zone)
        if not re.fullmatch(rb"[^<>\n\0]* <[^<>\n\0]*> \d+ [+-]\d{4}", ident):
            raise _refuse(f"no commit can have the author of {self.id}")
        return ident

    def subjects(self) -> Iterator[bytes]:
        """What the message's first line may have been, likeliest first."""
        value = self.head[12]
        # format.subjectPrefix changes what is in the brackets, or leaves it out
        if prefix := re.match(rb" \[[^\]]*\]", value):
            yield _decoded(_unfolded(value[prefix.end() :]))
        yield _decoded(_unfolded(value))

    def encodings(self) -> tuple[bytes, ...]:
        """The commit's ``encoding`` header, likeliest first."""
        charset = _CHARSET.search(self.head[13])
        if charset is None or charset[1].upper() in (b"UTF-8", b"UTF8"):
            return (b"",)
        return (b"encoding %s\n" % charset[1], b"")


def _mails(text: bytes) -> list[_Mail]:
    found = _MAIL.finditer(text)
    # git puts an empty line before each mail but the first
    return [_Mail(m) for m in found if not m.start() or text.startswith(b"\n\n", m.start() - 2)]


def _unfolded(value: bytes) -> bytes:
    """A header's value on one line: a long first word begins on a line of its own."""
    return re.sub(rb"\A (?:\n )?", b"", value).replace(b"\n ", b" ")


def _decoded(value: bytes) -> bytes:
    """A header's value without RFC 2047's encoding, in the bytes it was made of."""
    words = [_ENCODED.fullmatch(word) for word in value.split()]
    raw = b"".join(word[1] for word in words if word)
    if not words or None in words:
        return value
    code = re.compile(rb"=([0-9A-Fa-f]{2})")
    return code.sub(lambda found: bytes.fromhex(found[1].decode()), raw.replace(b"_", b" "))


# --- patches: complete, and what they say of blobs -----------------------------------------------

_STATISH = re.compile(rb"^---\n [^\n]+ \| +(?:\d|Bin|Unmerged)", re.MULTILINE)
_DIFFISH = re.compile(rb"^(?:\x1b\[[0-9;]*m)*diff --", re.MULTILINE)
_STAT = re.compile(
    rb"^---\n(?: [^\n]* \| [^\n]*\n)+ (\d{1,18}) files? changed[^\n]*\n\n(?=diff --git )",
    re.MULTILINE,
)
_DIFF = re.compile(rb"diff --git ([^\n]+)\n")
_EXTENDED = re.compile(
    rb"(old mode|new mode|deleted file mode|new file mode|similarity index|dissimilarity index"
    rb"|rename from|rename to|copy from|copy to|index) ([^\n]+)\n"
)
_NAMES = re.compile(rb"--- ([^\n]+)\n\+\+\+ ([^\n]+)\n")
_HUNK = re.compile(rb"@@ -\d+(?:,(\d{1,18}))? \+\d+(?:,(\d{1,18}))? @@[^\n]*\n")
_BINARY = re.compile(rb"(?:literal|delta) \d+\n")
_INDEX = re.compile(rb"([0-9a-f]{4,64})\.\.([0-9a-f]{4,64})(?: \d{6})?")
_ESCAPE = re.compile(rb'\\([abfnrtv"\\]|[0-3][0-7]{2})')
_ESCAPES = dict(zip(b'abfnrtv"\\', b'\a\b\f\n\r\t\v"\\', strict=True))

_Ends = tuple[bytes | None, bytes | None]
"""A path's blob before and after: the beginning of its id (empty: any), None for no such path."""


class _NotGits(Exception):
    """A patch that git did not write, or not whole."""


class _Patch:
    """A patch read strictly, from ``pos`` exactly to ``end``."""

    def __init__(self, text: bytes, pos: int, end: int) -> None:
        self._text, self.pos, self._end = text, pos, end
        self.changes: dict[bytes, _Ends] = {}
        self.count = 0
        """How many files the stat counts: a file that becomes a link is one, in two parts."""

    def read(self) -> None:
        """Read it; raises _NotGits, at ``pos``."""
        deleted: bytes | None = None
        while self.pos < self._end:
            path, is_new, is_deleted = self._file()
            self.count += not (is_new and path == deleted)
            deleted = path if is_deleted else None

    def _next(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        match = pattern.match(self._text, self.pos, self._end)
        if match:
            self.pos = match.end()
        return match

    def _file(self) -> tuple[bytes, bool, bool]:
        first = self._next(_DIFF)
        if first is None:
            raise _NotGits
        said: dict[bytes, bytes] = {}
        while match := self._next(_EXTENDED):
            said[match[1]] = match[2]
        if names := self._next(_NAMES):
            self._hunks()
        elif self._text.startswith(b"GIT binary patch\n", self.pos):
            self.pos += len(b"GIT binary patch\n")
            self._binary()
        ids = _INDEX.fullmatch(said.get(b"index", b"0000..0000"))
        if ids is None or (b"index" not in said and (names or not said)):
            raise _NotGits
        before, after = (ids[1], ids[2]) if b"index" in said else (b"", b"")
        is_new, is_deleted = b"new file mode" in said, b"deleted file mode" in said
        if b"rename to" in said or b"copy to" in said:
            kind = b"rename" if b"rename to" in said else b"copy"
            path = _unquoted(said[kind + b" to"])
            if kind == b"rename":
                self._change(_unquoted(said.get(b"rename from", b"")), (before, None))
            self._change(path, (None, after))
        else:
            path = _path(first[1], names)
            self._change(path, (None if is_new else before, None if is_deleted else after))
        return path, is_new, is_deleted

    def _change(self, path: bytes, ends: _Ends) -> None:
        """Note a change; a path may be deleted and made again in one patch."""
        before, after = self.changes.get(path, (None, None))
        self.changes[path] = (
            before if ends[0] is None else ends[0],
            after if ends[1] is None else ends[1],
        )

    def _hunks(self) -> None:
        text, end = self._text, self._end
        hunk = self._next(_HUNK)
        if hunk is None:
            raise _NotGits
        while hunk is not None:
            old, new = (1 if count is None else int(count) for count in hunk.groups())
            pos = self.pos
            while old > 0 or new > 0:
                line_end = text.find(b"\n", pos, end)
                if line_end < 0:
                    raise _NotGits
                kind = text[pos : pos + 1]
                if kind in (b" ", b"\n"):  # diff.suppressBlankEmpty leaves the space out
                    old, new = old - 1, new - 1
                elif kind == b"-":
                    old -= 1
                elif kind == b"+":
                    new -= 1
                elif kind != b"\\":
                    raise _NotGits
                pos = line_end + 1
            if old or new:
                raise _NotGits
            if text.startswith(b"\\ ", pos):
                pos = text.find(b"\n", pos, end) + 1
            self.pos = pos
            hunk = self._next(_HUNK)

    def _binary(self) -> None:
        for _ in range(2):  # forward and back
            if self._next(_BINARY) is None:
                raise _NotGits
            empty = self._text.find(b"\n\n", self.pos - 1, self._end)
            if empty < 0:
                raise _NotGits
            self.pos = empty + 2


def _path(line: bytes, names: re.Match[bytes] | None) -> bytes:
    """The path of a file that keeps its name, without ``a/``."""
    if names:
        name = names[1] if names[2] == b"/dev/null" else names[2]
        name = _unquoted(name.removesuffix(b"\t"))
    else:  # the name stands twice, and so the middle is where the first one ends
        half = len(line) // 2
        name, other = _unquoted(line[:half]), _unquoted(line[half + 1 :])
        if line[half : half + 1] != b" " or name.partition(b"/")[2] != other.partition(b"/")[2]:
            raise _NotGits
    path = name.partition(b"/")[2]
    if not path:
        raise _NotGits
    return path


def _unquoted(name: bytes) -> bytes:
    if not name.startswith(b'"') or len(name) < 2 or not name.endswith(b'"'):
        return name
    return _ESCAPE.sub(
        lambda found: bytes(
            [int(found[1], 8) if found[1][:1].isdigit() else _ESCAPES[found[1][0]]]
        ),
        name[1:-1],
    )


# --- reading: which part of a mail is the message, and which the patch ---------------------------


@dataclass(frozen=True)
class _Reading:
    """One way to read a mail."""

    mail: _Mail
    message: bytes
    next: int
    """The number of the mail that follows."""
    diff: bytes = b""
    changes: dict[bytes, _Ends] = field(default_factory=dict)


@dataclass(frozen=True)
class _Step:
    """A commit made again."""

    id: Oid
    tree: Oid
    raw: bytes = b""
    proven: bool = True
    next: int = 0
    before: _Step | None = None


class _Series:
    """Makes the commits again, one after the other."""

    def __init__(self, quarantine: Quarantine, text: bytes, mails: list[_Mail]) -> None:
        """``mails`` are all places where a mail may begin."""
        self._text, self._mails = text, mails
        self._quarantine = quarantine
        self._indexed = ""
        """The tree that the private index holds."""
        self._left = 64 * len(text) + (1 << 20)
        """How many bytes of patches are tried; a text without traps needs each of them once."""
        self._trouble = ""
        """Why the last patch was not taken that was not."""

    def make(self, base: _Step) -> list[_Step]:
        """All commits in order; raises VerificationFailed."""
        steps = [base]
        while steps[-1].next < len(self._mails):
            steps.append(self._step(steps[-1]))
        for step in steps[1:]:
            self._write(step)
        if steps[1:]:
            self._pack(steps[-1].id, base.id)
        return steps

    def _step(self, parent: _Step) -> _Step:
        """The next commit: the reading that is proven, or else the only one that works out."""
        n, mail, self._trouble = parent.next, self._mails[parent.next], ""
        body = self._text[mail.body : self._end(n + 1)]
        may_have_patch = _STATISH.search(body) or _DIFFISH.search(body)  # be it a spoilt one
        reach = min(len(self._mails), n + _REACH)
        # Hashing is cheap: a commit without a patch is asked for first, whatever its message holds.
        near = n + 2 if may_have_patch else reach + 1
        if step := self._proven_empty(parent, range(n + 1, near)):
            return step
        found = list(self._patched_steps(parent, n + 1))
        others = range(n + 2, n + 2 if found else reach + 1)
        more = (pair for m in others for pair in self._patched_steps(parent, m))
        for step, _ in itertools.chain(found, more):
            if step.proven:
                return step
        if step := self._proven_empty(parent, range(near, reach + 1)):
            return step
        if len({step.tree for step, _ in found}) > 1 or any(self._may_be_quoted(*f) for f in found):
            raise _ambiguous(mail)
        if found:
            return found[0][0]
        if may_have_patch:
            raise _refuse(self._trouble)
        return self._made(parent, parent.tree, _Reading(mail, body, n + 1))

    def _proven_empty(self, parent: _Step, ends: range) -> _Step | None:
        """The commit without a patch that the next mail is proven to be, up to one of ``ends``."""
        mail = self._mails[parent.next]
        for m in ends:
            message = self._text[mail.body : self._end(m)]
            step = self._made(parent, parent.tree, _Reading(mail, message, m))
            if step.proven:
                return step
        return None

    def _end(self, n: int) -> int:
        """Where the mail before mail ``n`` ends, without the empty line between them."""
        return self._mails[n].start - 1 if n < len(self._mails) else len(self._text)

    def _patched_steps(self, parent: _Step, m: int) -> Iterator[tuple[_Step, _Reading]]:
        """The commits the next mail can be with a patch that works out, up to mail ``m``."""
        for reading in self._patched(parent.next, m):
            tree = self._apply(parent.tree, reading)
            if tree is not None:
                yield self._made(parent, tree, reading), reading

    def _patched(self, n: int, m: int) -> Iterator[_Reading]:
        """The ways to read mail ``n``, up to mail ``m``, as a message and a patch."""
        mail, text, end = self._mails[n], self._text, self._end(m)
        for mark in reversed(list(_STATISH.finditer(text, mail.body, end))):
            stat = _STAT.match(text, mark.start(), end)
            if stat is None:
                continue
            patch = _Patch(text, stat.end(), end)
            with contextlib.suppress(_NotGits):
                patch.read()
            self._spend(mail, patch.pos - stat.end())
            if patch.pos == end and patch.count == int(stat[1]):
                message, diff = text[mail.body : mark.start()], text[stat.end() : end]
                yield _Reading(mail, message, m, diff, patch.changes)
        self._trouble = self._trouble or (
            f"the patch of {mail.id} is damaged, or not one that git makes without"
            " settings such as color.ui=always, diff.noprefix or diff.submodule=log"
        )

    def _spend(self, mail: _Mail, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise _ambiguous(mail)

    def _made(self, parent: _Step, tree: Oid, reading: _Reading) -> _Step:
        """The commit a reading and its tree give, with its old id if that can be had."""
        likeliest = None
        for raw in _commits(parent.id, tree, reading):
            digest = hashlib.new(format_of(parent.id), usedforsecurity=False)
            digest.update(b"commit %d\0" % len(raw))
            digest.update(raw)
            made, proven = Oid(digest.hexdigest()), digest.hexdigest() == reading.mail.id
            if proven or likeliest is None:
                likeliest = _Step(made, tree, raw, proven, reading.next, parent)
            if proven:
                break
        assert likeliest is not None
        return likeliest

    def _may_be_quoted(self, step: _Step, reading: _Reading) -> bool:
        """Whether the mail may be part of a message before it, so that another tree comes out.

        A commit whose message quotes whole mails looks like those commits, the last of them with a
        message that holds a patch.
        """
        tree, before = step.tree, step.before
        while before is not None and not before.proven and _STAT.search(reading.message):
            before = before.before
            assert before is not None
            self._spend(reading.mail, len(reading.diff) + 4096)  # a few processes cost as much
            if self._apply(before.tree, reading) not in (None, tree):
                return True
        return False

    def _apply(self, tree: Oid, reading: _Reading) -> Oid | None:
        """The tree that the patch makes of ``tree``; None when it does not do what it says."""
        mail = reading.mail
        if self._indexed != tree:
            self._git("read-tree", tree)
            self._indexed = tree
        try:
            self._git(*APPLY, stdin=reading.diff)
            self._indexed = ""
            made = oid(self._git("write-tree", "--missing-ok"))
        except GitFailed as e:
            said = e.said.replace("\n", "; ")
            self._trouble = self._trouble or f"the patch of {mail.id} does not apply: {said}"
            return None
        self._indexed = made
        raw = self._git("diff-tree", "-r", "-z", "--raw", "--no-renames", tree, made)
        if _agree(reading.changes, raw):
            return made
        self._trouble = self._trouble or f"the patch of {mail.id} does not give the files it names"
        return None

    def _write(self, step: _Step) -> None:
        if b"\0" in step.raw:
            raise _refuse("a message holds a NUL byte")
        try:
            self._git("hash-object", "-t", "commit", "-w", "--stdin", stdin=step.raw)
        except GitFailed as e:
            raise _refuse(f"git does not take a commit of theirs: {e.said}") from e

    def _pack(self, head: Oid, base: Oid) -> None:
        """Make a pack of what is new: only packs are kept when a pull moves HEAD to it."""
        name = os.path.join(self._quarantine.objects, "pack", "pack")
        os.makedirs(os.path.dirname(name), exist_ok=True)
        listed = self._quarantine.start("rev-list", "--objects", head, f"^{base}")
        self._quarantine.pipe(listed, "pack-objects", "-q", name)

    def _git(self, *args: str, stdin: bytes | None = None) -> bytes:
        return self._quarantine.git(*args, index="legacy", stdin=stdin)


def _ambiguous(mail: _Mail) -> VerificationFailed:
    return _refuse(f"the message of {mail.id} holds a patch, and which one is code is not certain")


def _agree(changes: dict[bytes, _Ends], raw: bytes) -> bool:
    """Whether ``git diff-tree --raw -z`` found exactly these changes."""
    fields = raw.split(b"\0")[:-1]
    if len(fields) != 2 * len(changes):
        return False
    for about, path in zip(fields[::2], fields[1::2], strict=True):
        before_mode, after_mode, before, after, _ = about[1:].split(b" ")
        wanted = changes.get(path)
        if wanted is None:
            return False
        for expected, mode, blob in zip(
            wanted, (before_mode, after_mode), (before, after), strict=True
        ):
            if (expected is None) != (mode == b"000000") or not blob.startswith(expected or b""):
                return False
    return True


def _commits(parent: Oid, tree: Oid, reading: _Reading) -> Iterator[bytes]:
    """What the commit may have been, likeliest first: the text does not tell everything."""
    mail, body = reading.mail, reading.message
    author = mail.author()
    ids = b"tree %s\nparent %s\n" % (tree.encode(), parent.encode())
    people = b"author %s\ncommitter %s\n" % (author, author)
    for encoding in mail.encodings():
        for subject in mail.subjects():
            message = b"%s\n\n%s" % (subject, body) if body else subject and subject + b"\n"
            for text in (message, message.removesuffix(b"\n")):
                yield ids + people + encoding + b"\n" + text
