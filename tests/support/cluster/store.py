"""The API server's memory: objects, their versions and the history that watches read."""

from __future__ import annotations

import copy
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import NamedTuple

from tests.support.cluster import status
from tests.support.cluster.kinds import Kind, Object

Change = Callable[[Object], None]
_Key = tuple[str, str, str]  # resource, namespace, name
_SAFE = "bcdfghjklmnpqrstvwxz2456789"  # what Kubernetes makes random names of


def random_suffix(length: int = 5) -> str:
    """Return the end of a generated name."""
    return "".join(random.choices(_SAFE, k=length))


def now() -> str:
    """Return the time as objects have it: whole seconds."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Event(NamedTuple):
    """One line of the history."""

    version: int
    type: str
    kind: Kind
    object: Object
    before: Object | None
    """What the object was before, for watches whose selector it enters or leaves."""


class Store:
    """Objects by kind, namespace and name; every change has a resource version."""

    def __init__(self) -> None:
        """Begin empty."""
        self.changed = threading.Condition(threading.RLock())
        """Notified of every change; the lock guards everything in here."""
        self._objects: dict[_Key, Object] = {}
        self._events: list[Event] = []
        self._version = 1000
        self.oldest = 0
        """What was before this version cannot be watched any more."""

    @property
    def version(self) -> int:
        """The latest resource version."""
        return self._version

    def compact(self) -> None:
        """Forget the history: to watch from before now is answered with 410 from here on."""
        with self.changed:
            self._version += 1
            self.oldest = self._version
            self.changed.notify_all()

    def all(self, kind: Kind, namespace: str = "") -> list[Object]:
        """Return copies of all objects of a kind, sorted as etcd does."""
        with self.changed:
            keys = sorted(k for k in self._objects if k[0] == kind.resource)
            wanted = (k for k in keys if namespace in ("", k[1]))
            return [copy.deepcopy(self._objects[key]) for key in wanted]

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Return a copy of an object.

        Raises:
            ApiError: there is none.

        """
        with self.changed:
            return copy.deepcopy(self._stored(kind, namespace, name))

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return a copy of an object, or None."""
        with self.changed:
            return copy.deepcopy(self._objects.get((kind.resource, namespace, name)))

    def create(self, kind: Kind, obj: Object, dry_run: bool = False) -> Object:
        """Add an object, whose metadata is completed, and return a copy.

        Raises:
            ApiError: the name is taken.

        """
        obj = copy.deepcopy(obj)
        meta = obj["metadata"]
        with self.changed:
            if not meta.get("name"):
                meta["name"] = meta["generateName"] + random_suffix()
            key = (kind.resource, meta.get("namespace", ""), meta["name"])
            if key in self._objects:
                raise status.already_exists(kind, meta["name"])
            meta.update(uid=str(uuid.uuid4()), creationTimestamp=now(), generation=1)
            if dry_run:
                return obj
            self._objects[key] = obj
            self._record("ADDED", kind, obj, None)
            return copy.deepcopy(obj)

    def update(self, kind: Kind, namespace: str, name: str, change: Change) -> Object:
        """Let `change` alter an object in place, and return a copy of the result.

        Raises:
            ApiError: there is none.

        """
        with self.changed:
            obj = self._stored(kind, namespace, name)
            before = copy.deepcopy(obj)
            change(obj)
            if obj != before:
                if obj.get("spec") != before.get("spec"):
                    obj["metadata"]["generation"] = before["metadata"].get("generation", 1) + 1
                self._record("MODIFIED", kind, obj, before)
            return copy.deepcopy(obj)

    def remove(self, kind: Kind, namespace: str, name: str) -> Object:
        """Take an object away for good, and return what it was.

        Raises:
            ApiError: there is none.

        """
        with self.changed:
            obj = self._stored(kind, namespace, name)
            del self._objects[kind.resource, namespace, name]
            self._record("DELETED", kind, obj, copy.deepcopy(obj))
            return copy.deepcopy(obj)

    def since(self, version: int) -> tuple[int, list[Event]]:
        """Return the latest version, and what happened after `version`.

        Raises:
            ApiError: that is too long ago.

        """
        with self.changed:
            if version < self.oldest:
                raise status.expired(version, self.oldest)
            return self._version, [e for e in self._events if e.version > version]

    def wait(self, version: int, deadline: float) -> bool:
        """Wait until something happens after `version`; False when `deadline` (monotonic) came."""
        with self.changed:
            return self.changed.wait_for(
                lambda: self._version > version, max(0.0, deadline - time.monotonic())
            )

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Keep all others from changing anything during the block."""
        with self.changed:
            yield

    def _stored(self, kind: Kind, namespace: str, name: str) -> Object:
        found = self._objects.get((kind.resource, namespace, name))
        if found is None:
            raise status.not_found(kind, name)
        return found

    def _record(self, type_: str, kind: Kind, obj: Object, before: Object | None) -> None:
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        event = Event(self._version, type_, kind, copy.deepcopy(obj), before)
        self._events.append(event)
        self.changed.notify_all()
