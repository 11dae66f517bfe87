"""Kinds as the API serves them: paths and names, for known ones without asking the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from git_ghost import kinds
from git_ghost.kinds import Kind, plural, split_api_version


class Resource(NamedTuple):
    """A kind as the API serves it."""

    group: str
    """Empty for the core group."""
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def row(self) -> Kind | None:
        """What is known of the kind."""
        return kinds.find(self.group, self.kind)

    @property
    def api_version(self) -> str:
        """As ``apiVersion`` has it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str, name: str = "", part: str = "") -> str:
        """The path of the collection, of the object ``name``, or of a ``part`` such as ``log``."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        tail = "".join(f"/{quote(piece, safe='')}" for piece in (name, part) if piece)
        return f"{root}{place}/{self.plural}{tail}"

    def shown(self, name: str) -> str:
        """``job.batch/train-x7k2``, as kubectl prints and takes it."""
        group = f".{self.group}" if self.group else ""
        return f"{self.kind.lower()}{group}/{name}"


POD = Resource("", "v1", "Pod", "pods")
EVENT = Resource("", "v1", "Event", "events")


def known(api_version: str, kind: str) -> Resource | None:
    """The resource of an object, if its kind is in the table."""
    group, version = split_api_version(api_version)
    row = kinds.find(group, kind)
    return _resource(row, version) if row else None


def _resource(row: Kind, version: str) -> Resource:
    return Resource(row.group, version, row.name, row.plural, row.namespaced)


def known_by_name(word: str) -> Resource | None:
    """The resource a user's word names: ``job``, ``jobs``, ``wf``, ``Workflow.argoproj.io``."""
    name, _, group = word.lower().partition(".")
    for row in kinds.every():
        names = (row.name.lower(), row.plural, row.short)
        if name in names and (not group or group == row.group or group.endswith("." + row.group)):
            return _resource(row, row.version)
    return None


def resource_of(data: Mapping[str, Any]) -> Resource:
    """The resource of an object, its plural guessed as the API's own rule has it if need be."""
    api_version, kind = str(data.get("apiVersion", "")), str(data.get("kind", ""))
    group, version = split_api_version(api_version)
    return known(api_version, kind) or Resource(group, version, kind, plural(kind.lower()))
