"""The way to the API server: kubeconfig or service account, requests, streams."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from git_ghost.errors import GhostError, RemoteError
from git_ghost.kinds import split_api_version
from git_ghost.workloads.cluster.answers import Answer, explain, explain_connection
from git_ghost.workloads.cluster.resources import Resource, known

if TYPE_CHECKING:
    from git_ghost.workloads.cluster.identity import Identity

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
"""How long the server may be silent before a request is given up."""
BUSY_TRIES = 5
"""How often a request is sent that the server is too busy for (429), as kubectl does."""

Query = Sequence[tuple[str, str]]


class Reply(NamedTuple):
    """What the server answered: an object, and the warnings in the headers."""

    data: dict[str, Any]
    warnings: tuple[str, ...] = ()


class Client:
    """A connection; every method raises the errors of :mod:`git_ghost.workloads.cluster.answers`.

    Made by :func:`git_ghost.workloads.cluster.connection.connect`.
    May be used by several threads at once.
    """

    def __init__(
        self, dynamic: Any, identity: Identity, server: str, namespace: str, context: str
    ) -> None:
        self._dynamic = dynamic
        self._identity = identity
        self.server = server
        """The server's URL, for people."""
        self.namespace = namespace
        """The namespace of the call: as asked for, else the context's, else ``default``."""
        self.context = context
        """The kubeconfig's context; empty with a service account."""
        self._served: dict[tuple[str, str], Resource] = {}

    def get(self, path: str, query: Query = (), doing: str = "") -> dict[str, Any]:
        """GET an object or a list."""
        return self._call("GET", path, query, None, doing or f"cannot read {path}").data

    def post(self, path: str, body: Mapping[str, Any], query: Query, doing: str) -> Reply:
        """POST an object."""
        return self._call("POST", path, query, body, doing)

    def delete(self, path: str, propagation: str, doing: str) -> None:
        """DELETE an object; ``propagation`` is ``Foreground`` or ``Background``."""
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        self._call("DELETE", path, (), body, doing)

    def _call(
        self,
        method: str,
        path: str,
        query: Query,
        body: Mapping[str, Any] | None,
        doing: str,
        tries: int = BUSY_TRIES,
    ) -> Reply:
        with self._request(method, path, query, body, doing, READ_SECONDS, tries) as response:
            with _explained(doing, self.server):
                raw = response.read()
            warnings = tuple(_warnings(response.headers))
        try:
            data = json.loads(raw) if raw else {}
        except ValueError as e:
            raise RemoteError(f"{doing}: the answer of {self.server} is not JSON") from e
        return Reply(data if isinstance(data, dict) else {}, warnings)

    @contextlib.contextmanager
    def stream(self, path: str, query: Query, doing: str, silence: float) -> Iterator[Stream]:
        """GET what comes bit by bit; the server may be silent for ``silence`` seconds."""
        with self._request("GET", path, query, None, doing, silence) as response:
            yield Stream(response, doing, self.server)

    @contextlib.contextmanager
    def _request(
        self,
        method: str,
        path: str,
        query: Query,
        body: Mapping[str, Any] | None,
        doing: str,
        silence: float,
        tries: int = BUSY_TRIES,
    ) -> Iterator[Any]:
        from kubernetes.client.exceptions import ApiException

        renewed = False
        while True:
            asking = self._identity.asking()
            try:
                with _explained(doing, self.server):
                    response = self._dynamic.request(
                        method.lower(), path, body=body, serialize=False,
                        query_params=list(query), header_params={}, path_params={},
                        _request_timeout=(CONNECT_SECONDS, silence),
                    )  # fmt: skip
                break
            except ApiException as e:
                if not e.status:
                    raise explain_connection(Exception(e.reason), doing, self.server) from e
                if e.status == 401 and not renewed and self._identity.renew(asking):
                    renewed = True
                    continue
                wait = _busy(e.status, e.headers)
                if tries and wait is not None:
                    tries -= 1
                    time.sleep(wait)
                    continue
                answer = Answer.parse(e.status, e.body, e.reason or "")
                raise explain(answer, doing, self.server) from e
        try:
            yield response
        finally:
            response.close()  # what is left of it, if anything, must not reach the next request

    def warm_up(self) -> Client:
        """Open a connection ahead, so that the first request need not wait for it; never fails."""
        with contextlib.suppress(GhostError):
            self._call("GET", "/version", (), None, "cannot ask for the version", tries=0)
        return self

    def resource(self, api_version: str, kind: str) -> Resource:
        """How the server serves a kind: one request for those that are not known beforehand.

        Raises GhostError when the server has no such kind.
        """
        if found := known(api_version, kind) or self._served.get((api_version, kind)):
            return found
        group, version = split_api_version(api_version)
        root = f"/apis/{api_version}" if group else f"/api/{version}"
        doing = f"cannot use {kind} of {api_version}"
        for entry in self.get(root, doing=doing).get("resources") or ():
            if "/" not in entry["name"]:
                its = Resource(group, version, entry["kind"], entry["name"], entry["namespaced"])
                self._served[api_version, entry["kind"]] = its
        if (api_version, kind) not in self._served:
            raise explain(Answer(404, "404 page not found"), doing, self.server)
        return self._served[api_version, kind]

    def find(self, word: str) -> Resource:
        """The resource a user's word names, among all that the server has; GhostError for none.

        ``foo``, ``foos``, its short names, each with its group behind a dot if there are several.
        """
        name, _, group = word.lower().partition(".")
        doing, broken = f"cannot find {word}", None
        for path, api_version in self._versions(group):
            its_group, version = split_api_version(api_version)
            try:
                entries = self.get(path, doing=doing).get("resources") or ()
            except GhostError as e:
                if not getattr(e, "status", 0):
                    raise
                broken = broken or e  # an extension of the server that is down; others are not
                continue
            for entry in entries:
                kind = str(entry["kind"])
                names = (entry["name"], entry.get("singularName"), kind.lower())
                if "/" not in entry["name"] and name in (*names, *entry.get("shortNames", ())):
                    return Resource(its_group, version, kind, entry["name"], entry["namespaced"])
        raise broken or explain(Answer(404, "404 page not found"), doing, self.server)

    def _versions(self, group: str) -> Iterator[tuple[str, str]]:
        """Paths and names of the groups' preferred versions; of one group, when it is named."""
        if not group:
            yield "/api/v1", "v1"
        for one in self.get("/apis").get("groups") or ():
            if not group or one["name"] == group:
                version = one["preferredVersion"]["groupVersion"]
                yield f"/apis/{version}", version

    def close(self) -> None:
        """Give the connections back."""
        with contextlib.suppress(Exception):  # there is nothing left that could be done about it
            self._dynamic.client.close()


class Stream:
    """The bytes of a response as they come; :meth:`stop` ends a read in another thread."""

    def __init__(self, response: Any, doing: str, server: str) -> None:
        self._response = response
        self._doing = doing
        self._server = server

    def chunks(self) -> Iterator[bytes]:
        """What has arrived, piece by piece, until the server ends it; RemoteError when it drops."""
        with _explained(self._doing, self._server):
            yield from self._response.stream(1 << 16, decode_content=True)

    def lines(self) -> Iterator[bytes]:
        """Whole lines, without their ends."""
        rest = b""
        for chunk in self.chunks():
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def stop(self) -> None:
        """Let :meth:`chunks` end, whichever thread is in it."""
        import socket

        connection = getattr(self._response, "connection", None)
        sock: Any = getattr(connection, "sock", None)
        with contextlib.suppress(OSError, AttributeError):
            sock.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _explained(doing: str, server: str) -> Iterator[None]:
    """What urllib3 raises, as errors of git ghost."""
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (HTTPError, OSError) as e:
        raise explain_connection(e, doing, server) from e


def _busy(status: int, headers: Any) -> float | None:
    """Seconds to wait before a request the server was too busy for is sent again."""
    after = (headers or {}).get("Retry-After", "")
    if status == 429 or (status in (500, 503) and after):
        return min(float(after) if str(after).isdigit() else 1.0, 10.0)
    return None


def _warnings(headers: Any) -> Iterator[str]:
    """The texts of ``Warning: 299 - "…"`` headers."""
    import re

    lines = headers.getlist("Warning") if hasattr(headers, "getlist") else ()
    for line in lines:
        for text in re.findall(r'299 \S+ "((?:[^"\\]|\\.)*)"', line):
            yield re.sub(r"\\(.)", r"\1", text)
