"""Find and read the kubeconfig, or the service account of the pod this runs in."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from git_ghost.errors import GhostError, UsageError
from git_ghost.workloads.cluster import plugin
from git_ghost.workloads.cluster.identity import Identity, TokenFile, acting_as
from git_ghost.workloads.cluster.kubeconfig_files import Chosen, Files
from git_ghost.workloads.cluster.plugin import UserCredentials

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod finds the token, the CA and the namespace of its service account."""

_CERTIFICATE = ("client-certificate", "client-certificate-data")


class Access(NamedTuple):
    """Which cluster: what kubectl calls ``--kubeconfig``, ``--context`` and ``--namespace``."""

    kubeconfig: str = ""
    """Path of the file; empty: as ``environ`` says, else ``~/.kube/config``."""
    context: str = ""
    namespace: str = ""
    environ: Mapping[str, str] = {}
    """Where ``KUBECONFIG`` is looked up, a list of paths."""


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
        f"no cluster is configured: there is no kubeconfig ({paths}), and this is not a pod with a"
        " service account",
        "Name the file with --kubeconfig or KUBECONFIG; `kubectl cluster-info` tells whether"
        " kubectl knows one.",
    )


def _load_files(paths: list[str], access: Access, configuration: Any) -> Found:
    files, named = Files(paths), os.pathsep.join(paths)
    chosen = files.choose(access.context)
    acting = acting_as(chosen.user, named)
    with _explained(named):
        identity = Identity(_load(chosen, files, configuration), acting)
    return Found(access.namespace or chosen.namespace or "default", chosen.name, identity)


def _load(chosen: Chosen, files: Files, configuration: Any) -> Callable[[], UserCredentials] | None:
    """Fill ``configuration``; what gets the credentials, where they are of a kind that runs out."""
    from kubernetes.config.kube_config import KubeConfigLoader

    user = chosen.user
    theirs = {key: value for key, value in user.items() if key not in ("exec", "tokenFile")}
    if "tokenFile" in user:
        theirs.pop("token", None)
    loader = KubeConfigLoader(  # type: ignore[no-untyped-call]
        config_dict=_alone(chosen._replace(user=theirs)),
        config_persister=files.save,  # tokens of OpenID Connect are renewed
    )
    loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
    if "tokenFile" in user:
        return TokenFile(str(user["tokenFile"]))
    others = ("token", "username", "auth-provider", *_CERTIFICATE)
    if isinstance(user.get("exec"), dict) and not any(key in user for key in others):
        return lambda: plugin.ask(user["exec"], chosen.cluster)
    return None


@contextlib.contextmanager
def _explained(named: str) -> Iterator[None]:
    """What the Kubernetes client raises, as errors of git ghost."""
    from kubernetes.config.config_exception import ConfigException

    try:
        yield
    except (GhostError, OSError):
        raise
    except Exception as e:  # what it takes for granted is not there, or not of that shape
        what = str(e).partition("\n")[0] or type(e).__name__
        how = "used" if isinstance(e, ConfigException) else "read"
        raise GhostError(f"the kubeconfig {named} cannot be {how}: {what}") from e


def set_certificate(configuration: Any, credentials: UserCredentials) -> None:
    """Let ``configuration`` name files with the certificate that ``credentials`` hold, if any."""
    from kubernetes.config.kube_config import FileOrData

    if credentials.certificate:
        configuration.cert_file, configuration.key_file = (
            FileOrData(  # type: ignore[no-untyped-call]
                {"pem": text}, "", "pem", base64_file_content=False
            ).as_file()
            for text in (credentials.certificate, credentials.key)
        )


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
    configuration.api_key.clear()  # the token is what runs out
    configuration.refresh_api_key_hook = None
    own = ""
    with contextlib.suppress(OSError), open(f"{ACCOUNT}/namespace", encoding="utf-8") as file:
        own = file.read().strip()
    identity = Identity(TokenFile(f"{ACCOUNT}/token"))
    return Found(access.namespace or own or "default", "", identity)
