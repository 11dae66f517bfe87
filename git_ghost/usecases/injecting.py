"""inject: add the pull of a ghost to Kubernetes manifests, or remove it. No server is contacted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from git_ghost.errors import NoRepository, UsageError
from git_ghost.model import Notice
from git_ghost.settings import Settings
from git_ghost.urls import redact
from git_ghost.usecases import sources
from git_ghost.usecases.context import Context, Options, context_anywhere
from git_ghost.usecases.remembering import was_pushed
from git_ghost.workloads import manifest
from git_ghost.workloads.manifest import Document, ManifestError, Step, quantities


class GhostToPull(NamedTuple):
    """The ghost to pull, and where pods find it."""

    hash: str
    base: str
    repo: str
    source: str
    prefix: str


class InjectedObject(NamedTuple):
    """What was done to one object: ``templates`` pod templates got the pull (or lost it)."""

    where: str
    name: str
    templates: int
    known: bool
    pods_from: str = ""
    """The object given together with it whose pod templates it uses: ``trainingruntime/torch``."""


@dataclass(frozen=True)
class Injected:
    """The objects with the pull step, in the order they were read."""

    objects: tuple[dict[str, Any], ...]
    outcomes: tuple[InjectedObject, ...]
    notices: tuple[Notice, ...]
    hash: str = ""
    """The ghost they pull."""
    text: str = ""
    """The objects as text: YAML that was given with its comments and format."""


def inject(
    files: Sequence[str],
    options: Options = Options(),
    *,
    hash: str | None = None,
    base: str | None = None,
    strict: bool = False,
    output: str = "yaml",
    stdin: bytes = b"",
    leave_out: tuple[int, int] | None = None,
) -> Injected:
    """Add the pull of the ghost ``hash`` to the objects in ``files`` (folders; ``-``: ``stdin``).

    Without ``hash`` it is that of the working tree, as a push would name it now; ``base`` pins the
    commit it is based on, and ``leave_out`` is the device and inode number of a new file that is
    not part of the tree: where the result goes. A tree that was not pushed from here gets a notice.
    An unknown kind is passed on with a notice; ``strict`` refuses it. ``output`` is how the text is
    to be: ``yaml`` or ``json``. Raises UsageError, ManifestError (a GhostError),
    and for the working tree what :func:`git_ghost.push` raises.
    """
    context = context_anywhere(options)
    documents = manifest.placed(manifest.read(files, stdin), context.settings.pod_templates)
    target = given(context, hash, base) if hash is not None else of_working_tree(context, leave_out)
    step = step_for(context.settings, target)
    clean = _changed(documents, manifest.remove, output)
    done = _changed(clean, lambda document: manifest.inject(document, step), output)
    outcomes = tuple(outcomes_of(documents, step))
    notices = [
        *(not_pushed(context, target, leave_out) if hash is None else ()),
        *unknown(outcomes, strict=strict),
        *left_undone(documents, step),
        *left_out(context, target.source),
        *_written_anew(done),
    ]
    check_added(outcomes, context.settings.pod_templates)
    objects = tuple(document.data for document in done)
    return Injected(objects, outcomes, tuple(notices), target.hash, _text(done, output))


def uninject(files: Sequence[str], *, output: str = "yaml", stdin: bytes = b"") -> Injected:
    """The objects in ``files`` as they were before :func:`inject`. Raises ManifestError."""
    documents = manifest.read(files, stdin)
    done = _changed(documents, manifest.remove, output)
    outcomes = (
        InjectedObject(before.where, before.name, int(before.data != after.data), known=True)
        for before, after in zip(documents, done, strict=True)
    )
    objects, text = tuple(document.data for document in done), _text(done, output)
    return Injected(objects, tuple(outcomes), tuple(_written_anew(done)), text=text)


def _changed(
    documents: Sequence[Document], change: Callable[[Document], dict[str, Any]], output: str
) -> list[Document]:
    """The documents, changed, and the text of each where YAML is to be printed."""
    if output == "yaml":
        return [manifest.rewritten(document, change(document)) for document in documents]
    return [document._replace(data=change(document)) for document in documents]


def _text(documents: Sequence[Document], output: str) -> str:
    if output == "yaml":
        return manifest.text_of(documents)
    return manifest.dump([document.data for document in documents], output)


def _written_anew(documents: Sequence[Document]) -> Iterator[Notice]:
    for each in documents:
        if each.source is not None and each.source.why:
            yield Notice(
                f"{each.where}: {each.name} is written anew, without its comments and format:"
                f" its text cannot be edited because of {each.source.why}"
            )


def outcomes_of(documents: Sequence[Document], step: Step) -> Iterator[InjectedObject]:
    """What is done to each object, those in Lists and those of unknown kinds in others too."""
    for document in documents:
        for each in manifest.items(document):
            found, there = len(manifest.receivers(each, step)), manifest.pods_from(each)
            known = manifest.is_known(each)
            yield InjectedObject(each.where, each.name, found, known, there.shown if there else "")
            for inner in manifest.wrapped(each).values():
                if not manifest.is_known(inner):
                    yield InjectedObject(inner.where, inner.name, 0, known=False)


def unknown(outcomes: Sequence[InjectedObject], *, strict: bool = False) -> Iterator[Notice]:
    """Notices of objects of kinds that are not known; ManifestError instead if it is ``strict``."""
    for outcome in outcomes:
        if not outcome.known:
            text = f"{outcome.where}: {outcome.name} is of a kind git ghost does not know"
            if strict:
                raise ManifestError(text, "Without --strict it is passed on unchanged.")
            yield Notice(f"{text}; it is passed on unchanged")


def check_added(outcomes: Sequence[InjectedObject], places: Sequence[str]) -> None:
    """Refuse to print manifests none of which gets the code: somebody may create them.

    ``places`` is where the user says that other kinds have their pod templates.
    """
    if any(outcome.templates for outcome in outcomes):
        return
    names = ", ".join(outcome.name for outcome in outcomes if not outcome.known)
    anywhere = ", ".join(place for place in places if "=" not in place)
    if names and anywhere:
        raise ManifestError(
            f"nothing was added: --path {anywhere} found nothing in {names}",
            "Name the place of a pod template or of a pod's spec, [] for the items of a list:"
            " --path spec.workers[].template",
        )
    why = (
        f"git ghost does not know the kind of {names}"
        if names
        else "there is no pod template that runs your code in what was given"
    )
    raise ManifestError(
        f"nothing was added: {why}",
        "The known kinds: git ghost inject -h; for others --path says where.",
    )


def left_undone(documents: Sequence[Document], step: Step) -> Iterator[Notice]:
    """Notices of pods that get no pull by adding it to a document, and of what they then lack."""
    for document in documents:
        for each in manifest.items(document):
            if names := ", ".join(manifest.templates_elsewhere(each)):
                yield Notice(
                    f"{each.where}: {each.name} refers to templates elsewhere, which get no pull"
                    f" from this file: {names}"
                )
            if names := ", ".join(dict.fromkeys(manifest.untrusting(each, step))):
                yield Notice(
                    f"{each.where}: {each.name}: GIT_CONFIG_COUNT of container {names} is not a"
                    " plain number, so that safe.directory was not added: git may refuse"
                    f" {step.mount}"
                )


def given(context: Context, hash: str, base: str | None) -> GhostToPull:
    """The target for a hash the user names: nothing is known of it but what the settings say."""
    settings = context.settings
    return GhostToPull(_id(hash), _id(base or ""), settings.repo, settings.source, settings.prefix)


def _id(text: str) -> str:
    text = text.strip()
    return text.lower() if re.fullmatch(r"[0-9A-Fa-f]+", text) else text


def not_pushed(
    context: Context, target: GhostToPull, output: tuple[int, int] | None
) -> Iterator[Notice]:
    """A notice where our own notes do not have the ghost: nobody else is asked."""
    if not was_pushed(context, target.base, target.hash):
        text = f"this tree ({target.hash}) was not pushed from here; run `git ghost push`"
        elsewhere = " and write the result outside the working tree, or to a file git ignores"
        yield Notice(text + (elsewhere if output else ""))


def of_working_tree(context: Context, leave_out: tuple[int, int] | None = None) -> GhostToPull:
    """The target a push of the working tree would make now."""
    from git_ghost.usecases.pushing import Content, push_in

    if context.repository is None:
        raise NoRepository(
            "no hash is given, and this is not a git repository that could have one",
            "Give the hash that `git ghost push` printed.",
        )
    pushed = push_in(context, Content(leave_out=leave_out), dry_run=True)
    settings = context.settings
    base = pushed.ghosts[-1].ghost.base
    source = sources.for_pods(context, pushed.source)
    return GhostToPull(pushed.hash, base, settings.repo, source, settings.prefix)


def left_out(context: Context, source: str) -> Iterator[Notice]:
    """Notices of credentials in URLs, which never go into a manifest.

    ``source`` is the source the manifest names.
    """
    for url, option in (
        (context.settings.repo, "--ghost-secret"),
        (sources.with_credentials(context, source), "--git-secret"),
    ):
        if redact(url) != url:
            yield Notice(
                f"the credentials in the URL of {redact(url)} do not go into a manifest:"
                f" put them into a Secret and name it with {option}"
            )


def step_for(settings: Settings, target: GhostToPull) -> Step:
    """The pull step, as the settings say; UsageError for what cannot be read.

    Whether it is possible is found out when it is added to something.
    """
    return Step(
        hash=target.hash,
        base=target.base,
        repo=target.repo,
        source=target.source,
        prefix=target.prefix,
        image=settings.init_image,
        mount=settings.mount,
        containers=settings.containers,
        template=settings.template,
        git_secret=settings.git_secret,
        ghost_secret=settings.ghost_secret,
        run_as_user=_user(settings.run_as_user),
        requests=quantities.parse(settings.init_requests),
        limits=quantities.parse(settings.init_limits),
        labels=_pairs(settings.labels, "label"),
        annotations=_pairs(settings.annotations, "annotation"),
    )


def _user(text: str) -> int | None:
    if text.lower() in ("none", ""):
        return None
    if not text.isascii() or not text.isdigit():
        hint = "Give a number, or `none` to let the cluster choose."
        raise UsageError(f"'{text}' is not a user id", hint)
    return int(text)


def _pairs(words: Sequence[str], what: str) -> Mapping[str, str]:
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UsageError(f"'{word}' is not a valid {what}", "Give KEY=VALUE.")
        found[key] = value
    return found
