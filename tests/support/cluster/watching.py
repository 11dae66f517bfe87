"""Watches: what happened since a version, as JSON lines, until the client or time ends it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

from tests.support.cluster.api import Api, Query, Target, matcher
from tests.support.cluster.kinds import Object
from tests.support.cluster.selectors import Matches
from tests.support.cluster.status import ApiError, expired
from tests.support.cluster.store import Event

_SLICE = 0.2  # seconds between looks at whether the server is being stopped
_LONG = 1800.0  # seconds: a server's own limit


def watch(api: Api, target: Target, query: Query, stop: threading.Event) -> Iterator[bytes]:
    """Yield events, one a line.

    Raises:
        ApiError: a selector makes no sense.

    """
    if target.name:
        by_name = f"metadata.name={target.name}"
        given = query.get("fieldSelector")
        query = {**query, "fieldSelector": f"{given},{by_name}" if given else by_name}
    return _events(api, target, query, matcher(query), stop)


def _events(
    api: Api, target: Target, query: Query, chosen: Matches, stop: threading.Event
) -> Iterator[bytes]:
    deadline = time.monotonic() + float(query.get("timeoutSeconds") or _LONG)
    asked = query.get("resourceVersion") or ""
    store = api.store
    if api.faults.take("watch_expired_event"):
        yield _line("ERROR", expired(int(asked or 0), store.version).status)
        return
    if asked in ("", "0") or query.get("sendInitialEvents") == "true":
        with store.quiet():
            version = store.version
            present = [o for o in store.all(target.kind, target.namespace) if chosen(o)]
        for obj in present:
            yield _line("ADDED", obj)
        if query.get("sendInitialEvents") == "true":
            yield _bookmark(target, version)
    else:
        version = int(asked)
    while not stop.is_set() and time.monotonic() < deadline:
        try:
            version, events = store.since(version)
        except ApiError as error:
            yield _line("ERROR", error.status)
            return
        for event in events:
            yield from _seen(event, target, chosen)
        store.wait(version, min(deadline, time.monotonic() + _SLICE))
    if query.get("allowWatchBookmarks") == "true" and not stop.is_set():
        yield _bookmark(target, version, initial=False)


def _seen(event: Event, target: Target, chosen: Matches) -> Iterator[bytes]:
    """Yield an event the way a watch with this selector sees it."""
    if event.kind.resource != target.kind.resource:
        return
    if target.namespace not in ("", event.object["metadata"].get("namespace", "")):
        return
    now, before = chosen(event.object), event.before is not None and chosen(event.before)
    if event.type == "DELETED":
        if before:
            yield _line("DELETED", event.object)
    elif now:
        yield _line("MODIFIED" if before else "ADDED", event.object)
    elif before:
        yield _line("DELETED", event.object)


def _line(type_: str, obj: Object) -> bytes:
    return json.dumps({"type": type_, "object": obj}, separators=(",", ":")).encode() + b"\n"


def _bookmark(target: Target, version: int, initial: bool = True) -> bytes:
    meta: Object = {"resourceVersion": str(version), "creationTimestamp": None}
    if initial:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    kind = {"kind": target.kind.name, "apiVersion": target.kind.api_version}
    return _line("BOOKMARK", {**kind, "metadata": meta})
