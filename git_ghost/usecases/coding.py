"""code: which ghost is behind an object in the cluster; compare it, rebuild it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from git_ghost.errors import GhostError, RemoteError, UsageError
from git_ghost.transport import foreign
from git_ghost.urls import parse, redact
from git_ghost.usecases.cloning import Cloned, clone
from git_ghost.usecases.context import Context, Options, context_anywhere, open_context
from git_ghost.usecases.inspecting import diff_in
from git_ghost.workloads import manifest
from git_ghost.workloads.cluster.answers import Refused
from git_ghost.workloads.cluster.client import Client
from git_ghost.workloads.cluster.connection import connect
from git_ghost.workloads.cluster.kubeconfig import Access
from git_ghost.workloads.cluster.resources import POD, Resource, known_by_name
from git_ghost.workloads.manifest import Document, ManifestError

_OWNERS = 5
"""How many owners above an object are looked at."""

_ACCESS = Access()


@dataclass(frozen=True)
class Coded:
    """The code an object of the cluster runs."""

    object: str
    """As kubectl names it: ``job.batch/train-x7k2``."""
    namespace: str
    hash: str
    base: str
    repo: str
    """URL of the ghost repository, without credentials."""
    source: str
    """URL of the source repository, without credentials; empty: what the ghost says."""
    prefix: str
    via: str = ""
    """The pod, template or owner whose annotations say so, when they are not the object's own."""


class _Place(NamedTuple):
    resource: Resource
    namespace: str
    name: str

    @property
    def shown(self) -> str:
        return self.resource.shown(self.name)


def code(word: str, *, access: Access = _ACCESS) -> Coded:
    """What runs in the object ``TYPE/NAME``, by its annotations, its pods' or its owner's.

    Raises UsageError for a word that names no object, GhostError when there is no such object or
    it runs no ghost, RemoteError for access and network.
    """
    kind, name = split_object(word)
    client = connect(access)
    try:
        place, data = _get(client, kind, name)
        for via, found in _candidates(client, place, data):
            if found is not None:
                return Coded(
                    place.shown, place.namespace, found.hash, found.base, found.repository,
                    found.source, found.prefix, "" if via == place.shown else via,
                )  # fmt: skip
    finally:
        client.close()
    raise GhostError(
        f"{place.shown} runs no ghost: neither it, nor its pods, nor its owners say so"
        " (annotation git-ghost.io/hash)",
        "Only what `git ghost run` or `git ghost inject` made carries it.",
    )


def is_object(word: str, options: Options = Options()) -> bool:
    """Whether ``word`` names an object of a cluster rather than a commit or a ghost.

    A branch may be called ``feature/x``: what is not a kind we know is an object if it is not a
    revision here.
    """
    if not _has_form_of_object(word):
        return False
    if known_by_name(word.partition("/")[0]) is not None:
        return True
    repository = context_anywhere(options).repository
    return repository is None or repository.commit(word) is None


def _has_form_of_object(word: str) -> bool:
    kind, slash, name = word.partition("/")
    return bool(slash and kind and name) and "/" not in name


def split_object(word: str) -> tuple[str, str]:
    """Type and name of ``TYPE/NAME``; UsageError for anything else."""
    if not _has_form_of_object(word):
        raise UsageError(
            f"'{word}' names no object", "Give its type and its name: job/train-x7k2, pod/train-0."
        )
    kind, _, name = word.partition("/")
    return kind, name


def compare(
    one: Coded, other: Coded | str, options: Options = Options(), *, color: bool = False
) -> bytes:
    """The patch from the code of ``one`` to that of ``other``, an object, a ghost or a commit.

    The ghosts come from where the objects say they are. Raises what :func:`git_ghost.diff` raises.
    """
    context = open_context(options)
    there = _where(one, context)
    if isinstance(other, Coded):
        if _where(other, context).repo != there.repo:
            raise GhostError(
                f"the two ghosts are in different repositories: {one.repo} and {other.repo}",
                "Name one that has both with --ghost-repo.",
            )
        other = other.hash
    return diff_in(context.having(there), one.hash, other, color=color)


def rebuild(one: Coded, directory: str, options: Options = Options()) -> Cloned:
    """Make ``directory`` a repository with the code of ``one``; as :func:`git_ghost.clone`."""
    there = _where(one, context_anywhere(options))
    return clone(one.hash, directory, there, base=one.base or None)


def _where(one: Coded, context: Context) -> Options:
    """``context.options`` with the places the object names, unless the call names others.

    An annotation carries no credentials: where the settings mean the same place, theirs are used.
    Who may write annotations does not choose the servers that get the user's: RemoteError for a
    ghost repository on one that the user has not agreed to. Such a source is left to the ghost.
    """
    settings, options = context.settings, context.options
    repo = settings.repo if redact(settings.repo) == one.repo else one.repo
    if repo not in (settings.repo, "") and not options.repo and not _is_agreed(repo, context):
        raise RemoteError(
            f"only an annotation of {one.object} names the ghost repository {repo}",
            f"If you trust it: --ghost-repo {repo}, or for good:"
            f" git config --global --add ghost.trustedSource {parse(repo).host or repo}",
        )
    source = settings.source if redact(settings.source) == one.source else one.source
    if source != settings.source and not _is_agreed(source, context):
        source = ""
    return replace(
        options,
        repo=options.repo or repo or None,
        source=options.source or source or None,
        prefix=options.prefix or one.prefix,
    )


def _is_agreed(url: str, context: Context) -> bool:
    """Whether the user's credentials may go to ``url``, or none ever do (git://)."""
    agreed = foreign.is_agreed(url, context.store().url, context.settings.trusted_sources)
    return agreed or parse(url).scheme == "git"


# --- in the cluster ------------------------------------------------------------------------------


def _get(client: Client, kind: str, name: str) -> tuple[_Place, dict[str, Any]]:
    """The object of that type and name."""
    resource = known_by_name(kind)
    if resource is not None:
        place = _place(client, resource, name)
        try:
            return place, _read(client, place)
        except Refused as e:
            if e.reason != "NoKind":
                raise
    resource = client.find(kind)  # of a kind we do not know, or in another version
    place = _place(client, resource, name)
    return place, _read(client, place)


def _place(client: Client, resource: Resource, name: str) -> _Place:
    return _Place(resource, client.namespace if resource.namespaced else "", name)


def _read(client: Client, place: _Place) -> dict[str, Any]:
    where = f" in namespace {place.namespace}" if place.namespace else ""
    path = place.resource.path(place.namespace, place.name)
    return client.get(path, doing=f"cannot read {place.shown}{where}")


def _candidates(
    client: Client, place: _Place, data: dict[str, Any]
) -> Iterator[tuple[str, manifest.Code | None]]:
    """Where annotations may be, from the nearest to the farthest, and what they say."""
    yield from _of_object(place, data)
    if place.resource != POD:
        for pod in _pods(client, place, data):
            yield POD.shown(str(pod["metadata"]["name"])), manifest.code_of(pod)
    for _ in range(_OWNERS):
        owner = _owner(client, place, data)
        if owner is None:
            return
        place, data = owner
        if not (place.resource.row and place.resource.row.changing):
            yield from _of_object(place, data)


def _of_object(place: _Place, data: dict[str, Any]) -> Iterator[tuple[str, manifest.Code | None]]:
    """Its pod templates, as what they say is what runs: a rollback changes nothing else."""
    own = manifest.code_of(data)
    for via, found in _of_templates(place, data):
        yield place.shown if found == own else via, found
    yield place.shown, own


def _of_templates(
    place: _Place, data: dict[str, Any]
) -> Iterator[tuple[str, manifest.Code | None]]:
    try:
        templates = manifest.pod_templates(Document(data, place.shown))
    except ManifestError:  # the server may hold more than manifests may
        return
    for template in templates:
        yield f"a pod template of {place.shown}", manifest.code_of(template.owner)


def _pods(client: Client, place: _Place, data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The pods that belong to an object, the newest first."""
    doing = f"cannot look for the pods of {place.shown}"
    listed = client.get(POD.path(place.namespace), doing=doing).get("items") or []
    uid = data["metadata"].get("uid")
    wanted = ((data.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}

    def belongs(pod: Mapping[str, Any]) -> bool:
        metadata = pod["metadata"]
        labels = metadata.get("labels") or {}
        if any(owner.get("uid") == uid for owner in metadata.get("ownerReferences") or ()):
            return True
        if wanted and wanted.items() <= labels.items():
            return True
        names = place.resource.row.labels if place.resource.row else ()
        return any(labels.get(label) == place.name for label in names)

    found = [pod for pod in listed if belongs(pod)]
    return sorted(found, key=lambda pod: pod["metadata"].get("creationTimestamp") or "")[::-1]


def _owner(
    client: Client, place: _Place, data: Mapping[str, Any]
) -> tuple[_Place, dict[str, Any]] | None:
    """What controls an object; None when nothing does, or it is gone."""
    references = data["metadata"].get("ownerReferences") or ()
    reference = next((one for one in references if one.get("controller")), None)
    if reference is None:
        return None
    try:
        resource = client.resource(reference["apiVersion"], reference["kind"])
        namespace = place.namespace if resource.namespaced else ""
        owner = _Place(resource, namespace, str(reference["name"]))
        return owner, _read(client, owner)
    except Refused:
        return None
