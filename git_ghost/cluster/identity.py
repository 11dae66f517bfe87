"""Who asks the API server: headers that go with every request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from git_ghost.errors import GhostError

Headers = tuple[tuple[str, str], ...]
"""Names and values; a name may occur several times."""


class Identity:
    """Who asks, and as whom; for several threads."""

    def __init__(self, acting: Headers = ()) -> None:
        """``acting``: see :func:`acting_as`."""
        self._acting = acting

    def headers(self) -> Headers:
        """What to send with a request."""
        return self._acting


class Signed:
    """urllib3's pool of connections; every request that goes through it says who asks."""

    def __init__(self, pool: Any, identity: Identity) -> None:
        """Stand in for ``pool``, which the Kubernetes client made."""
        self._pool = pool
        self._identity = identity

    def request(self, method: str, url: str, *, headers: Any = None, **more: Any) -> Any:
        """What :meth:`urllib3.PoolManager.request` does."""
        from urllib3 import HTTPHeaderDict

        # The Kubernetes client keeps one value of a header; groups are as many headers.
        signed = HTTPHeaderDict(headers or {})
        ours = self._identity.headers()
        for name, _ in ours:
            signed.discard(name)
        for name, value in ours:
            signed.add(name, value)
        return self._pool.request(method, url, headers=signed, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)


def acting_as(user: Mapping[str, Any], path: str) -> Headers:
    """The headers for a kubeconfig user's ``as`` and its kin: whose rights the requests have.

    Raises GhostError where there is no ``as`` that they could belong to, as kubectl does.
    """
    name, groups, extra = (user.get(key) for key in ("as", "as-groups", "as-user-extra"))
    found = [("Impersonate-User", name), ("Impersonate-Uid", user.get("as-uid"))]
    found += [("Impersonate-Group", group) for group in groups or ()]
    for key, values in (extra or {}).items():
        found += [(f"Impersonate-Extra-{_escaped(str(key))}", value) for value in values or ()]
    said = tuple((header, _as_latin(str(value))) for header, value in found if value)
    if said and not name:
        raise GhostError(
            f"the kubeconfig {path} cannot be used: it names a uid, groups or extras to act with,"
            " but nobody to act as",
            "Add `as` to its user, or take out `as-uid`, `as-groups` and `as-user-extra`.",
        )
    return said


def _escaped(key: str) -> str:
    """``key`` as a part of a header's name; the server takes it back."""
    kept = re.compile(r"[A-Za-z0-9!#$&'*+.^_`|~-]")
    return "".join(chr(b) if kept.match(chr(b)) else f"%{b:02x}" for b in key.encode())


def _as_latin(value: str) -> str:
    """``value``, which http.client writes as Latin-1, so that it arrives as UTF-8."""
    return value.encode().decode("latin-1")
