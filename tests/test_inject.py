"""`git ghost inject` at the command line: what it takes, prints, and refuses."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from git_ghost import Options, inject, uninject
from git_ghost.errors import UsageError
from git_ghost.workloads.manifest import Code, code_of
from tests.support.environment import UNMEASURED
from tests.support.lab import Lab
from tests.support.sandbox import Result, Sandbox

HASH = "8f3a9d5be1c07f6a2d4e8b90c1d2e3f405162738"
BASE = "1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e"
REPO = "ssh://git@git.example.com/ghosts.git"
JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  generateName: train-
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: python:3.12
      - name: second
        image: python:3.12
"""
WIDGET = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {containers: []}\n"
WORKFLOW = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\n"
FLOW = WORKFLOW + "spec:\n  templates: [{name: a, container: {image: b}}]\n"
SET = JOB.replace("batch/v1\nkind: Job", "apps/v1\nkind: StatefulSet")
MANIFESTS = Path(__file__).parent / "manifests"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """Return a machine whose git config names the image and the ghost repository."""
    sandbox.config("ghost.image", "git-ghost:1.0")
    sandbox.config("ghost.repo", REPO)
    return sandbox


def run(box: Sandbox, *args: str | Path, text: str = JOB, cwd: Path | None = None) -> Result:
    """Inject what is on standard input."""
    return box.ghost("inject", "-f", "-", *args, stdin=text.encode(), cwd=cwd)


def pod(done: Result) -> Any:
    """The pod spec of the one Job that was printed."""
    return yaml.safe_load(done.ok())["spec"]["template"]["spec"]


def step(done: Result) -> Any:
    """The init container in it."""
    return pod(done)["initContainers"][0]


# --- input and output ----------------------------------------------------------------------------


def test_only_the_result_goes_to_stdout_and_the_report_to_stderr(box: Sandbox) -> None:
    done = run(box, HASH)
    assert yaml.safe_load(done.ok())["kind"] == "Job"
    assert done.err == f"standard input:1: job/train-: pull of {HASH} added to 1 pod template\n"
    assert run(box, HASH, "-q").err == ""


def test_files_folders_and_standard_input_in_the_order_they_are_named(box: Sandbox) -> None:
    folder = box.root / "deploy"
    folder.mkdir()
    (folder / "b.yaml").write_text(JOB.replace("train-", "b-"))
    (folder / "a.yml").write_text(CONFIG_MAP)
    (box.root / "one.json").write_text(json.dumps(yaml.safe_load(JOB)))
    done = box.ghost(
        "inject", "-f", "one.json", "-f", "deploy", "--filename=-", HASH, stdin=JOB.encode()
    )
    made = list(yaml.safe_load_all(done.ok()))
    names = [each["metadata"].get("generateName", "-") for each in made]
    assert names == ["train-", "-", "b-", "train-"]
    assert "deploy/a.yml:1: configmap/c: no pods\n" in done.err


def test_json_is_one_object_or_a_list_of_several(box: Sandbox) -> None:
    assert json.loads(run(box, HASH, "-o", "json").ok())["kind"] == "Job"
    both = json.loads(run(box, HASH, "-o", "json", text=f"{JOB}---\n{CONFIG_MAP}").ok())
    assert [each["kind"] for each in both["items"]] == ["Job", "ConfigMap"]


def test_the_same_input_gives_the_same_bytes(box: Sandbox) -> None:
    first = run(box, BASE, HASH)
    assert first.out == run(box, BASE, HASH).out
    again = run(box, BASE, HASH, text=first.out.decode())
    assert again.out == first.out


def test_remove_takes_everything_out_again(box: Sandbox) -> None:
    injected = run(box, HASH).out.decode()
    done = run(box, "--remove", text=injected)
    assert yaml.safe_load(done.ok()) == yaml.safe_load(JOB)
    assert done.err == "standard input:1: job/train-: the pull was taken out\n"
    untouched = run(box, "--remove")
    assert yaml.safe_load(untouched.ok()) == yaml.safe_load(JOB)
    assert untouched.err == "standard input:1: job/train-: nothing to take out\n"


def test_remove_needs_no_settings_and_takes_no_hash(sandbox: Sandbox) -> None:
    assert run(sandbox, "--remove").code == 0
    assert f"unexpected argument '{HASH}'" in run(sandbox, "--remove", HASH).fails(2)


def test_annotations_that_say_another_code_are_replaced_and_restored(box: Sandbox) -> None:
    theirs = {"git-ghost.io/hash": BASE, "git-ghost.io/base": BASE, "git-ghost.io/x": "y", "a": "b"}
    before = yaml.safe_load(JOB)
    before["metadata"]["annotations"] = dict(theirs)
    before["spec"]["template"]["metadata"] = {"annotations": dict(theirs)}
    injected = run(box, HASH, text=json.dumps(before)).out.decode()
    for holder in (yaml.safe_load(injected), yaml.safe_load(injected)["spec"]["template"]):
        found = holder["metadata"]["annotations"]
        del found["git-ghost.io/injected"]
        assert found == {"a": "b", "git-ghost.io/hash": HASH, "git-ghost.io/repository": REPO}
    assert run(box, HASH, text=injected).out.decode() == injected
    assert yaml.safe_load(run(box, "--remove", text=injected).ok()) == before


def test_the_result_is_utf8_whatever_the_locale_says(box: Sandbox) -> None:
    text = JOB.replace("python:3.12", "größe:日本")
    done = box.ghost(
        "inject", "-f", "-", HASH, stdin=text.encode(), env={"PYTHONIOENCODING": "latin-1"}
    )
    assert pod(done)["containers"][0]["image"] == "größe:日本"


def test_a_damaged_note_is_an_error_and_not_half_a_removal(box: Sandbox) -> None:
    injected = run(box, HASH).out.decode().replace("""'[["made""", """'[[["made""")
    assert "git-ghost.io/injected cannot be read" in run(box, "--remove", text=injected).fails(1)


# --- which code ----------------------------------------------------------------------------------


def test_without_a_hash_it_is_the_working_tree_as_a_push_would_name_it(lab: Lab) -> None:
    lab.sandbox.config("ghost.image", "git-ghost:1.0")
    lab.write("foo", b"b\n")
    url = "ssh://git@git.example.com/source.git"
    args = ("--ghost-repo", REPO, "--source", url)
    done = run(lab.sandbox, *args, cwd=lab.laptop)
    made = yaml.safe_load(done.ok())
    base, tree = lab.sandbox.ghost("push", "--dry-run", cwd=lab.laptop).ok().split()
    assert made["metadata"]["annotations"]["git-ghost.io/hash"] == tree
    assert made["metadata"]["annotations"]["git-ghost.io/base"] == base
    assert made["metadata"]["annotations"]["git-ghost.io/source"] == url
    assert run(lab.sandbox, *args, base, tree, cwd=lab.laptop).out == done.out


def _push_to_where_pods_look(lab: Lab) -> None:
    lab.sandbox.config("ghost.image", "git-ghost:1.0")
    lab.sandbox.config("ghost.repo", REPO)
    lab.sandbox.config(f"url.{lab.ghost_url}.insteadOf", REPO)


@pytest.mark.parametrize("command", ["inject", "run --dry-run=client"])
def test_the_file_that_the_result_goes_to_is_not_part_of_the_tree(lab: Lab, command: str) -> None:
    _push_to_where_pods_look(lab)
    lab.write("new", b"here to stay\n")
    tree = lab.sandbox.ghost("push", cwd=lab.laptop).ok().split()[-1]
    into = f'exec "$0" -m git_ghost {command} -f - --source {REPO} > out.yaml'
    words = ("sh", "-c", into, sys.executable)
    done = lab.sandbox.run(*words, cwd=lab.laptop, stdin=JOB.encode())
    assert (done.code, "warning" in done.err) == (0, False), done.err
    made = yaml.safe_load((lab.laptop / "out.yaml").read_text())
    assert made["metadata"]["annotations"]["git-ghost.io/hash"] == tree


def test_a_tree_that_was_not_pushed_from_here_gets_one_warning(lab: Lab) -> None:
    _push_to_where_pods_look(lab)
    lab.write("foo", b"b\n")
    named = ("--source", REPO)
    warned = run(lab.sandbox, *named, cwd=lab.laptop)
    base, tree = lab.sandbox.ghost("push", "--dry-run", cwd=lab.laptop).ok().split()
    assert f"warning: this tree ({tree}) was not pushed from here" in warned.err
    assert warned.err.count("warning:") == 1
    assert "warning:" not in run(lab.sandbox, *named, base, tree, cwd=lab.laptop).err
    lab.sandbox.ghost("push", cwd=lab.laptop).ok()
    assert "warning:" not in run(lab.sandbox, *named, cwd=lab.laptop).err


@pytest.mark.parametrize("command", [("inject", "-f", "-"), ("run", "--dry-run=client", "-f", "-")])
def test_the_repository_is_opened_once(lab: Lab, command: tuple[str, ...]) -> None:
    named = ("--ghost-repo", REPO, "--source", REPO, "--init-image", "git-ghost:1.0")
    done = lab.ghost(*command, *named, "-v", stdin=JOB.encode())
    done.ok()
    assert done.err.count("--show-toplevel") == 1


def test_the_line_that_push_prints_can_be_handed_on_as_it_is(box: Sandbox) -> None:
    container = step(run(box, BASE, HASH))
    assert container["args"][-4:] == [f"--base={BASE}", "--", HASH, "/git-ghost/source"]


def test_without_a_hash_and_a_repository_it_says_so(box: Sandbox) -> None:
    assert "no hash is given" in run(box).fails(1)


@pytest.mark.parametrize(
    "word", ["8f3a9d5", "HEAD", "-x", "8f3a9d5be1c07f6a2d4e8b90c1d2e3f40516273g"]
)
def test_a_manifest_gets_full_hashes_only(box: Sandbox, word: str) -> None:
    assert f"'{word}' is not a full hash" in run(box, "--", word).fails(2)


def test_a_workflow_may_leave_the_hash_to_its_parameters(box: Sandbox) -> None:
    workflow = """\
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: train}
spec:
  templates:
  - name: train
    inputs: {parameters: [{name: ghost}]}
    container: {image: "python:3.12"}
"""
    word = "{{inputs.parameters.ghost}}"
    made = yaml.safe_load(run(box, word, text=workflow).ok())
    [template] = made["spec"]["templates"]
    assert word in template["initContainers"][0]["args"]
    assert template["metadata"]["annotations"]["git-ghost.io/hash"] == word
    # Argo puts values into templates, not into the metadata of the object itself.
    assert "git-ghost.io/hash" not in made["metadata"]["annotations"]
    assert "means something in a workflow, not in a Job" in run(box, word).fails(2)


def test_a_local_path_is_refused_because_pods_cannot_reach_it(box: Sandbox) -> None:
    said = run(box, HASH, "--ghost-repo", "/srv/ghosts.git").fails(2)
    assert "pods cannot reach the ghost repository /srv/ghosts.git" in said
    assert "pods cannot reach the source /x" in run(box, HASH, "--source", "/x").fails(2)


def test_without_a_ghost_repository_or_an_image_it_says_what_to_set(sandbox: Sandbox) -> None:
    assert "git config --global ghost.image IMAGE" in run(sandbox, HASH).fails(2)
    assert "git config --global ghost.repo URL" in run(sandbox, HASH, "--image", "x").fails(2)


def test_credentials_in_urls_stay_out_of_the_manifest_and_that_is_said(box: Sandbox) -> None:
    urls = ("https://ann:pa55word@h/ghosts.git", "https://t0ken@h/source.git?private=pa55word")
    done = run(box, HASH, "--ghost-repo", urls[0], "--source", urls[1])
    for secret in ("pa55word", "t0ken", "ann:"):
        assert secret not in done.ok() + done.err
    assert "put them into a Secret and name it with --ghost-secret" in done.err
    assert "put them into a Secret and name it with --git-secret" in done.err


@pytest.mark.parametrize(
    "words",
    [("inject", "-f", "job.yaml"), ("run", "--dry-run=client", "-f", "job.yaml")],
    ids=["inject", "run"],
)
def test_credentials_in_the_url_of_the_remote_too(lab: Lab, words: tuple[str, ...]) -> None:
    lab.sandbox.config("ghost.image", "git-ghost:1.0")
    lab.write("job.yaml", JOB.encode())
    git = functools.partial(lab.sandbox.git, cwd=lab.laptop)
    git("config", "remote.origin.url", "https://ada:pa55word@git.example.com/x.git")
    git("remote", "add", "other", "https://bob:0ther@git.example.com/y.git")
    done = lab.sandbox.ghost(*words, "--ghost-repo", REPO, cwd=lab.laptop)
    assert "value: https://git.example.com/x.git\n" in done.ok() + "\n"
    for secret in ("pa55word", "ada:", "ada@", "0ther"):
        assert secret not in done.ok() + done.err
    assert (
        "warning: the credentials in the URL of https://git.example.com/x.git do not go into a"
        " manifest: put them into a Secret and name it with --git-secret\n"
    ) in done.err
    assert done.err.count("do not go into a manifest") == 1
    # insteadOf may bring them as well.
    git("config", "remote.origin.url", "ours:x.git")
    git("config", "url.https://t0ken@git.example.com/.insteadOf", "ours:")
    done = lab.sandbox.ghost(*words, "--ghost-repo", REPO, cwd=lab.laptop)
    assert "name it with --git-secret\n" in done.err
    assert "t0ken" not in done.ok() + done.err
    # With a source of its own the remote does not matter; nor does it for a hash from elsewhere.
    done = lab.sandbox.ghost(*words, "--ghost-repo", REPO, "--source=https://h/x", cwd=lab.laptop)
    assert "do not go into a manifest" not in done.err
    if words[0] == "inject":
        done = lab.sandbox.ghost(*words, HASH, "--ghost-repo", REPO, cwd=lab.laptop)
        assert done.code == 0
        assert "do not go into a manifest" not in done.err


def test_an_expression_without_a_value_is_no_code() -> None:
    annotations = {"git-ghost.io/hash": "{{workflow.parameters.ghost}}"}
    assert code_of({"metadata": {"annotations": annotations}}) is None
    assert code_of({"metadata": {"annotations": {"git-ghost.io/hash": HASH}}}) == Code(HASH)
    assert code_of({}) is None


# --- choices -------------------------------------------------------------------------------------

CHOICES: list[tuple[list[str], str, str, list[str]]] = [
    (["--init-image", "other:2"], "ghost.image", "other:2", ["image: other:2"]),
    (["--image", "other:2"], "ghost.image", "other:2", ["image: other:2"]),
    (["--mount", "/code"], "ghost.mount", "/code", ["mountPath: /code", "workingDir: /code"]),
    (["--git-secret", "one"], "ghost.gitSecret", "one", ["secretName: one", "/etc/git-ghost/git"]),
    (["--ghost-secret", "two"], "ghost.ghostSecret", "two", ["secretName: two"]),
    (["--init-requests", "cpu=50m"], "ghost.initRequests", "cpu=50m", ["cpu: 50m"]),
    (["--init-limits", "memory=3Gi"], "ghost.initLimits", "memory=3Gi", ["memory: 3Gi"]),
    (["--init-run-as-user", "1337"], "ghost.initRunAsUser", "1337", ["runAsUser: 1337"]),
    (
        ["--source", "https://h/s.git"],
        "ghost.source",
        "https://h/s.git",
        ["value: https://h/s.git"],
    ),
    (["-l", "team=vision"], "ghost.label", "team=vision", ["team: vision"]),
    (["--annotation", "note=a b"], "ghost.annotation", "note=a b", ["note: a b"]),
    (["--ghost-prefix", "team/x"], "ghost.prefix", "team/x", ["git-ghost.io/prefix: team/x"]),
]


@pytest.mark.parametrize(("flags", "key", "value", "expected"), CHOICES)
def test_every_choice_is_a_flag_and_a_setting(
    box: Sandbox, flags: list[str], key: str, value: str, expected: list[str]
) -> None:
    if key != "ghost.source":
        box.env["GIT_GHOST_SOURCE"] = "https://h/source.git"
    by_flag = run(box, HASH, *flags)
    for text in expected:
        assert text in by_flag.ok()
        assert text not in run(box, HASH).ok()
    box.config(key, value)
    assert run(box, HASH).out == by_flag.out


def test_a_flag_beats_its_setting(box: Sandbox) -> None:
    box.config("ghost.mount", "/configured")
    box.config("ghost.container", "second")
    assert "/configured" not in run(box, HASH, "--mount", "/code").ok()
    mounted = [bool(c.get("volumeMounts")) for c in pod(run(box, HASH, "-c", "main"))["containers"]]
    assert mounted == [True, False]


def test_the_user_of_the_pull_can_be_left_to_the_cluster(box: Sandbox) -> None:
    security = step(run(box, HASH, "--init-run-as-user", "none"))["securityContext"]
    assert "runAsUser" not in security
    assert security["runAsNonRoot"] is True
    assert "runAsNonRoot" not in step(run(box, HASH, "--init-run-as-user", "0"))["securityContext"]
    assert "'ann' is not a user id" in run(box, HASH, "--init-run-as-user", "ann").fails(2)


def test_only_the_named_containers_get_the_code(box: Sandbox) -> None:
    first, second = pod(run(box, HASH, "-c", "second"))["containers"]
    assert first == {"name": "main", "image": "python:3.12"}
    assert second["workingDir"] == "/workspace"


def test_an_init_container_of_the_users_gets_the_code_when_it_is_named(box: Sandbox) -> None:
    text = JOB + "      initContainers: [{name: prepare, image: 'busybox:1'}]\n"
    names = [c["name"] for c in pod(run(box, HASH, "-c", "prepare", text=text))["initContainers"]]
    assert names == ["git-ghost", "prepare"]
    prepare = pod(run(box, HASH, "-c", "prepare", text=text))["initContainers"][1]
    assert prepare["volumeMounts"][0]["mountPath"] == "/workspace"
    assert "volumeMounts" not in pod(run(box, HASH, text=text))["initContainers"][1]


def test_only_the_named_template_of_a_workflow_gets_the_pull(box: Sandbox) -> None:
    workflow = (MANIFESTS / "workflow.yaml").read_text()
    made = yaml.safe_load(run(box, HASH, "--template", "train", text=workflow).ok())
    with_pull = [
        each["name"]
        for each in made["spec"]["templates"]
        if any(c["name"] == "git-ghost" for c in each.get("initContainers", ()))
    ]
    assert with_pull == ["train"]
    labelled = yaml.safe_load(
        run(box, HASH, "--template", "train", "-l", "a=b", text=workflow).ok()
    )
    of_all = [each.get("metadata", {}).get("labels") for each in labelled["spec"]["templates"]]
    assert of_all == [None, {"a": "b"}, {"app": "train", "a": "b"}, {"a": "b"}, None]
    said = run(box, HASH, "--template", "nope", text=workflow).fails(1)
    assert "workflow/train- has no template 'nope'" in said
    assert "prepare, train" in said


# --- what is refused -----------------------------------------------------------------------------


def container(extra: str) -> str:
    """A Job with more in its first container."""
    return JOB.replace("      - name: main\n", f"      - name: main\n        {extra}\n")


@pytest.mark.parametrize(
    ("flags", "text", "code", "said"),
    [
        (["-c", "nope"], JOB, 1, "job/train- has no container 'nope'\nhint: It has: main, second."),
        ([], container("volumeMounts: [{name: x, mountPath: /workspace/}]"), 1,
         "container 'main' of job/train- has the volume 'x' at /workspace already"),
        ([], JOB + "      volumes: [{name: git-ghost}]\n", 1, "has something called 'git-ghost'"),
        ([], JOB + "      volumes: [{name: git-ghost-tmp}]\n", 1, "called 'git-ghost-tmp'"),
        ([], JOB + "      initContainers: [{name: git-ghost}]\n", 1, "called 'git-ghost'"),
        ([], JOB.replace("name: second", "name: git-ghost"), 1, "something called 'git-ghost'"),
        ([], SET + "  volumeClaimTemplates: [{metadata: {name: git-ghost}}]\n", 1,
         "has something called 'git-ghost' in spec.volumeClaimTemplates"),
        ([], FLOW + "  volumes: [{name: git-ghost-tmp}]\n", 1, "'git-ghost-tmp' in spec.volumes"),
        ([], FLOW + "  volumeClaimTemplates: [{metadata: {name: git-ghost}}]\n", 1,
         "has something called 'git-ghost' in spec.volumeClaimTemplates"),
        ([], FLOW + "  templateDefaults: {initContainers: [{name: git-ghost}]}\n", 1,
         "has something called 'git-ghost' in spec.templateDefaults.initContainers"),
        ([], FLOW.replace("{name: a,", "{name: a, sidecars: [{name: git-ghost}],"), 1,
         "has something called 'git-ghost' in templates[a].sidecars"),
        ([], WORKFLOW + "spec: {templates: [{name: a, containerSet: {containers: [{name: b}],"
         " volumeMounts: [{name: x, mountPath: /workspace}]}}]}\n", 1,
         "container 'b' of workflow/w has the volume 'x' at /workspace already"),
        (["{{x}}"], JOB, 2, "standard input:1: {{x}} means something in a workflow, not in a Job"),
        (["--git-secret", "one"], JOB, 2, "the Secret one is for the source"),
        (["--mount", "workspace"], JOB, 2, "nothing can be mounted at 'workspace'"),
        (["--mount", "/"], JOB, 2, "nothing can be mounted at '/'"),
        (["--mount", "/a/../b"], JOB, 2, "nothing can be mounted at '/a/../b'"),
        (["-l", "x"], JOB, 2, "'x' is not a valid label"),
        (["-l", "x=a b"], JOB, 2, "'a b' cannot be the value of the label x"),
        (["-l", f"x={'a' * 64}"], JOB, 2, "At most 63 letters"),
        (["-l", "git-ghost.io/hash=x"], JOB, 2, "'git-ghost.io/hash' is git ghost's own"),
        (["--annotation", "a/b/c=x"], JOB, 2, "'a/b/c' cannot be the key"),
        (["--strict"], WIDGET, 1, "widget/w is of a kind git ghost does not know"),
        ([], "kind: [", 1, "standard input:2: this is not valid YAML"),
        ([], "", 1, "there is no Kubernetes object in -"),
        ([], "apiVersion: batch/v1\nkind: Job\n", 1, "job has no pod template: spec is missing"),
        ([], JOB.replace("template", "tmpl"), 1, "has no pod template: spec.template is missing"),
        ([], JOB.replace("containers:", "containers: []\n      x:"), 1, "containers is missing"),
        ([], JOB.replace("name: main", "title: main"), 1, "a container in spec.template.spec has"),
        ([], "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainJob\n", 1,
         "Inject into the TrainingRuntime"),
        ([], WORKFLOW + "spec: {workflowTemplateRef: {name: t}}\n", 1,
         "Inject into that WorkflowTemplate."),
        ([], WORKFLOW + "spec: {}\n", 1, "workflow/w has no templates"),
        ([], WORKFLOW + "spec: {templates: [1]}\n", 1, "a template is not a mapping"),
        (["-f", "nope.yaml"], JOB, 1, "nope.yaml: no such file or directory"),
        (["a", "b", "c"], JOB, 2, "unexpected argument"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_words_and_nothing_is_printed(
    box: Sandbox, flags: list[str], text: str, code: int, said: str
) -> None:
    words = flags if flags[:1] == ["a"] else [*flags, HASH]
    done = run(box, *words, text=text)
    assert said in done.fails(code)
    assert done.out == b""


def test_no_file_is_a_mistake_in_the_call(box: Sandbox) -> None:
    assert "missing option '-f'" in box.ghost("inject", HASH).fails(2)


def test_an_unknown_kind_passes_unchanged_with_a_warning(box: Sandbox) -> None:
    done = run(box, HASH, text=f"{WIDGET}---\n{JOB}")
    first, second = yaml.safe_load_all(done.ok())
    assert first == yaml.safe_load(WIDGET)
    assert second["kind"] == "Job"
    assert (
        "warning: standard input:1: widget/w is of a kind git ghost does not know;"
        " it is passed on unchanged" in done.err
    )


PODS = "spec: {containers: [{name: main, image: i}]}"
GADGET = f"apiVersion: x.io/v1\nkind: Gadget\nspec: {{workers: [{{template: {{{PODS}}}}}]}}\n"


@pytest.mark.parametrize(
    ("place", "text", "inside"),
    [
        ("spec.template", f"spec: {{template: {{{PODS}}}}}\n", ("spec", "template", "spec")),
        ("Thing.x.io=spec", PODS, ("spec",)),
        ("Thing=spec.*.a[]", f"spec: {{b: {{a: [{{{PODS}}}]}}}}", ("spec", "b", "a", 0, "spec")),
    ],
)  # fmt: skip
def test_path_says_where_a_kind_nobody_knows_has_its_pod_template(
    box: Sandbox, place: str, text: str, inside: tuple[str | int, ...]
) -> None:
    text = f"apiVersion: x.io/v1\nkind: Thing\n{text}"
    done = run(box, HASH, "--strict", "--path", place, text=text)
    found = yaml.safe_load(done.ok())
    for key in inside:
        found = found[key]
    assert [each["name"] for each in found["initContainers"]] == ["git-ghost"]
    assert f"thing: pull of {HASH} added to 1 pod template" in done.err
    assert yaml.safe_load(run(box, "--remove", text=done.out.decode()).ok()) == yaml.safe_load(text)
    box.config("ghost.podTemplates", place)
    assert run(box, HASH, text=text).out == done.out
    beside = run(box, HASH, text=f"{text}\n---\n{WIDGET}---\n{JOB}")
    assert "widget/w is of a kind git ghost does not know" in beside.err


@pytest.mark.parametrize(
    ("place", "code", "said"),
    [
        ("spec.", 2, "'spec.' is not the place of a pod template"),
        ("Gadget.x.io=spec.template", 1, "gadget has no pod template: spec.template is missing"),
        ("spec.template", 1, "--path spec.template found nothing in gadget"),
    ],
)
def test_a_path_that_leads_nowhere_is_told(box: Sandbox, place: str, code: int, said: str) -> None:
    assert said in run(box, HASH, "--path", place, text=GADGET).fails(code)


def test_templates_elsewhere_that_get_no_pull_are_named(box: Sandbox) -> None:
    step = "{name: x, templateRef: {name: git-ghost, template: run}}"
    task = "{name: y, templateRef: {name: other, template: t}}"
    more = f", {{name: m, steps: [[{step}]]}}, {{name: n, dag: {{tasks: [{task}]}}}}]"
    done = run(box, HASH, text=FLOW.replace("}]", "}" + more))
    assert len(yaml.safe_load(done.ok())["spec"]["templates"]) == 3
    assert (
        "warning: standard input:1: workflow/w refers to templates elsewhere, which get no pull"
        " from this file: git-ghost/run, other/t\n"
    ) in done.err


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (CONFIG_MAP, "there is no pod template that runs your code in what was given"),
        (WIDGET, "git ghost does not know the kind of widget/w"),
    ],
)
def test_where_nothing_can_be_added_nothing_is_printed_that_somebody_may_create(
    box: Sandbox, text: str, why: str
) -> None:
    done = run(box, HASH, text=text)
    assert f"error: nothing was added: {why}\n" in done.fails(1)
    assert done.out == b""


@pytest.mark.parametrize("requests", ["", ", requests: {cpu: 4, memory: 8Gi}"])
def test_a_guaranteed_pod_stays_guaranteed(box: Sandbox, requests: str) -> None:
    limits = f"resources: {{limits: {{cpu: '4', memory: 8Gi}}{requests}}}"
    text = JOB.replace("        image: python:3.12\n", f"        image: x\n        {limits}\n")
    resources = step(run(box, HASH, text=text))["resources"]
    assert resources["requests"] == resources["limits"]
    assert step(run(box, HASH))["resources"]["requests"] != resources["limits"]


# --- what it costs, and the API ------------------------------------------------------------------

MODULES = """
import atexit, sys
atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr))
sys.argv[0] = "git-ghost"
from git_ghost.cli.main import entry
entry()
"""


def test_neither_kubernetes_nor_rich_nor_dulwich_is_loaded(box: Sandbox) -> None:
    argv = (sys.executable, "-c", MODULES, "inject", "-f", "-", HASH)
    done = box.run(*argv, stdin=JOB.encode(), env=UNMEASURED)
    assert done.code == 0
    roots = {module.split(".")[0] for module in done.err.split("\n")[-2].split()}
    assert "yaml" in roots
    assert roots.isdisjoint({"kubernetes", "rich", "dulwich", "urllib3", "http", "asyncio"})


def test_the_same_from_python(in_sandbox: Sandbox) -> None:
    file = in_sandbox.root / "job.yaml"
    file.write_text(JOB)
    in_sandbox.config("ghost.image", "git-ghost:1.0")
    injected = inject([str(file)], Options(repo=REPO), hash=HASH)
    assert injected.hash == HASH
    assert (
        injected.objects[0]["spec"]["template"]["spec"]["initContainers"][0]["name"] == "git-ghost"
    )
    assert injected.outcomes[0].templates == 1
    assert uninject([str(file)]).objects == (yaml.safe_load(JOB),)
    with pytest.raises(UsageError):
        inject([str(file)], Options(), hash=HASH)
