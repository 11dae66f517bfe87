"""Hostile configuration, on either side, changes neither what is sent nor what arrives."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from git_ghost.store.format import BUNDLE_FILE, COMMITS_FILE, DIFF_FILE
from git_ghost.usecases import Options, Pushed, clone, pull, push
from tests.support.environment import PINNED_DATE
from tests.support.lab import Lab
from tests.support.oracle import Entry
from tests.support.roundtrip import assert_exact, options, push_untouched
from tests.support.sandbox import Sandbox

Settings = list[tuple[str, str]]

GROUPS: dict[str, Settings] = {
    "diff": [
        ("color.ui", "always"), ("color.diff", "always"), ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"), ("diff.external", "false"), ("diff.renames", "copies"),
        ("diff.renameLimit", "1"), ("diff.orderFile", "/no/such/file"),
        ("diff.ignoreSubmodules", "all"), ("diff.submodule", "log"), ("diff.context", "0"),
        ("diff.interHunkContext", "50"), ("diff.suppressBlankEmpty", "true"),
        ("diff.algorithm", "patience"), ("diff.indentHeuristic", "false"),
        ("diff.relative", "true"), ("diff.srcPrefix", "x/"), ("diff.dstPrefix", "y/"),
        ("diff.colorMoved", "zebra"), ("diff.wordRegex", "."), ("diff.wsErrorHighlight", "all"),
        ("diff.statGraphWidth", "1"), ("diff.autoRefreshIndex", "false"),
        ("diff.shout.textconv", "tr a-z A-Z <"), ("diff.fail.command", "false"),
        ("diff.guitool", "false"), ("core.pager", "false"), ("pager.diff", "false"),
        ("pager.log", "false"), ("core.abbrev", "4"),
        ("core.attributesFile", "attributes-of-the-user"),
    ],
    "log": [
        ("log.showSignature", "true"), ("log.mailmap", "true"), ("log.date", "relative"),
        ("log.decorate", "full"), ("log.abbrevCommit", "true"), ("log.follow", "true"),
        ("log.showRoot", "false"), ("log.diffMerges", "off"), ("format.pretty", "oneline"),
        ("format.subjectPrefix", "X"), ("format.notes", "true"),
        ("i18n.logOutputEncoding", "ISO-8859-1"), ("i18n.commitEncoding", "ISO-8859-1"),
        ("notes.displayRef", "*"), ("mailmap.file", "/no/such/file"),
    ],
    "apply and checkout": [
        ("apply.whitespace", "fix"), ("apply.ignoreWhitespace", "change"),
        ("core.whitespace", "tab-in-indent,cr-at-eol"), ("merge.conflictStyle", "diff3"),
        ("merge.renormalize", "true"), ("merge.ff", "only"), ("pull.rebase", "true"),
        ("checkout.workers", "4"), ("checkout.thresholdForParallelism", "1"),
        ("checkout.guess", "false"), ("checkout.defaultRemote", "nowhere"),
        ("core.safecrlf", "true"), ("core.eol", "crlf"), ("core.precomposeUnicode", "true"),
        ("core.trustctime", "false"), ("core.checkStat", "minimal"), ("core.compression", "0"),
        ("core.preloadIndex", "false"), ("submodule.recurse", "true"), ("submodule.fetchJobs", "9"),
        ("core.sharedRepository", "group"),
    ],
    "index": [
        ("core.fsmonitor", "false-hook"), ("core.splitIndex", "true"),
        ("core.untrackedCache", "true"), ("core.ignoreStat", "true"), ("index.version", "4"),
        ("index.skipHash", "true"), ("index.threads", "3"),
        ("index.recordEndOfIndexEntries", "true"), ("index.recordOffsetTable", "true"),
        ("index.sparse", "true"), ("feature.manyFiles", "true"), ("feature.experimental", "true"),
        ("splitIndex.maxPercentChange", "0"), ("status.showUntrackedFiles", "no"),
        ("status.relativePaths", "true"), ("status.short", "true"), ("status.branch", "false"),
        ("status.showStash", "true"), ("status.renames", "copies"),
        ("status.submoduleSummary", "true"), ("status.aheadBehind", "true"),
        ("status.displayCommentPrefix", "true"), ("advice.statusHints", "true"),
        ("advice.updateSparsePath", "true"), ("advice.addEmbeddedRepo", "true"),
    ],
    "network": [
        ("push.gpgSign", "true"), ("push.followTags", "true"), ("push.default", "nothing"),
        ("push.pushOption", "x=y"), ("push.recurseSubmodules", "on-demand"),
        ("push.autoSetupRemote", "true"), ("push.useForceIfIncludes", "true"),
        ("push.negotiate", "true"), ("push.useBitmaps", "false"), ("remote.pushDefault", "nowhere"),
        ("fetch.prune", "true"), ("fetch.pruneTags", "true"), ("fetch.fsckObjects", "true"),
        ("transfer.fsckObjects", "true"), ("fetch.unpackLimit", "1"), ("transfer.unpackLimit", "1"),
        ("fetch.recurseSubmodules", "true"), ("fetch.writeCommitGraph", "true"),
        ("fetch.parallel", "0"), ("fetch.output", "compact"), ("fetch.showForcedUpdates", "true"),
        ("fetch.negotiationAlgorithm", "skipping"), ("remote.origin.tagOpt", "--tags"),
        ("remote.origin.prune", "true"), ("remote.origin.mirror", "true"),
        ("pack.packSizeLimit", "1m"), ("pack.compression", "0"), ("pack.depth", "1"),
        ("pack.window", "0"), ("pack.useSparse", "true"), ("pack.useBitmaps", "true"),
        ("pack.writeReverseIndex", "true"), ("pack.indexVersion", "1"), ("protocol.version", "0"),
        ("advice.pushUpdateRejected", "true"),
    ],
    "protocol 1": [
        ("protocol.version", "1"),
    ],
    "who and how": [
        ("commit.gpgSign", "true"), ("tag.gpgSign", "true"), ("gpg.program", "false"),
        ("user.signingKey", "nobody"), ("user.useConfigOnly", "true"), ("commit.verbose", "true"),
        ("commit.template", "/no/such/file"), ("commit.cleanup", "strip"), ("core.editor", "false"),
        ("core.askPass", "false"), ("gc.auto", "1"), ("core.logAllRefUpdates", "always"),
        ("core.commitGraph", "false"), ("core.multiPackIndex", "false"),
        ("core.warnAmbiguousRefs", "true"), ("core.createObject", "rename"),
        ("column.ui", "always"), ("safe.bareRepository", "explicit"), ("alias.push", "!false"),
        ("alias.diff-tree", "!false"), ("help.autoCorrect", "immediate"),
        ("core.excludesFile", "/no/such/file"), ("init.templateDir", "/no/such/folder"),
        ("core.packedRefsTimeout", "0"), ("rerere.enabled", "true"),
        ("uploadpack.hideRefs", "refs/heads"), ("core.hooksPath", "failing-hooks"),
        ("maintenance.auto", "true"), ("branch.sort", "-committerdate"),
    ],
}  # fmt: skip
EVERY = [pair for group in GROUPS.values() for pair in group]
HOOKS = """\
applypatch-msg pre-applypatch post-applypatch pre-commit pre-merge-commit prepare-commit-msg
commit-msg post-commit pre-rebase post-checkout post-merge pre-push reference-transaction
push-to-checkout pre-auto-gc post-rewrite sendemail-validate fsmonitor-watchman
post-index-change""".split()


@dataclass
class Bench:
    """One laptop with work of all kinds, what its push made, and a fresh clone to pull into."""

    lab: Lab
    pushed: Pushed
    files: dict[str, bytes]
    disk: dict[bytes, Entry]
    pod: Path
    count: int = 0

    def stored(self, prefix: str) -> dict[str, bytes]:
        """Return the files of the ghosts below `prefix`."""
        found = {}
        for ref in self.lab.ghost_refs():
            if ref.startswith(f"refs/heads/{prefix}/"):
                for name in (DIFF_FILE, COMMITS_FILE, BUNDLE_FILE):
                    if blob := self.lab.sandbox.git(
                        "cat-file", "blob", f"{ref}:{name}", cwd=self.lab.ghost_repo, check=False
                    ):
                        found[name] = blob
        return found

    def configure(self, at: Path, settings: Settings) -> None:
        """Append settings to the configuration of the repository at `at`."""
        values = {
            "failing-hooks": str(self.lab.sandbox.root / "hooks"),
            "false-hook": str(self.lab.sandbox.root / "hooks/fsmonitor-watchman"),
            "attributes-of-the-user": str(self.lab.sandbox.root / "attributes"),
        }
        with (at / ".git/config").open("a", encoding="utf-8") as config:
            for key, value in settings:
                section, _, name = key.rpartition(".")
                section, dot, sub = section.partition(".")
                title = f'{section} "{sub}"' if dot else section
                config.write(f'[{title}]\n\t{name} = "{values.get(value, value)}"\n')


def prepare(lab: Lab) -> None:
    """Commit and change a bit of everything that configuration could spoil."""
    hooks = lab.sandbox.root / "hooks"
    for hook in HOOKS:
        lab.write(hook, b'#!/bin/sh\necho "$0 ran" >&2\nexit 1\n', mode=0o755, at=hooks)
    lab.write("attributes", b"*.txt diff=shout\n*.py diff=fail\n", at=lab.sandbox.root)
    lab.write(".gitattributes", b"*.up diff=shout\n*.md diff=fail\n*.raw -text\n")
    lab.write(".mailmap", b"Somebody Else <else@example.com> Ada Ghost <ada@example.com>\n")
    lab.write("a.up", b"one\ntwo\n")
    lab.write("b.md", b"".join(b"line %d\n" % i for i in range(40)))
    lab.write("c.raw", b"one\r\ntwo\n")
    lab.write("space", b"\t trailing \n\n\n x\t\n")
    lab.write("binary", bytes(range(256)))
    lab.write("sub/x", b"x\n")
    lab.commit("Grüße")
    lab.push()
    lab.sandbox.git("tag", "-a", "-m", "v1", "v1", cwd=lab.laptop)
    lab.sandbox.git("switch", "--quiet", "--create", "side", "HEAD~1", cwd=lab.laptop)
    lab.write("side", b"side\n")
    lab.commit("Side")
    lab.sandbox.git("switch", "--quiet", "main", cwd=lab.laptop)
    lab.write("a.up", b"one\nzwei\n")
    (lab.laptop / "run.sh").rename(lab.laptop / "moved.sh")
    lab.commit("Local")
    lab.sandbox.git("merge", "--quiet", "-m", "Merge", "side", cwd=lab.laptop)
    lab.write("b.md", b"".join(b"line %d\n" % i for i in range(1, 41)) + b"end without")
    lab.write("c.raw", b"one\r\n2\r\n")
    lab.write("space", b"\t trailing \n\n x\t\n   \n")
    lab.write("binary", bytes(reversed(range(256))))
    lab.write("foo", b"b\n")
    lab.write("copy of foo", b"a\n")
    lab.write("sub/new", b"new \r\n")
    lab.write("grün", b"gr\xfcn\n")
    lab.write("big.txt", b"big and new\n" * 100)
    lab.symlink("link", "sub")
    lab.sandbox.git("add", "foo", "space", cwd=lab.laptop)
    (lab.laptop / "README").unlink()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Return the bench, made once; its environment is this process's while the module runs."""
    sandbox = Sandbox(tmp_path_factory.mktemp("config") / "sandbox")
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(sandbox.env):
            if not name.startswith("PYTEST_"):
                patch.delenv(name)
        for name, value in sandbox.env.items():
            patch.setenv(name, value)
        patch.chdir(sandbox.root)
        lab = Lab(sandbox)
        prepare(lab)
        pushed = push_untouched(lab)
        made = Bench(lab, pushed, {}, lab.disk_state(), lab.fresh_clone("fresh"))
        made.files = made.stored("ghost")
        assert set(made.files) == {DIFF_FILE, COMMITS_FILE, BUNDLE_FILE}
        yield made


def push_under(bench: Bench, settings: Settings) -> None:
    """Push with these settings and assert that the very same is stored."""
    bench.count += 1
    laptop = bench.lab.sandbox.root / f"laptop{bench.count}"
    shutil.copytree(bench.lab.laptop, laptop, symlinks=True)
    bench.configure(laptop, settings)
    prefix = f"p{bench.count}"
    pushed = push(replace(options(bench.lab, laptop), prefix=prefix))
    assert pushed.lines == bench.pushed.lines
    stored = bench.stored(prefix)
    assert stored[DIFF_FILE].replace(b"\n\n", b"\n \n") == bench.files[DIFF_FILE].replace(
        b"\n\n", b"\n \n"
    )
    assert without_log_lines(stored[COMMITS_FILE]) == without_log_lines(bench.files[COMMITS_FILE])
    assert stored[BUNDLE_FILE].split(b"PACK")[0] == bench.files[BUNDLE_FILE].split(b"PACK")[0]
    shutil.rmtree(laptop)


def without_log_lines(patch: bytes) -> bytes:
    """Return `commits.patch` without what is for people: `--stat`, the subject's prefix."""
    lines = [line for line in patch.split(b"\n") if b" | " not in line]
    return b"\n".join(re.sub(rb"^Subject: \[\w+\]", b"Subject:", line) for line in lines)


def pull_under(bench: Bench, settings: Settings) -> None:
    """Pull with these settings and assert that exactly what was pushed is there."""
    bench.count += 1
    pod = bench.lab.sandbox.root / f"pod{bench.count}"
    shutil.copytree(bench.pod, pod, symlinks=True)
    bench.configure(pod, settings)
    pull(bench.pushed.hash, options(bench.lab, pod))
    shutil.copy(bench.pod / ".git/config", pod / ".git/config")
    assert_exact(bench.lab, pod, bench.pushed, bench.disk)
    shutil.rmtree(pod)


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
def test_a_push_is_the_same_under_a_group_of_settings(bench: Bench, group: Settings) -> None:
    push_under(bench, group)


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
def test_a_pull_is_the_same_under_a_group_of_settings(bench: Bench, group: Settings) -> None:
    pull_under(bench, group)


def test_push_and_pull_are_the_same_under_all_settings_together(bench: Bench) -> None:
    push_under(bench, EVERY)
    pull_under(bench, EVERY)


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting", EVERY, ids=lambda s: f"{s[0]}={s[1]}" if isinstance(s, tuple) else str(s)
)
def test_a_push_and_a_pull_are_the_same_under_any_setting(
    bench: Bench, setting: tuple[str, str]
) -> None:
    push_under(bench, [setting])
    pull_under(bench, [setting])


def test_a_clone_is_the_same_under_all_settings_together(bench: Bench, tmp_path: Path) -> None:
    config = tmp_path / "gitconfig"
    plain = (bench.lab.sandbox.home / ".gitconfig").read_bytes()
    for key, value in EVERY:
        if key not in ("uploadpack.hideRefs", "core.hooksPath"):  # would be the server's too, here
            args = ("config", "--file", config, "--add", key, value)
            bench.lab.sandbox.git(*args)
    (bench.lab.sandbox.home / ".gitconfig").write_bytes(plain + config.read_bytes())
    try:
        clone(bench.pushed.hash, str(tmp_path / "pod"), Options(repo=bench.lab.ghost_url))
    finally:
        (bench.lab.sandbox.home / ".gitconfig").write_bytes(plain)
    assert_exact(bench.lab, tmp_path / "pod", bench.pushed, bench.disk)


BINARY = [("core.bigFileThreshold", "1"), ("diff.shout.binary", "true")]


def test_how_the_patch_is_written_does_not_matter(bench: Bench) -> None:
    bench.count += 1
    laptop = bench.lab.sandbox.root / f"laptop{bench.count}"
    shutil.copytree(bench.lab.laptop, laptop, symlinks=True)
    bench.configure(laptop, [*BINARY, ("core.quotePath", "false")])
    how = replace(options(bench.lab, laptop), prefix="big")
    assert push(how).lines == bench.pushed.lines
    for name, settings in (("small", []), ("big", BINARY)):
        pod = bench.lab.sandbox.root / f"pod-{name}"
        shutil.copytree(bench.pod, pod, symlinks=True)
        bench.configure(pod, settings)
        pull(bench.pushed.hash, replace(how, directory=str(pod)))
        shutil.copy(bench.pod / ".git/config", pod / ".git/config")
        assert_exact(bench.lab, pod, bench.pushed, bench.disk)


# Line ends: the one setting that is meant to change what is on disk


@pytest.mark.parametrize("autocrlf", ["true", "input"])
@pytest.mark.parametrize("safecrlf", ["true", "warn"])
def test_converted_line_ends_give_the_tree_that_git_would_commit(
    lab: Lab, in_sandbox: Sandbox, autocrlf: str, safecrlf: str
) -> None:
    lab.write("crlf-in-the-blob", b"one\r\ntwo\r\n")
    lab.write("raw", b"one\r\n\0")
    lab.commit("Before")
    lab.push()
    for name, value in (("core.autocrlf", autocrlf), ("core.safecrlf", safecrlf)):
        in_sandbox.git("config", name, value, cwd=lab.laptop)
    lab.write("crlf-in-the-blob", b"one\r\n2\r\n")
    lab.write("foo", b"a\r\nb\r\n")
    lab.write("new", b"new\r\n")
    lab.write("mixed", b"one\r\ntwo\n")
    lab.write("raw", b"two\r\n\0")
    pushed = push_untouched(lab)
    in_sandbox.git("config", "core.safecrlf", "false", cwd=lab.laptop)
    assert pushed.hash == lab.tree_of()
    pod = lab.fresh_clone("pod")
    pull(pushed.hash, options(lab, pod))
    assert_exact(lab, pod, pushed)
    assert (pod / "foo").read_bytes() == b"a\nb\n"
    assert (pod / "crlf-in-the-blob").read_bytes() == b"one\r\n2\r\n"


@pytest.mark.parametrize("eol", ["crlf", "native"])
def test_a_pod_that_writes_crlf_has_the_same_tree(lab: Lab, in_sandbox: Sandbox, eol: str) -> None:
    lab.write("foo", b"a\nb\n")
    lab.write("mixed", b"one\r\ntwo\n")
    lab.write("crlf", b"one\r\n")
    lab.write("binary", b"\0\n\r\n")
    lab.commit("Local")
    lab.write("new", b"new\n")
    lab.write("foo", b"b\nc\n")
    pushed = push_untouched(lab)
    pod = lab.fresh_clone("pod")
    for name, value in (("core.autocrlf", "true"), ("core.eol", eol), ("core.safecrlf", "true")):
        in_sandbox.git("config", name, value, cwd=pod)
    pull(pushed.hash, options(lab, pod))
    assert (pod / "foo").read_bytes() == b"b\r\nc\r\n"
    assert (pod / "mixed").read_bytes() == b"one\r\ntwo\n"
    in_sandbox.git("config", "core.safecrlf", "false", cwd=pod)
    assert_exact(lab, pod, pushed)


def test_nobody_needs_a_name_to_push_or_to_pull(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"):
        assert os.environ[variable] == PINNED_DATE
        monkeypatch.delenv(variable)
    home = bench.lab.sandbox.home / ".gitconfig"
    plain = home.read_bytes()
    home.write_bytes(b"[user]\n\tuseConfigOnly = true\n")
    try:
        push_under(bench, [])
        pull_under(bench, [])
    finally:
        home.write_bytes(plain)
