"""The examples and docs/cluster.md can be followed: their manifests are valid, their words true."""

from __future__ import annotations

import copy
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import yaml

from git_ghost import kinds
from git_ghost.cli.main import COMMANDS, Commands
from git_ghost.workloads import manifest
from git_ghost.workloads.manifest import Document, Step
from git_ghost.workloads.manifest.step import init_container, mount, trust, volumes
from tests.support.sandbox import Result, Sandbox

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
MANIFESTS = sorted(EXAMPLES.glob("*/*.yaml"))
SCRIPTS = sorted(EXAMPLES.glob("*/run.sh"))
PAGES = [*sorted(EXAMPLES.glob("**/README.md")), ROOT / "docs" / "cluster.md"]
VERSIONS = ("1.29", kubernetes_validate.latest_version())
NEWER = {"buildkit.yaml": ("1.30", kubernetes_validate.latest_version())}
"""Which versions accept what needs more than the oldest; the page about it says so."""
STEP = Step(
    hash="8f3a9d5be1c07f6a2d4e8b90c1d2e3f405162738",
    base="1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e",
    repo="git@git.example.com:team/ghosts.git",
    source="https://git.example.com/team/project.git",
    image="registry.example.com/team/git-ghost:1",
    git_secret="git-ghost",
)

Object = dict[str, Any]


def objects(path: Path) -> list[Document]:
    """The objects of a manifest."""
    return manifest.read([str(path)])


def injected(path: Path) -> list[Object]:
    """What `git ghost inject` makes of a manifest."""
    return [manifest.inject(each, STEP) for each in objects(path)]


def name(path: Path) -> str:
    """How a test calls a file."""
    return str(path.relative_to(ROOT))


def is_argo(data: Object) -> bool:
    """Whether the object is one of Argo's."""
    return manifest.group(data) == kinds.ARGO


# --- manifests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", MANIFESTS, ids=name)
def test_kubernetes_accepts_every_example_with_the_pull_and_without(path: Path) -> None:
    for document in objects(path):
        if is_argo(document.data):
            continue
        for data in (document.data, manifest.inject(document, STEP)):
            for version in NEWER.get(path.name, VERSIONS):
                kubernetes_validate.validate(data, version, strict=True)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("argo/*.yaml")), ids=name)
def test_argo_knows_every_field_of_its_examples(path: Path) -> None:
    from hera.workflows import models

    adds = path.name == "build-train.yaml"
    for data in [*(each.data for each in objects(path)), *(injected(path) if adds else ())]:
        model: Any = getattr(models, data["kind"])
        read = model.model_validate(copy.deepcopy(data))
        assert read.model_dump(exclude_none=True, by_alias=True, mode="json") == data


@pytest.mark.parametrize(
    "path", [path for path in MANIFESTS if path.name.startswith(("job", "sweep", "kan", "buil"))],
    ids=name,
)  # fmt: skip
def test_inject_adds_the_pull_to_what_is_written_without_and_takes_it_out(path: Path) -> None:
    for document in objects(path):
        templates = manifest.pod_templates(document)
        if not templates:  # a workflow that refers to the templates of another object
            assert path.name == "sweep.yaml"
            continue
        made = document._replace(data=manifest.inject(document, STEP))
        for template in manifest.pod_templates(made):
            assert template.spec["initContainers"][0]["name"] == manifest.NAME
            assert all(one["workingDir"] for one in template.containers)
        assert manifest.remove(made) == document.data


def expression(parameter: str) -> str:
    """What Argo replaces by an input of the template."""
    return f"{{{{inputs.parameters.{parameter}}}}}"


BY_HAND = Step(
    hash=expression("ghost"),
    base=expression("base"),
    repo=expression("repo"),
    source=expression("source"),
    image=expression("git-ghost-image"),
    git_secret=expression("git-secret"),
    ghost_secret=expression("ghost-secret"),
)


def argo_template(wanted: str) -> Object:
    """A template of the WorkflowTemplate that others refer to."""
    (document,) = objects(EXAMPLES / "argo" / "git-ghost.yaml")
    return next(one for one in document.data["spec"]["templates"] if one["name"] == wanted)


def test_the_pull_written_by_hand_is_the_one_that_inject_adds() -> None:
    expected = init_container(BY_HAND, guaranteed=False)
    run, pull = argo_template("run"), argo_template("pull")
    assert run["initContainers"] == [expected]
    assert {"name": "git-ghost", **pull["container"]} == expected
    wanted = {one["name"]: one for one in volumes(BY_HAND)}
    assert {one["name"]: one for one in run["volumes"]} == wanted
    del wanted[manifest.NAME]  # the workflow's own, so that other steps see it
    assert {one["name"]: one for one in pull["volumes"]} == wanted
    for template in (run, pull):
        assert template["metadata"]["annotations"] == BY_HAND.facts


def test_the_run_template_gives_its_command_what_inject_gives() -> None:
    container = argo_template("run")["container"]
    assert container["volumeMounts"] == [mount(BY_HAND)]
    assert container["workingDir"] == BY_HAND.mount
    variables = [{"name": key, "value": value} for key, value in BY_HAND.variables.items()]
    assert container["env"] == [*variables, *trust(BY_HAND)]


def test_who_refers_to_a_template_gives_it_all_parameters_and_no_other() -> None:
    references = 0
    for path in sorted(EXAMPLES.glob("argo/*.yaml")):
        (document,) = objects(path)
        for template in document.data["spec"]["templates"]:
            for step in (step for group in template.get("steps", ()) for step in group):
                if "templateRef" in step:
                    references += 1
                    check_arguments(step)
    assert references == 2
    for block in blocks(EXAMPLES / "argo" / "README.md", "yaml"):
        (step,) = yaml.safe_load(block)
        check_arguments(step)


def check_arguments(step: Object) -> None:
    """Compare what a step gives with what the template it refers to takes."""
    reference = step["templateRef"]
    assert reference["name"] == "git-ghost"
    taken = argo_template(reference["template"])["inputs"]["parameters"]
    given = {one["name"] for one in step["arguments"]["parameters"]}
    assert given <= {one["name"] for one in taken}
    assert given >= {one["name"] for one in taken if "value" not in one}


@pytest.mark.parametrize("file", ["pull-build-train", "sweep"])
def test_the_script_gives_the_workflows_the_parameters_they_need(file: str) -> None:
    (document,) = objects(EXAMPLES / "argo" / f"{file}.yaml")
    needed = {one["name"] for one in document.data["spec"]["arguments"]["parameters"]}
    script = (EXAMPLES / "argo" / "run.sh").read_text()
    assert set(re.findall(r"-p \"([a-z-]+)=", script)) | {"image"} == needed | {"image"}


def test_a_workflow_mounts_the_volume_that_the_pull_fills() -> None:
    (document,) = objects(EXAMPLES / "argo" / "pull-build-train.yaml")
    spec = document.data["spec"]
    assert [one["metadata"]["name"] for one in spec["volumeClaimTemplates"]] == [manifest.NAME]
    build = next(one for one in spec["templates"] if one["name"] == "build")
    assert mount(STEP) in build["container"]["volumeMounts"]
    pull = argo_template("pull")["container"]["securityContext"]
    assert spec["securityContext"]["fsGroup"] == pull["runAsGroup"]


@pytest.mark.parametrize("path", [*MANIFESTS, EXAMPLES / "kaniko" / "Dockerfile"], ids=name)
def test_every_image_is_pinned(path: Path) -> None:
    for image in re.findall(r"(?:^FROM|image:) ([^\s\"{]+)$", path.read_text(), re.MULTILINE):
        assert re.fullmatch(r"[a-z.]+/[a-z0-9/-]+:v?\d[\w.-]*", image), image


def test_the_image_that_is_built_in_a_workflow_is_the_one_it_trains_in() -> None:
    for path in (EXAMPLES / "argo").glob("*build-train.yaml"):
        (document,) = objects(path)
        build, train = (
            next(one for one in document.data["spec"]["templates"] if one["name"] == wanted)
            for wanted in ("build", "train")
        )
        assert f"--destination={train['container']['image']}" in build["container"]["args"]


def test_the_failure_policies_know_the_pulls_exit_codes() -> None:
    pages = [*EXAMPLES.glob("job/*.yaml"), ROOT / "docs" / "cluster.md"]
    found = [policy for page in pages for policy in failure_policies(page)]
    assert len(found) == 3
    for policy in found:
        codes = {
            value: rule["action"]
            for rule in policy["rules"]
            if "onExitCodes" in rule
            for value in rule["onExitCodes"]["values"]
        }
        assert codes == {**dict.fromkeys(range(2, 8), "FailJob"), 75: "Count"}
        names = {rule["onExitCodes"]["containerName"] for rule in policy["rules"][1:]}
        assert names == {manifest.NAME}


def failure_policies(page: Path) -> Iterator[Object]:
    """The failure policies of Jobs in a manifest, or in a page's blocks of YAML."""
    texts = blocks(page, "yaml") if page.suffix == ".md" else [page.read_text()]
    for data in map(yaml.safe_load, texts):
        policy = data.get("podFailurePolicy") or data.get("spec", {}).get("podFailurePolicy")
        if policy:
            yield policy


def test_kubernetes_accepts_the_failure_policy_of_the_docs() -> None:
    (job,) = injected(EXAMPLES / "job" / "job.yaml")
    (policy,) = failure_policies(ROOT / "docs" / "cluster.md")
    job["spec"]["podFailurePolicy"] = policy
    for version in VERSIONS:
        kubernetes_validate.validate(job, version, strict=True)


# --- pages ---------------------------------------------------------------------------------------


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code of a page, those in lists without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", page.read_text(), re.M | re.S)
    return [re.sub(rf"^{indent}", "", block, flags=re.M) for indent, block in found]


def commands(page: Path) -> Iterator[list[str]]:
    """The words of every shell command of a page."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for command in re.split(r"\s*(?:&&|\||>)\s*", line):
                if command.strip():
                    yield shlex.split(command)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = page.parent / path if path else page
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)", found.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in slugs, target


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_of_a_page_exists(page: Path) -> None:
    for words in commands(page):
        if words[:2] == ["git", "ghost"]:
            assert words[2] in COMMANDS, words
            check_options(words[2], words[3:])
        elif words[0].startswith("examples/"):
            assert os.access(ROOT / words[0], os.X_OK), words
        else:
            known = {"git", "make", "kubectl", "argo", "docker", "ssh-keyscan", "ssh-keygen"}
            assert words[0] in known | {"known_hosts"}, words  # what stands behind a >
        for word in words:
            if word.startswith("examples/"):
                assert (ROOT / word).exists(), word


def options(command: str) -> set[str]:
    """The options of a command, those of all commands among them."""
    found = Commands("git-ghost").get_command(click.Context(click.Command("git-ghost")), command)
    assert found is not None, command
    return {option for each in found.params for option in (*each.opts, *each.secondary_opts)}


def check_options(command: str, words: list[str]) -> None:
    """See that a command has the options among some words."""
    for word in words:
        if word.startswith("-") and word != "-":
            assert word.partition("=")[0] in options(command), f"git ghost {command} {word}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_option_that_a_page_names_exists(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    known = {"-h", "--buildkit", "--global", "--from-file", "--build-arg"}  # of run.sh, git, …
    known = known.union(*map(options, ("inject", "run", "code", "clone")))
    for span in re.findall(r"`([^`]+)`", text):
        if span.startswith(("argo", "COPY", "kubectl")) or "…" in span:
            continue
        for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", span):
            assert option in known, span


def test_the_docs_name_settings_that_are_read() -> None:
    source = "".join(path.read_text() for path in (ROOT / "git_ghost").rglob("*.py")).lower()
    for page in PAGES:
        for setting in re.findall(r"(?<!-)\bghost\.([a-zA-Z]+)\b", page.read_text()):
            assert f"ghost.{setting.lower()}" in source, setting


def test_the_docs_list_the_exit_codes_of_the_pull() -> None:
    text = (ROOT / "docs" / "cluster.md").read_text()
    _, _, table = text.partition("| exit code of `git-ghost`")
    codes = re.findall(r"^\| (\d+) \|", table.partition("\n\n")[0], re.MULTILINE)
    assert [int(code) for code in codes] == [*range(1, 8), 75, 137]


def test_the_rights_are_those_that_the_readme_and_the_code_speak_of() -> None:
    rules = {
        (path.stem, resource): set(rule["verbs"])
        for path in EXAMPLES.glob("rbac/*.yaml")
        for document in objects(path)
        if document.kind == "Role"
        for rule in document.data["rules"]
        for resource in rule["resources"]
    }
    assert rules["run", "jobs"] == {"create", "get", "list", "watch", "delete"}
    assert rules["run", "pods/log"] == {"get"}
    assert not any(resource == "secrets" for _, resource in rules)
    for (file, _), verbs in rules.items():
        if file == "code":
            assert verbs <= {"get", "list"}


# --- scripts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [*SCRIPTS, EXAMPLES / "needs.sh"], ids=name)
def test_the_shell_can_read_every_script(script: Path) -> None:
    done = subprocess.run(["sh", "-n", script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert os.access(script, os.X_OK) is (script.name == "run.sh")


ARGUMENTS = {"argo": ["sweep"], "kaniko": ["registry.example.com/team/train"]}


@pytest.fixture
def bare(sandbox: Sandbox) -> Path:
    """Return a folder for PATH that holds what every system has, and git."""
    folder = sandbox.root / "bin"
    folder.mkdir()
    for tool in ("sh", "dirname", "git", "printenv", "sed", "grep", "tail", "head", "cat"):
        found = shutil.which(tool)
        assert found, tool
        (folder / tool).symlink_to(found)
    return folder


def call(sandbox: Sandbox, script: Path, *args: str, path: Path | str) -> Result:
    """Run an example's script."""
    return sandbox.run(script, *args, env={"PATH": str(path)})


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_a_script_says_all_that_is_missing_and_does_nothing(
    script: Path, sandbox: Sandbox, bare: Path
) -> None:
    kind = script.parent.name
    err = call(sandbox, script, *ARGUMENTS.get(kind, []), path=bare).fails(1)
    assert "missing: kubectl is not installed\n" in err
    if kind != "rbac":
        assert "missing: git ghost is not installed\n" in err
        assert "missing: no image for the pull step is set\n" in err
        assert "missing: no ghost repository is set that pods reach\n" in err
    if kind == "argo":
        assert "missing: the argo command is not installed\n" in err
    said = err.splitlines()
    assert len(said) == 2 * sum(line.startswith("missing: ") for line in said)


def test_a_cluster_that_does_not_answer_is_told_from_a_missing_kubectl(
    sandbox: Sandbox, bare: Path
) -> None:
    (bare / "kubectl").write_text("#!/bin/sh\nexit 1\n")
    (bare / "kubectl").chmod(0o755)
    err = call(sandbox, EXAMPLES / "job" / "run.sh", path=bare).fails(1)
    assert "missing: kubectl reaches no cluster\n" in err
    assert "kubectl is not installed" not in err


def test_pods_that_have_to_use_ssh_need_a_secret(sandbox: Sandbox, bare: Path) -> None:
    sandbox.git("config", "--global", "ghost.repo", "git@git.example.com:team/ghosts.git")
    err = call(sandbox, EXAMPLES / "job" / "run.sh", path=bare).fails(1)
    assert "missing: no Secret is named with which pods get at the repositories by ssh\n" in err
    sandbox.git("config", "--global", "ghost.repo", "https://git.example.com/team/ghosts.git")
    err = call(sandbox, EXAMPLES / "job" / "run.sh", path=bare).fails(1)
    assert "no Secret is named" not in err


@pytest.mark.parametrize(
    ("repo", "refused"),
    [
        ("https://me:token@git.example.com/ghosts.git", True),
        ("https://token@git.example.com/ghosts.git", True),
        ("ssh://git:word@git.example.com/ghosts.git", True),
        ("ssh://git@git.example.com:2222/ghosts.git", False),
        ("https://git.example.com:8443/ghosts@1.git", False),
        ("git@git.example.com:team/ghosts.git", False),
    ],
)
def test_a_url_with_a_secret_in_it_does_not_go_into_a_workflow(
    repo: str, refused: bool, sandbox: Sandbox, bare: Path
) -> None:
    for tool, said in (
        ("kubectl", "workflows.argoproj.io"), ("git-ghost", "BASE HASH"), ("argo", 'argo "$@"'),
    ):  # fmt: skip
        (bare / tool).write_text(f"#!/bin/sh\necho {said}\n")
        (bare / tool).chmod(0o755)
    for key, value in (("image", "i"), ("repo", repo), ("gitSecret", "s")):
        sandbox.git("config", "--global", f"ghost.{key}", value)
    env = {"PATH": str(bare), "GIT_GHOST_SOURCE": "git@git.example.com:team/source.git"}
    done = sandbox.run(EXAMPLES / "argo" / "run.sh", "sweep", env=env)
    assert (done.code, "a URL with a password or token" in done.err) == (int(refused), refused)
    assert (f"repo={repo}" in done.out.decode()) is not refused


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("job", ["train"]),
        ("argo", []),
        ("argo", ["run"]),
        ("argo", ["run", "registry.example.com/team/train:1"]),
        ("kaniko", []),
        ("kaniko", ["registry.example.com/team/train:1"]),
        ("kaniko", ["a|b"]),
        ("rbac", ["now"]),
    ],
)
def test_a_wrong_call_of_a_script_is_told(
    kind: str, arguments: list[str], sandbox: Sandbox, bare: Path
) -> None:
    script = EXAMPLES / kind / "run.sh"
    err = call(sandbox, script, *arguments, path=bare).fails(2)
    assert err.startswith(f"usage: examples/{kind}/run.sh")
