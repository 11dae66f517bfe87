"""Filters that never give the same twice, and filters that nobody set up where a ghost arrives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.lab import Lab
from tests.support.untouched import untouched

SALTED = "head -c 9 /dev/urandom | base64; base64"
"""As age and ansible-vault encrypt: another salt, and another text, each time."""


@pytest.fixture
def salted(lab: Lab) -> Lab:
    """Return a lab where `*.sec` is filtered, on every machine, and one such file is committed."""
    lab.sandbox.config("filter.vault.clean", SALTED)
    lab.sandbox.config("filter.vault.smudge", "tail -n +2 | base64 -d")
    lab.sandbox.config("filter.vault.required", "true")
    lab.write(".gitattributes", b"*.sec filter=vault\n")
    lab.write("a.sec", b"committed\n")
    lab.write("b's.sec", b"committed, too\n")
    lab.commit("Secrets")
    lab.push()
    return lab


def age(path: Path) -> None:
    """Give a file another time stamp: git has to look into it."""
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - 10**10))


def test_a_salted_file_that_nobody_changed_is_not_sent_again(salted: Lab) -> None:
    salted.write("foo", b"b\n")
    hash = salted.ghost("push").ok().split()[-1]
    for name in ("a.sec", "b's.sec"):
        age(salted.laptop / name)
    assert salted.ghost("push").ok().split()[-1] == hash
    (salted.laptop / "a.sec").chmod(0o755)
    changed = salted.ghost("push").ok().split()[-1]
    assert "new mode 100755" in salted.ghost("show", changed).ok()


def test_a_salted_file_arrives_and_leaves_like_any_other(salted: Lab) -> None:
    before = salted.ghost("push").ok().split()[-1]
    salted.write("a.sec", b"changed\n")
    salted.write("new.sec", b"new\n")
    hash = salted.ghost("push").ok().split()[-1]
    pod, place = salted.sandbox.root / "pod", salted.fresh_clone("place")
    age(place / "a.sec")
    salted.ghost("clone", hash, pod).ok()
    salted.ghost("pull", hash, at=place).ok()
    for where in (pod, place):
        assert (where / "a.sec").read_bytes() == b"changed\n"
        assert (where / "new.sec").read_bytes() == b"new\n"
        assert (where / "b's.sec").read_bytes() == b"committed, too\n"
        assert "0 files changed" in salted.ghost("pull", hash, at=where).err
        age(where / "a.sec")
        salted.ghost("pull", before, at=where).ok()
        assert (where / "a.sec").read_bytes() == b"committed\n"
        assert not (where / "new.sec").exists()


def test_a_salted_file_that_is_changed_is_never_overwritten(salted: Lab) -> None:
    pod = salted.fresh_clone("pod")
    salted.write("a.sec", b"changed\n")
    hash = salted.ghost("push").ok().split()[-1]
    salted.write("a.sec", b"mine\n", at=pod)
    with untouched(pod):
        assert "a.sec" in salted.ghost("pull", hash, at=pod).fails(5)
    salted.ghost("pull", "--force", hash, at=pod).ok()
    assert (pod / "a.sec").read_bytes() == b"changed\n"


def test_a_salted_file_has_the_same_hash_until_it_is_changed(salted: Lab) -> None:
    salted.write("a.sec", b"changed\n")
    salted.write("sub/new.sec", b"new\n")
    hash = salted.ghost("push").ok().split()[-1]
    assert salted.ghost("push").ok().split()[-1] == hash
    pod = salted.sandbox.root / "pod"
    salted.ghost("clone", hash, pod).ok()
    assert salted.ghost("push", at=pod).ok().split()[-1] == hash
    salted.write("a.sec", b"changed again\n", at=pod)
    assert salted.ghost("push", at=pod).ok().split()[-1] != hash
    salted.sandbox.git("fsck", "--strict", cwd=pod)


def test_filters_that_nobody_set_up_are_named(lab: Lab) -> None:
    lab.write(".gitattributes", b"*.ipynb filter=nbstripout\n*.key.txt filter=git-crypt\n")
    lab.write("a.ipynb", b"{}\n")
    lab.write("sub/b.ipynb", b"{}\n")
    hash = lab.ghost("push").ok().split()[-1]
    root, pod = lab.sandbox.root, lab.fresh_clone("pod")
    for said in (
        lab.ghost("clone", hash, "cloned", at=root).err,
        lab.ghost("pull", hash, at=pod).err,
    ):
        assert "2 files ask for the filter 'nbstripout'" in said
        assert "\n  a.ipynb\n  sub/b.ipynb\n" in said
        assert "git-crypt" not in said
    other = lab.fresh_clone("other")
    with untouched(other):
        said = lab.ghost("pull", "--exact", hash, at=other).fails(1)
    assert "filter 'nbstripout'" in said
    lab.sandbox.config("filter.nbstripout.clean", "cat")
    lab.ghost("pull", "--exact", hash, at=other).ok()
