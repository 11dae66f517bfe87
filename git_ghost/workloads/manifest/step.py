"""The pull step: the init container that rebuilds a ghost, and what it needs around it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from git_ghost.errors import UsageError
from git_ghost.model import RUN_LABEL, is_oid
from git_ghost.urls import is_local, redact
from git_ghost.workloads.manifest import quantities
from git_ghost.workloads.manifest.reading import Object

NAME = "git-ghost"
"""The init container, and the volume with the source."""
PREFIX = "git-ghost.io/"
"""Our own label and annotation keys begin with it."""
NOTE = PREFIX + "injected"
"""The annotation that holds the way back."""
IMAGE_USER = 65533
"""The user id of our image, which its /etc/passwd knows: ssh fails without."""

_VOLUME_AT = "/git-ghost"
_SOURCE = "source"
"""The folder in the volume: git does not trust the volume's root, which belongs to root."""
_SECRETS_AT = "/etc/git-ghost"
_RETRY = "5m"

_EXPRESSION = re.compile(r"\{\{[^{}]+\}\}\Z")
_LABEL_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?\Z")
_DNS = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\Z")


class Step(NamedTuple):
    """What to add: the ghost, where it is, and how the pull is to run."""

    hash: str
    """The ghost: a full id, or an Argo expression such as ``{{inputs.parameters.ghost}}``."""
    repo: str
    """URL of the ghost repository, as pods reach it."""
    image: str
    """The image of the init container."""
    base: str = ""
    """The commit the ghost is based on; known beforehand, it is fetched while the ghost is."""
    source: str = ""
    """URL of the source repository; empty: what the ghost says."""
    prefix: str = "ghost"
    mount: str = "/workspace"
    containers: tuple[str, ...] = ()
    """The containers that get the code; empty: every main container."""
    template: str = ""
    """The template of a workflow to add it to; empty: to all."""
    git_secret: str = ""
    """Name of the Secret with the credentials for the source."""
    ghost_secret: str = ""
    """Name of the Secret with the credentials for the ghost repository."""
    run_as_user: int | None = IMAGE_USER
    """The user the pull runs as; None: the cluster chooses."""
    requests: Mapping[str, str] = {"cpu": "100m", "memory": "256Mi"}
    """Resources the pull asks for; its limits, in a pod of the class Guaranteed."""
    limits: Mapping[str, str] = {"cpu": "1", "memory": "1Gi"}
    """Resources it may have at most."""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}

    @property
    def facts(self) -> dict[str, str]:
        """The annotations that say which code an object runs; no credentials in them."""
        known = {
            "hash": self.hash,
            "base": self.base,
            "repository": redact(self.repo),
            "source": redact(self.source),
            "prefix": "" if self.prefix == "ghost" else self.prefix,
        }
        return {PREFIX + key: value for key, value in known.items() if value}

    @property
    def variables(self) -> dict[str, str]:
        """What a main container finds in its environment, for whoever keeps track of experiments.

        The names are those that configure git ghost itself.
        """
        known = {
            "GIT_GHOST_HASH": self.hash,
            "GIT_GHOST_BASE": self.base,
            "GIT_GHOST_REPO": redact(self.repo),
            "GIT_GHOST_SOURCE": redact(self.source),
            "GIT_GHOST_PREFIX": "" if self.prefix == "ghost" else self.prefix,
        }
        return {key: value for key, value in known.items() if value}


def note_of(value: Any) -> str | None:
    """The note in a mapping's metadata of what was added to it; None where there is none."""
    metadata = value.get("metadata") if isinstance(value, dict) else None
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    note = annotations.get(NOTE) if isinstance(annotations, dict) else None
    return note if isinstance(note, str) else None


def is_expression(text: str) -> bool:
    """Whether Argo Workflows will put something in the place of ``text``."""
    return _EXPRESSION.match(text) is not None


def checked(step: Step) -> Step:
    """``step``, its mount path in normal form; UsageError for what cannot be."""
    for value, what in ((step.hash, "hash"), (step.base, "base")):
        if value and not (is_oid(value) or is_expression(value)):
            raise UsageError(
                f"'{value}' is not a full {what}",
                "A manifest needs all digits, as `git ghost push` prints them:"
                " pods do not guess which one was meant.",
            )
    if not step.image:
        raise UsageError(
            "no image for the pull step is set",
            "Build one (make image), push it where the cluster finds it, and name it:"
            " --init-image IMAGE, or git config --global ghost.image IMAGE.",
        )
    for url, what, how in (
        (step.repo, "ghost repository", "--ghost-repo URL, or git config ghost.repo URL"),
        (step.source, "source", "--source URL, or git config ghost.source URL"),
    ):
        if url and is_local(url) and not is_expression(url):
            raise UsageError(
                f"pods cannot reach the {what} {url}: it is a path on this machine",
                f"Name one on a server: {how}.",
            )
    if not step.repo:
        raise UsageError(
            "no ghost repository is set that pods can reach",
            "Name one on a server: --ghost-repo URL, or git config --global ghost.repo URL.",
        )
    if step.git_secret and not step.source:
        raise UsageError(
            f"the Secret {step.git_secret} is for the source, and no source is named",
            "Credentials do not go where a ghost says: --source URL, or git config ghost.source"
            " URL. (--ghost-secret is for the ghost repository.)",
        )
    if step.run_as_user is not None and step.run_as_user < 0:
        raise UsageError(f"{step.run_as_user} is not a user id")
    quantities.check(step.requests, step.limits)
    _check_labels(step)
    return step._replace(mount=_mount_path(step.mount))


def _mount_path(path: str) -> str:
    normal = posixpath.normpath(path)
    if not path.startswith("/") or normal in ("/", "//") or ":" in path or ".." in path.split("/"):
        raise UsageError(
            f"nothing can be mounted at '{path}'", "Give an absolute path, such as /workspace."
        )
    return normal


def _check_labels(step: Step) -> None:
    """The rules of Kubernetes' labels and annotations (their syntax and character set)."""
    for key in (*step.labels, *step.annotations):
        start, slash, name = key.rpartition("/")
        if not _LABEL_NAME.match(name) or (slash and not _DNS.match(start)):
            raise UsageError(f"'{key}' cannot be the key of a label or annotation")
        if key.startswith(PREFIX) and key != RUN_LABEL:
            raise UsageError(f"'{key}' is git ghost's own")
    for key, value in step.labels.items():
        if value and not _LABEL_NAME.match(value):
            raise UsageError(
                f"'{value}' cannot be the value of the label {key}",
                "At most 63 letters, digits, '-', '_' and '.'; what is longer fits an annotation.",
            )


def init_container(step: Step, *, guaranteed: bool) -> Object:
    """The init container that pulls; ``guaranteed`` keeps the pod in that class of service.

    It passes Pod Security's ``restricted`` profile.
    """
    mounts: list[Object] = [
        {"name": NAME, "mountPath": _VOLUME_AT},
        {"name": f"{NAME}-tmp", "mountPath": "/tmp"},  # noqa: S108 (in the container)
    ]
    args = ["clone", "--progress", f"--retry={_RETRY}", "--umask=0"]
    args.append("--report=/dev/termination-log")
    for name, _, option in _secrets(step):
        at = posixpath.join(_SECRETS_AT, option)
        args.append(f"--{option}-credentials={at}")
        mounts.append({"name": name, "mountPath": at, "readOnly": True})
    if step.base:
        args.append(f"--base={step.base}")
    args += ["--", step.hash, posixpath.join(_VOLUME_AT, _SOURCE)]
    place = {
        key: value
        for key, value in step.variables.items()
        if key not in ("GIT_GHOST_HASH", "GIT_GHOST_BASE")
    }
    environment = {"HOME": "/tmp", "GIT_TERMINAL_PROMPT": "0", **place}  # noqa: S108 (in the container)
    security: dict[str, Any] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if step.run_as_user != 0:
        security["runAsNonRoot"] = True
    if step.run_as_user is not None:
        security["runAsUser"] = security["runAsGroup"] = step.run_as_user
    return {
        "name": NAME,
        "image": step.image,
        "command": ["git-ghost"],
        "args": args,
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        **_resources(step, guaranteed=guaranteed),
        "securityContext": security,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }


def _resources(step: Step, *, guaranteed: bool) -> Object:
    requests = step.limits if guaranteed and step.limits else step.requests
    both = {"requests": dict(requests), "limits": dict(step.limits)}
    found = {key: amounts for key, amounts in both.items() if amounts}
    return {"resources": found} if found else {}


def volumes(step: Step) -> list[Object]:
    """The volumes the pull needs: for the source, for temporary files, for the credentials."""
    found: list[Object] = [
        {"name": NAME, "emptyDir": {}},
        {"name": f"{NAME}-tmp", "emptyDir": {}},
    ]
    for name, secret, _ in _secrets(step):
        found.append({"name": name, "secret": {"secretName": secret}})
    return found


def _secrets(step: Step) -> list[tuple[str, str, str]]:
    """Volume, Secret, and the option's name without ``-credentials``, for each that is named."""
    named = (("git", step.git_secret), ("ghost", step.ghost_secret))
    return [(f"{NAME}-{option}-secret", secret, option) for option, secret in named if secret]


def mount(step: Step) -> Object:
    """The volume mount of a container that gets the code."""
    return {"name": NAME, "mountPath": step.mount, "subPath": _SOURCE}


def trust(step: Step, settings: int = 0) -> list[Object]:
    """Environment that lets any user's git work in the mounted source, which is not theirs.

    There are ``settings`` settings of git in the environment already.
    """
    pairs = {
        "GIT_CONFIG_COUNT": str(settings + 1),
        f"GIT_CONFIG_KEY_{settings}": "safe.directory",
        f"GIT_CONFIG_VALUE_{settings}": step.mount,
    }
    return [{"name": key, "value": value} for key, value in pairs.items()]
