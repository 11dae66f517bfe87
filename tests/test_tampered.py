"""A ghost that does not give what its hash promises is refused, and everything is as before."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from git_ghost.errors import GhostError, NoSuchGhost, VerificationFailed
from git_ghost.usecases import Options, clone, pull, push
from tests.support.lab import Lab
from tests.support.untouched import untouched

pytestmark = pytest.mark.usefixtures("in_sandbox")

PATCH, BUNDLE = "local-mod.patch", "commits.bundle"


def at(lab: Lab, path: Path) -> Options:
    return Options(directory=str(path), repo=lab.ghost_url)


class Tampering:
    """Somebody with write access to the ghost repository."""

    def __init__(self, lab: Lab) -> None:
        """Store commits and a diff, as the victim does."""
        self.lab = lab
        self.remote_base = lab.head()
        lab.write("foo", b"committed\n")
        self.base = lab.commit("Not pushed")
        lab.write("foo", b"not committed\n")
        lab.write("new", b"new\n" * 100)
        self.hash = push(at(lab, lab.laptop)).hash
        self.diff = f"refs/heads/ghost/{self.base}/{self.hash}"
        self.commits = f"refs/heads/ghost/{self.remote_base}-{self.base}"

    def git(self, *args: str, stdin: bytes | None = None) -> bytes:
        return self.lab.sandbox.git(*args, stdin=stdin, cwd=self.lab.ghost_repo)

    def read(self, ref: str, name: str) -> bytes:
        return self.git("cat-file", "blob", f"{ref}:{name}")

    def message(self, ref: str) -> str:
        return self.git("log", "-1", "--format=%B", ref).decode()

    def put(
        self, ref: str, files: dict[str, bytes], message: str | None = None, to: str = ""
    ) -> None:
        """Replace what the ghost commit holds, and its message if given."""
        rows = b""
        for name, content in files.items():
            blob = self.git("hash-object", "-w", "--stdin", stdin=content).strip()
            rows += b"100644 blob " + blob + b"\t" + name.encode() + b"\0"
        tree = self.git("mktree", "-z", stdin=rows).decode().strip()
        text = self.message(ref) if message is None else message
        commit = self.git("commit-tree", tree, stdin=text.encode()).decode().strip()
        self.git("update-ref", to or ref, commit)

    def patch(self, content: bytes) -> None:
        self.put(self.diff, {PATCH: content})

    def edit(self, old: bytes, new: bytes) -> None:
        content = self.read(self.diff, PATCH)
        assert old in content
        self.patch(content.replace(old, new))

    def bundle(self, content: bytes) -> None:
        name = "commits.patch"
        self.put(self.commits, {name: self.read(self.commits, name), BUNDLE: content})

    def header(self, old: bytes, new: bytes) -> None:
        head, pack = self.read(self.commits, BUNDLE).split(b"\n\n", 1)
        assert old in head
        self.bundle(head.replace(old, new) + b"\n\n" + pack)

    def another(self) -> tuple[str, str]:
        """Store another diff and another commit; their refs."""
        self.lab.write("foo", b"evil\n")
        hash = push(at(self.lab, self.lab.laptop), what="diff").hash
        tip = self.lab.commit("Evil")
        push(at(self.lab, self.lab.laptop), what="commits", base=self.remote_base)
        return (
            f"refs/heads/ghost/{self.base}/{hash}",
            f"refs/heads/ghost/{self.remote_base}-{tip}",
        )

    def lie(self, ref: str, trailer: str, value: str) -> None:
        files = [PATCH] if ref == self.diff else ["commits.patch", BUNDLE]
        said = self.message(ref).rstrip() + "\n"
        if f"\n{trailer}: " not in said:
            said += f"{trailer}: \n"
        message = re.sub(f"(?m)^{trailer}: .*$", f"{trailer}: {value}", said)
        assert value in message
        self.put(ref, {name: self.read(ref, name) for name in files}, message)

    def strip(self, old: bytes = b"", new: bytes = b"") -> None:
        content = self.read(self.diff, PATCH).replace(old, new)
        self.put(self.diff, {PATCH: content}, "Create ghost commit\n")

    def pack(self, names: list[str]) -> None:
        """Put these objects of the laptop alone into the bundle."""
        git, laptop = self.lab.sandbox.git, self.lab.laptop
        ids = b"".join(git("rev-parse", name, cwd=laptop) for name in names)
        header = self.read(self.commits, BUNDLE).split(b"\n\n", 1)[0]
        pack = git("pack-objects", "--stdout", "-q", stdin=ids, cwd=laptop)
        self.bundle(header + b"\n\n" + pack)

    def folder(self) -> None:
        """Put a folder where the patch is to be."""
        empty = self.git("mktree", stdin=b"").strip()
        tree = self.git("mktree", stdin=b"040000 tree " + empty + f"\t{PATCH}\n".encode())
        message = self.message(self.diff).encode()
        commit = self.git("commit-tree", tree.decode().strip(), stdin=message)
        self.git("update-ref", self.diff, commit.decode().strip())


Attack = Callable[[Tampering], object]

DAMAGED: dict[str, Attack] = {
    "content": lambda t: t.edit(b"+not committed", b"+evil committed"),
    "another file": lambda t: t.edit(b"b/new", b"b/run.py"),
    "mode": lambda t: t.edit(b"new file mode 100644", b"new file mode 100755"),
    "truncated": lambda t: t.patch(t.read(t.diff, PATCH)[:-50]),
    "truncated at a file": lambda t: t.patch(
        t.read(t.diff, PATCH).partition(b"diff --git a/new")[0]
    ),
    "empty": lambda t: t.patch(b""),
    "no patch": lambda t: t.patch(b"\x7fELF and so on\n" * 9),
    "no file": lambda t: t.put(t.diff, {"other": b""}),
    "swapped": lambda t: t.git("update-ref", t.diff, t.another()[0]),
    "commits under a diff's name": lambda t: t.git("update-ref", t.diff, t.commits),
    "patch is a folder": lambda t: t.folder(),
    "trailers stripped, content changed": lambda t: t.strip(b"+not committed", b"+evil"),
    "no bundle": lambda t: t.bundle(b"not a bundle\n\n"),
    "bundle truncated": lambda t: t.bundle(t.read(t.commits, BUNDLE)[:-30]),
    "bundle's header alone": lambda t: t.bundle(t.read(t.commits, BUNDLE).split(b"\n\n")[0]),
    "bundle's pack changed": lambda t: t.bundle(
        t.read(t.commits, BUNDLE)[:-25] + b"x" * 5 + t.read(t.commits, BUNDLE)[-20:]
    ),
    "bundle's head": lambda t: t.header(
        t.base.encode() + b" refs", t.remote_base.encode() + b" refs"
    ),
    "bundle leads elsewhere": lambda t: t.git("update-ref", t.commits, t.another()[1]),
    "bundle's pack is empty": lambda t: t.pack([]),
    "bundle lacks a file": lambda t: t.pack([t.base, f"{t.base}^{{tree}}"]),
    "bundle lacks the folder": lambda t: t.pack([t.base, f"{t.base}:foo"]),
    "bundle's header has no end": lambda t: t.header(
        b"\n-" + t.remote_base.encode(), (b"\n-" + t.remote_base.encode()) * 30_000
    ),
    "bundle needs nothing": lambda t: t.header(b"-" + t.remote_base.encode() + b"\n", b""),
}  # fmt: skip


@pytest.mark.parametrize("attack", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_ghost_that_gives_something_else_is_refused(lab: Lab, attack: Attack) -> None:
    tampering = Tampering(lab)
    pod = lab.fresh_clone("pod")
    attack(tampering)
    with untouched(pod), pytest.raises(VerificationFailed):
        pull(tampering.hash, at(lab, pod))
    with untouched(pod), pytest.raises(VerificationFailed):
        pull(tampering.hash, at(lab, pod), force=True)


def test_the_command_line_ends_with_6_and_a_clone_leaves_nothing(lab: Lab) -> None:
    tampering = Tampering(lab)
    tampering.edit(b"+not committed", b"+evil committed")
    pod = lab.fresh_clone("pod")
    with untouched(pod):
        assert "error: the ghost does not give" in lab.ghost("pull", tampering.hash, at=pod).fails(
            6
        )
    lab.ghost("clone", tampering.hash, "new", at=lab.sandbox.root).fails(6)
    assert not (lab.sandbox.root / "new").exists()
    with pytest.raises(VerificationFailed):
        clone(tampering.hash, str(lab.sandbox.root / "new"), Options(repo=lab.ghost_url))
    assert not (lab.sandbox.root / "new").exists()


HARMLESS: dict[str, Attack] = {
    "trailers stripped": lambda t: t.strip(),
    "tree": lambda t: t.lie(t.diff, "Ghost-Tree", "0" * 40),
    "base": lambda t: t.lie(t.diff, "Ghost-Base", t.remote_base),
    "source": lambda t: t.lie(t.diff, "Ghost-Source", "/nowhere"),
    "branch": lambda t: t.lie(t.diff, "Ghost-Branch", "--upload-pack=touch evil"),
    "remote base is nowhere": lambda t: t.lie(t.diff, "Ghost-Remote-Base", "0" * 40),
    "remote base is longer": lambda t: t.lie(t.diff, "Ghost-Remote-Base", "f" * 64),
    "remote base is text": lambda t: t.lie(t.diff, "Ghost-Remote-Base", "--all"),
    "submodules": lambda t: t.lie(t.diff, "Ghost-Submodules", "[" * 20_000),
    "commits ghost's trailers": lambda t: t.lie(t.commits, "Ghost-Remote-Base", "0" * 40),
}


@pytest.mark.parametrize("attack", HARMLESS.values(), ids=HARMLESS.keys())
def test_a_lie_in_the_trailers_changes_nothing_where_the_content_is_right(
    lab: Lab, attack: Attack
) -> None:
    tampering = Tampering(lab)
    pod = lab.fresh_clone("pod")
    attack(tampering)
    pulled = pull(tampering.hash, at(lab, pod))
    assert pulled.tree == lab.tree_of(pod) == tampering.hash
    assert lab.head(at=pod) == tampering.base
    assert pulled.verified


def test_prerequisites_that_are_nowhere_are_refused(lab: Lab) -> None:
    tampering = Tampering(lab)
    tampering.header(b"\n-", b"\n-" + b"1" * 40 + b"\n-")
    pod = lab.fresh_clone("pod")
    with untouched(pod), pytest.raises(GhostError) as caught:
        pull(tampering.hash, at(lab, pod))
    assert caught.value.exit_code in (4, 6)


@pytest.mark.parametrize("kind", ["blob", "tree", "tag"])
def test_a_ref_that_is_no_commit_is_no_ghost(lab: Lab, kind: str) -> None:
    tampering = Tampering(lab)
    value = {
        "blob": tampering.git("rev-parse", f"{tampering.diff}:{PATCH}"),
        "tree": tampering.git("rev-parse", f"{tampering.diff}^{{tree}}"),
        "tag": b"",
    }[kind]
    if kind == "tag":
        tampering.git("tag", "-a", "-m", "x", "x", tampering.diff)
        value = tampering.git("rev-parse", "refs/tags/x")
    (lab.ghost_repo / tampering.diff).write_bytes(value)
    pod = lab.fresh_clone("pod")
    with untouched(pod), pytest.raises((NoSuchGhost, VerificationFailed)):
        pull(tampering.hash, at(lab, pod))


HOSTILE_PATHS = [
    "../evil", "sub/../../evil", "/tmp/git-ghost-evil", ".git/hooks/post-checkout", ".git/config",
    ".GIT/config", ".Git/config", "git~1/config", "sub/.git/config", "./.git/config", "sub//evil",
    ".git::$INDEX_ALLOCATION/config", ".git /config",
]  # fmt: skip


def _hostile(path: str) -> bytes:
    return (
        f"diff --git a/{path} b/{path}\nnew file mode 100755\n--- /dev/null\n+++ b/{path}\n"
        "@@ -0,0 +1 @@\n+evil\n"
    ).encode()


def _as_v01(tampering: Tampering, patch: bytes) -> str:
    """Store a patch under the hash v0.1 would give it: only git's own rules are in the way."""
    hash = subprocess.run(["sha1sum"], input=patch, capture_output=True, check=True).stdout[:40]
    ref = tampering.diff.replace(tampering.hash, hash.decode())
    tampering.put(tampering.diff, {PATCH: patch}, "Create ghost commit\n", to=ref)
    return hash.decode()


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_paths_that_lead_out_of_the_tree_or_into_git_are_refused(lab: Lab, path: str) -> None:
    tampering = Tampering(lab)
    pod = lab.fresh_clone("pod")
    hash = _as_v01(tampering, _hostile(path))
    tampering.patch(_hostile(path))
    outside = sorted(lab.sandbox.root.iterdir())
    for asked in (hash, tampering.hash):
        with untouched(pod), pytest.raises(VerificationFailed):
            pull(asked, at(lab, pod))
    assert sorted(lab.sandbox.root.iterdir()) == outside
    assert not Path("/tmp/git-ghost-evil").exists()


def test_a_patch_cannot_write_through_a_link_it_makes(lab: Lab) -> None:
    tampering = Tampering(lab)
    pod = lab.fresh_clone("pod")
    outside = lab.sandbox.root / "outside"
    outside.mkdir()
    link = (
        b"diff --git a/way b/way\nnew file mode 120000\n--- /dev/null\n+++ b/way\n"
        b"@@ -0,0 +1 @@\n+../outside\n\\ No newline at end of file\n"
    )
    for patch in (link + _hostile("way/evil"), _hostile("way/evil") + link):
        with untouched(pod), pytest.raises(VerificationFailed):
            pull(_as_v01(tampering, patch), at(lab, pod))
    assert list(outside.iterdir()) == []


def test_gitmodules_cannot_be_a_link_and_run_nothing(lab: Lab) -> None:
    tampering = Tampering(lab)
    pod = lab.fresh_clone("pod")
    link = (
        b"diff --git a/.gitmodules b/.gitmodules\nnew file mode 120000\n--- /dev/null\n"
        b"+++ b/.gitmodules\n@@ -0,0 +1 @@\n+foo\n\\ No newline at end of file\n"
    )
    with untouched(pod), pytest.raises(VerificationFailed):
        pull(_as_v01(tampering, link), at(lab, pod))
    lab.write(
        ".gitmodules",
        b'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch ../evil"\n'
        b"\tupdate = !touch ../evil\n",
    )
    (lab.laptop / "x").mkdir()
    row = f"160000,{tampering.base},x"
    lab.sandbox.git("update-index", "--add", "--cacheinfo", row, cwd=lab.laptop)
    hash = push(at(lab, lab.laptop), without=["submodules"]).hash
    assert pull(hash, at(lab, pod)).submodules == ()  # the laptop has not checked it out either
    assert not (lab.sandbox.root / "evil").exists()


@pytest.mark.parametrize(
    "source",
    ["--upload-pack=touch evil", "ext::sh -c touch% evil", "-x", "ssh://-oProxyCommand=x/"],
)
def test_a_source_that_would_run_something_is_refused(lab: Lab, source: str) -> None:
    tampering = Tampering(lab)
    tampering.lie(tampering.diff, "Ghost-Source", source)
    pod, root = lab.sandbox.repo("pod"), lab.sandbox.root
    with untouched(pod), pytest.raises(GhostError) as caught:
        pull(tampering.hash, at(lab, pod))
    assert caught.value.exit_code in (2, 4, 7)
    with pytest.raises(GhostError):
        clone(tampering.hash, str(root / "new"), Options(repo=lab.ghost_url))
    assert not (root / "new").exists()
    assert not list(root.rglob("evil"))
