"""Find and read the kubeconfig, or the service account of the pod this runs in."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from git_ghost.cluster.identity import Identity, acting_as
from git_ghost.cluster.kubeconfig_files import Chosen, Files
from git_ghost.errors import GhostError, RemoteError, UsageError

if TYPE_CHECKING:
    from git_ghost.cluster.client import Access

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod finds the token, the CA and the namespace of its service account."""


class Found(NamedTuple):
    """What a kubeconfig says beside how to connect."""

    namespace: str
    context: str
    identity: Identity


def check(access: Access) -> None:
    """Raise UsageError or GhostError when there is nothing to connect by; costs next to nothing."""
    paths = _paths(access)
    if access.kubeconfig and not os.path.isfile(os.path.expanduser(access.kubeconfig)):
        raise UsageError(f"there is no kubeconfig {access.kubeconfig}")
    if _there(paths):
        return
    if access.context:
        raise UsageError(
            f"there is no context {access.context}: there is no kubeconfig ({paths})",
            "Name the file with --kubeconfig or KUBECONFIG.",
        )
    if not (os.environ.get("KUBERNETES_SERVICE_HOST") and os.path.exists(f"{ACCOUNT}/token")):
        raise _nothing_configured(paths)


def load(access: Access, configuration: Any) -> Found:
    """Fill the client's ``configuration``; GhostError when there is nothing to fill it from."""
    check(access)
    paths = _paths(access)
    if there := _there(paths):
        return _load_files(there, access, configuration)
    return _load_account(access, configuration, paths)


def _paths(access: Access) -> str:
    return (
        access.kubeconfig
        or access.environ.get("KUBECONFIG", "")
        or os.path.join("~", ".kube", "config")
    )


def _there(paths: str) -> list[str]:
    every = [os.path.expanduser(path) for path in paths.split(os.pathsep) if path]
    return [path for path in every if os.path.exists(path)]


def _nothing_configured(paths: str) -> GhostError:
    return GhostError(
        f"no cluster is configured: there is no kubeconfig ({paths}), and this is no pod with a"
        " service account",
        "Name the file with --kubeconfig or KUBECONFIG; `kubectl cluster-info` tells whether"
        " kubectl knows one.",
    )


def _load_files(paths: list[str], access: Access, configuration: Any) -> Found:
    from kubernetes.config.config_exception import ConfigException
    from kubernetes.config.kube_config import KubeConfigLoader

    files = Files(paths)
    chosen = files.choose(access.context)
    named = os.pathsep.join(paths)
    identity = Identity(acting_as(chosen.user, named))
    try:
        with _complaints() as said:
            loader = KubeConfigLoader(  # type: ignore[no-untyped-call]
                config_dict=_alone(chosen),
                config_persister=files.save,
            )
            loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
    except (GhostError, OSError):
        raise
    except Exception as e:  # ConfigException, or what it takes for granted is not there
        what = str(e).partition("\n")[0] or type(e).__name__
        how = "used" if isinstance(e, ConfigException) else "read"
        raise GhostError(f"the kubeconfig {named} cannot be {how}: {what}") from e
    if said and not (configuration.api_key or configuration.cert_file):
        raise RemoteError(
            f"the kubeconfig's credential plugin failed: {said[-1]}",
            "Log in again with it, and try `kubectl auth whoami`.",
        )
    return Found(access.namespace or chosen.namespace or "default", chosen.name, identity)


def _alone(chosen: Chosen) -> dict[str, Any]:
    """A kubeconfig with nothing else in it."""
    name = chosen.name
    return {
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": chosen.cluster}],
        "users": [{"name": name, "user": chosen.user}],
    }


def _load_account(access: Access, configuration: Any, paths: str) -> Found:
    from kubernetes.config.config_exception import ConfigException
    from kubernetes.config.incluster_config import load_incluster_config

    try:
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except ConfigException as e:
        raise _nothing_configured(paths) from e
    own = ""
    with contextlib.suppress(OSError), open(f"{ACCOUNT}/namespace", encoding="utf-8") as file:
        own = file.read().strip()
    return Found(access.namespace or own or "default", "", Identity())


@contextlib.contextmanager
def _complaints() -> Iterator[list[str]]:
    """What the client writes to the log instead of raising it: why a credential plugin failed."""
    said: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    handler = Keep(logging.ERROR)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield said
    finally:
        root.removeHandler(handler)
