"""Connect to the API server that a kubeconfig or a service account names."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from typing import Any

from git_ghost.errors import GhostError
from git_ghost.process import Background
from git_ghost.urls import redact
from git_ghost.workloads.cluster import kubeconfig
from git_ghost.workloads.cluster.client import Client
from git_ghost.workloads.cluster.identity import Signed
from git_ghost.workloads.cluster.kubeconfig import Access
from git_ghost.workloads.cluster.plugin import UserCredentials


def require_kubernetes() -> None:
    """Raise GhostError unless the ``kubernetes`` package is installed; it is an extra."""
    if importlib.util.find_spec("kubernetes") is None:
        raise GhostError(
            "this needs the Kubernetes client, which is not installed",
            f"Install it: {_how_to_install()}",
        )


def _how_to_install() -> str:
    """The command for the Python that runs this; the extra's own name would have to be published.

    What to install comes from the extra ``k8s`` of the installed git ghost. A tool's environment
    made by uv has no pip in it.
    """
    from importlib import metadata

    try:
        lines = metadata.requires("git-ghost") or []
    except metadata.PackageNotFoundError:  # run from a source tree
        lines = []
    wanted = [line.split(";")[0].strip() for line in lines if re.search(r"extra == .k8s", line)]
    if importlib.util.find_spec("pip") is None:
        words = ["uv", "pip", "install", "--python", sys.executable]
    else:
        words = [sys.executable, "-m", "pip", "install"]
    return shlex.join([*words, *(wanted or ["kubernetes"])])


def connect(access: Access) -> Client:
    """A client for the cluster that ``access`` means, not yet spoken to.

    Imports the ``kubernetes`` package, reads the kubeconfig, and runs its credential plugin. Raises
    GhostError (not installed, no kubeconfig), UsageError (no such context), RemoteError (the
    plugin failed).
    """
    require_kubernetes()
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.dynamic import DynamicClient

    configuration = Configuration()
    configuration.retries = False  # what is worth trying again is tried again here
    configuration.connection_pool_maxsize = 64  # one for each log that is followed
    found = kubeconfig.load(access, configuration)
    if not configuration.verify_ssl:
        import urllib3

        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    api = ApiClient(configuration)
    api.user_agent = "git-ghost"
    rest: Any = api.rest_client

    def pool(credentials: UserCredentials) -> Any:
        kubeconfig.set_certificate(configuration, credentials)
        return type(rest)(configuration).pool_manager

    rest.pool_manager = Signed(pool, found.identity)
    client = DynamicClient(api, discoverer=_no_discovery)  # type: ignore[no-untyped-call]
    server = redact(configuration.host)
    return Client(client, found.identity, server, found.namespace, found.context)


def ahead(access: Access) -> Background[Client]:
    """Begin to :func:`connect` while something else is done, which need not wait for it to end."""
    return Background(lambda: connect(access).warm_up(), apart=True)


def _no_discovery(_client: object, _cache_file: object) -> None:
    """In place of reading everything the server has into a file in the shared temporary folder."""
