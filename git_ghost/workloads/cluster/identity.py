"""Who asks the API server: credentials, and headers that go with every request."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from git_ghost.errors import GhostError, RemoteError
from git_ghost.workloads.cluster.plugin import UserCredentials

FILE_SECONDS = 60.0
"""How long a token from a file is taken for good; the kubelet, for one, writes new ones."""

Headers = tuple[tuple[str, str], ...]
"""Names and values; a name may occur several times."""


class Asking(NamedTuple):
    """With which credentials a request is made, and since when."""

    turn: int
    since: float


class Identity:
    """Who asks, and as whom; for several threads.

    Credentials that have run out are got anew: when they say so themselves, before a request, and
    when the server does not know them any more (401).
    """

    def __init__(
        self, get: Callable[[], UserCredentials] | None = None, acting: Headers = ()
    ) -> None:
        """``get`` brings credentials; without it the Kubernetes client has them, and they stay.

        ``acting``: see :func:`acting_as`. Raises what ``get`` raises.
        """
        self._get = get
        self._acting = acting
        self._lock = threading.Lock()
        self._failure: tuple[float, GhostError] | None = None
        self._turn = 0  # how often they were renewed
        self.credentials = get() if get else UserCredentials()

    def asking(self) -> Asking:
        """Who asks now; for :meth:`renew`, when the server says that it does not know them."""
        return Asking(self._turn, time.monotonic())

    def headers(self) -> Headers:
        """What to send with a request; raises GhostError when the credentials cannot be renewed."""
        asking = self.asking()
        if 0 < self.credentials.expires <= time.time():
            self.renew(asking)
        token = self.credentials.token
        return (("Authorization", f"Bearer {token}"), *self._acting) if token else self._acting

    def renew(self, asking: Asking) -> bool:
        """Get credentials in place of those, unless another thread did so since.

        Whether there are others now, so that a request is worth another try.
        """
        if self._get is None:
            return False
        with self._lock:
            if self._failure and asking.since < self._failure[0]:  # it would but fail again
                raise self._failure[1]
            if asking.turn == self._turn:
                try:
                    self.credentials = self._get()
                except GhostError as e:
                    self._failure = time.monotonic(), e
                    raise
                self._turn += 1
        return True


class Signed:
    """urllib3's pool of connections; every request that goes through it says who asks."""

    def __init__(self, make: Callable[[UserCredentials], Any], identity: Identity) -> None:
        """``make`` brings a pool, which is needed anew with another certificate."""
        self._make = make
        self._identity = identity
        self._lock = threading.Lock()
        self._certificate = identity.credentials.certificate
        self._pools = [make(identity.credentials)]

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
        return self._pool().request(method, url, headers=signed, **more)

    def _pool(self) -> Any:
        with self._lock:
            credentials = self._identity.credentials
            if credentials.certificate != self._certificate:
                self._pools.append(self._make(credentials))
                self._certificate = credentials.certificate
            return self._pools[-1]

    def clear(self) -> None:
        """Give all connections back, those of former certificates too."""
        for pool in self._pools:
            pool.clear()


class TokenFile:
    """The credentials in a file; called, it reads the file again."""

    def __init__(self, path: str) -> None:
        """Read ``path`` when called."""
        self._path = path
        self._last = ""

    def __call__(self) -> UserCredentials:
        """What is in the file now; while it is being written, what was in it before."""
        try:
            with open(self._path, encoding="ascii") as file:
                self._last = file.read().strip() or self._last
        except (OSError, ValueError) as e:
            if not self._last:
                why = (e.strerror or str(e)).lower() if isinstance(e, OSError) else "it is not text"
                raise RemoteError(f"the token file {self._path} cannot be read: {why}") from e
        if not self._last:
            raise RemoteError(f"the token file {self._path} is empty")
        return UserCredentials(self._last, expires=time.time() + FILE_SECONDS)


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
