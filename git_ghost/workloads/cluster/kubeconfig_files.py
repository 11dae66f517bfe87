"""Kubeconfig files as one, by kubectl's rules: the first file that says something counts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from git_ghost.errors import GhostError, UsageError

Entry = dict[str, Any]

_FILES = {
    "cluster": ("certificate-authority",),
    "user": ("client-certificate", "client-key", "tokenFile"),
    "context": (),
}
"""Which fields of an entry name files: those of a relative name are next to the kubeconfig."""


class Chosen(NamedTuple):
    """A context, with the cluster and the user it names; files in them by absolute path."""

    name: str
    namespace: str
    cluster: Entry
    user: Entry


class Files:
    """The kubeconfigs that are there, in the order in which they count."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Read them; GhostError for what is not a kubeconfig, or when all of them are empty."""
        self._paths = os.pathsep.join(paths)
        self._current = ""
        self._entries: dict[str, dict[str, Entry]] = {kind: {} for kind in _FILES}
        self._mergers: list[Any] = []
        for path in paths:
            self._read(path)
        if not self._mergers:
            raise GhostError(f"the kubeconfig {self._paths} is empty")

    def _read(self, path: str) -> None:
        try:
            self._take(path)
        except OSError:
            raise
        except Exception as e:  # no YAML, or YAML of another shape
            what = str(e).partition("\n")[0] or type(e).__name__
            raise GhostError(f"the kubeconfig {path} cannot be read: {what}") from e

    def _take(self, path: str) -> None:
        from kubernetes.config.config_exception import ConfigException
        from kubernetes.config.kube_config import KubeConfigMerger

        try:  # of this one alone: what it makes of several is not what kubectl does
            merger = KubeConfigMerger(path)  # type: ignore[no-untyped-call]
        except ConfigException:  # it is empty
            return
        self._mergers.append(merger)
        data = merger.config_files[path]
        self._current = self._current or str(data.get("current-context") or "")
        folder = os.path.dirname(os.path.abspath(path))
        for kind, entries in self._entries.items():
            for node in data.get(f"{kind}s") or ():
                entries.setdefault(str(node["name"]), _at_home(kind, node.get(kind) or {}, folder))

    def choose(self, context: str) -> Chosen:
        """The context of that name, or the current one; else an error that lists those there are.

        Raises UsageError for a name that was asked for, GhostError for what the files lack.
        """
        contexts = self._entries["context"]
        wanted = context or self._current
        if wanted not in contexts:
            raise self._no_context(context, wanted)
        chosen = contexts[wanted]
        return Chosen(
            wanted,
            str(chosen.get("namespace") or ""),
            self._named("cluster", chosen, wanted),
            self._named("user", chosen, wanted) if chosen.get("user") else {},
        )

    def _named(self, kind: str, context: Entry, its_name: str) -> Entry:
        name = str(context.get(kind) or "")
        if name not in self._entries[kind]:
            what = f"names a {kind} that it does not have: {name}" if name else f"names no {kind}"
            raise GhostError(f"the kubeconfig {self._paths}: the context {its_name} {what}")
        return self._entries[kind][name]

    def _no_context(self, context: str, wanted: str) -> GhostError:
        names = sorted(self._entries["context"])
        listed = f"It has: {', '.join(names)}." if names else "It has none."
        if context:
            text = f"there is no context {context} in the kubeconfig {self._paths}"
            return UsageError(text, listed)
        what = f"names a context that it does not have: {wanted}"
        return GhostError(
            f"the kubeconfig {self._paths} {what if wanted else 'has no context chosen'}",
            f"{listed} Choose one with --context, or `kubectl config use-context NAME`.",
        )

    def save(self) -> None:
        """Write tokens of OpenID Connect, which were renewed in place, back to their file."""
        for merger in self._mergers:
            merger.save_changes()


def _at_home(kind: str, entry: Mapping[str, Any], folder: str) -> Entry:
    """``entry`` without what is empty, its files by absolute path."""
    own = {key: value for key, value in entry.items() if value not in (None, "")}
    for key in _FILES[kind]:
        if key in own:
            own[key] = os.path.join(folder, str(own[key]))
    plugin = own.get("exec")
    if isinstance(plugin, dict) and os.sep in str(plugin.get("command", "")):  # else: on PATH
        own["exec"] = {**plugin, "command": os.path.join(folder, plugin["command"])}
    return own
