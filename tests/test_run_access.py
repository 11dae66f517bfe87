"""Which cluster git ghost run talks to, and as whom: kubeconfig, contexts, service accounts."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata

import pytest

from tests.support.cluster import Cluster
from tests.support.cluster.cluster import TOKEN
from tests.support.lab import Lab
from tests.support.manifests import job
from tests.support.sandbox import Sandbox
from tests.support.scene import Scene
from tests.support.servers import Server

_ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
_AS_POD = f"""\
mount -t tmpfs none /run && mkdir -p {_ACCOUNT} || exit 99
cp ca.crt token namespace {_ACCOUNT}/
exec "$@"
"""


def test_context_and_namespace_say_where_it_runs(scene: Scene, cluster: Cluster) -> None:
    named = scene.run(job("train-", "true"), "--context", "other", "--detach")
    assert "in namespace default" in named.err
    assert cluster.objects("jobs") == []
    assert scene.run(job("train-", "true"), "--context", "other", "-n", cluster.namespace).code == 0
    assert len(cluster.objects("jobs")) == 1
    missing = scene.run(job("train-", "true"), "-n", "absent")
    assert "no namespace absent" in missing.fails(1)
    in_file = job("train-", "true")
    in_file["metadata"]["namespace"] = "default"
    assert scene.run(in_file, "-n", cluster.namespace).fails(2)
    assert "namespace default" in scene.run(in_file, "--detach").err


def test_a_token_may_come_from_a_file_or_a_command(scene: Scene, cluster: Cluster) -> None:
    token = scene.lab.sandbox.root / "token"
    token.write_text(TOKEN, encoding="ascii")
    text = cluster.kubeconfig.read_text(encoding="utf-8")
    plain = f'"token": "{TOKEN}"'
    command = (
        '"exec": {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",'
        ' "command": "printf", "args": ["{\\"apiVersion\\":\\"client.authentication.k8s.io/v1\\",'
        '\\"kind\\":\\"ExecCredential\\",\\"status\\":{\\"token\\":\\"' + TOKEN + '\\"}}"]}'
    )
    for other in (f'"tokenFile": "{token}"', command):
        cluster.kubeconfig.write_text(text.replace(plain, other), encoding="utf-8")
        scene.run(job("train-", "true"), "--detach").ok()


def test_several_kubeconfigs_are_read_as_one(scene: Scene, cluster: Cluster) -> None:
    text = cluster.kubeconfig.read_text(encoding="utf-8")
    other = scene.lab.sandbox.root / "other-config"
    other.write_text(text.replace('"test"', '"elsewhere"'), encoding="utf-8")
    both = os.pathsep.join(["no-such-file", str(cluster.kubeconfig), str(other)])
    words = ("run", "--init-image", "x", "-f", scene.file(job("train-", "true")), "--detach")
    scene.ghost(*words, "--context", "elsewhere", KUBECONFIG=both).ok()
    assert len(cluster.objects("jobs")) == 1


def test_in_a_pod_the_service_account_is_enough(scene: Scene, cluster: Cluster) -> None:
    probe = ["unshare", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs none /run"]
    try:
        subprocess.run(probe, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system of its own for one process: {error}")
    assert cluster.ca is not None
    files = {"ca.crt": cluster.ca.read_text(), "token": TOKEN, "namespace": cluster.namespace}
    for name, text in files.items():
        scene.lab.sandbox.root.joinpath(name).write_text(text, encoding="ascii")
    env = {name: value for name, value in scene.env().items() if name != "KUBECONFIG"}
    where = {"KUBERNETES_SERVICE_HOST": "127.0.0.1"}
    where["KUBERNETES_SERVICE_PORT"] = str(cluster.server.port)
    command = [sys.executable, "-m", "git_ghost", "--src-dir", str(scene.lab.laptop), "run"]
    words = ["--init-image", "x", "-f", str(scene.file(job("train-", "cat foo")))]
    as_pod = [*probe[:5], _AS_POD, "sh", *command, *words]
    done = subprocess.run(
        as_pod,
        cwd=scene.lab.sandbox.root,
        env={**env, **where},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b"a\n"
    assert len(cluster.objects("jobs")) == 1


def test_without_either_it_says_what_is_missing(scene: Scene) -> None:
    words = ("run", "--init-image", "x", "-f", scene.file(job("train-", "true")))
    ran = scene.ghost(*words, KUBECONFIG="")
    assert "no cluster is configured" in ran.fails(1)
    assert "--kubeconfig" in ran.err
    assert scene.lab.ghost_refs() == []


WITHOUT_KUBERNETES = """
import sys
sys.modules["kubernetes"] = None
sys.argv[0] = "git-ghost"
from git_ghost.cli.main import entry
entry()
"""


@pytest.mark.parametrize("words", [["run", "--image", "x", "--", "true"], ["code", "job/x"]])
def test_without_the_kubernetes_client_it_says_what_to_install(
    sandbox: Sandbox, git_server: Server, words: list[str]
) -> None:
    lab = Lab(sandbox, server=git_server)  # which pods would reach
    lab.sandbox.config("ghost.repo", lab.ghost_url)
    lab.sandbox.config("ghost.image", "git-ghost:1")
    argv = (sys.executable, "-c", WITHOUT_KUBERNETES, *words)
    said = lab.sandbox.run(*argv, cwd=lab.laptop).fails(1)
    assert "this needs the Kubernetes client, which is not installed" in said
    (extra,) = (line for line in metadata.requires("git-ghost") or [] if "'k8s'" in line)
    wanted = extra.partition(";")[0]
    assert wanted.startswith("kubernetes>=")
    assert f"hint: Install it: {sys.executable} -m pip install '{wanted}'" in said.splitlines()
    assert not lab.ghost_refs()  # and nothing was pushed


def test_where_there_is_no_pip_it_says_how_uv_installs_the_client(lab: Lab) -> None:
    script = WITHOUT_KUBERNETES.replace("sys.argv[0]", 'sys.modules["pip"] = None\nsys.argv[0]')
    argv = (sys.executable, "-c", script, "code", "job/x")
    said = lab.sandbox.run(*argv, cwd=lab.laptop).fails(1)
    assert f"hint: Install it: uv pip install --python {sys.executable} 'kubernetes>=" in said
