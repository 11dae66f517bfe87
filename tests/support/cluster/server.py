"""The API over HTTP or HTTPS on loopback: authentication, routing, streams, and their faults."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.support.cluster import status
from tests.support.cluster.api import Answer, Api, Target
from tests.support.cluster.kinds import Object
from tests.support.cluster.status import ApiError
from tests.support.cluster.watching import watch
from tests.support.listener import Listener

PodLog = Callable[[str, str, dict[str, str], threading.Event], Iterator[bytes]]
"""Namespace, pod, query, stop → the bytes of a log."""

_VERSION = {"major": "1", "minor": "33", "gitVersion": "v1.33.0", "platform": "linux/amd64"}
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Seen(NamedTuple):
    """A request, as the server saw it."""

    method: str
    path: str
    verb: str
    resource: str
    query: dict[str, str]
    body: Object | None
    agent: str
    acting: tuple[tuple[str, str], ...] = ()
    """The headers that say whose rights it asks to have (`Impersonate-…`)."""


class ApiServer:
    """Listens from construction to `close`; `go_down` and `come_back` in between."""

    def __init__(
        self, api: Api, pod_log: PodLog, users: dict[str, str], tls: ssl.SSLContext | None
    ) -> None:
        """Serve `api` to `users`: their names by bearer token, or by a certificate's `CN=…`."""
        self.api = api
        self.pod_log = pod_log
        self.users = users
        self.seen: list[Seen] = []
        """Every request so far, refused or not."""
        self.accepted = 0
        """Connections so far."""
        self.errors = StringIO()
        """Tracebacks: bugs of the test server itself."""
        self.stop = threading.Event()
        self._tls = tls
        self._connections: set[socket.socket] = set()
        self._listener = Listener(self._handle)
        self.port = self._listener.port

    def go_down(self) -> None:
        """Break all connections, and refuse new ones."""
        self._listener.close()
        self.drop()

    def drop(self) -> None:
        """Break all connections, as a load balancer that restarts does."""
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                # Not SSLSocket's own: what is written at the same time would go out in clear.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def come_back(self) -> None:
        """Listen again, at the same port."""
        self._listener = Listener(self._handle, self.port)

    def close(self) -> None:
        """Stop for good."""
        self.stop.set()
        self.go_down()

    def _handle(self, connection: socket.socket) -> None:
        self.accepted += 1
        self._connections.add(connection)
        try:
            with contextlib.suppress(OSError), self._secured(connection) as stream:
                _Handler(stream, self)
        except Exception:
            traceback.print_exc(file=self.errors)
        finally:
            self._connections.discard(connection)
            connection.close()

    @contextlib.contextmanager
    def _secured(self, connection: socket.socket) -> Iterator[socket.socket]:
        if self._tls is None:
            yield connection
            return
        with self._tls.wrap_socket(connection, server_side=True) as stream:
            self._connections.add(stream)
            try:
                yield stream
            finally:
                self._connections.discard(stream)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 300

    def __init__(self, connection: socket.socket, owner: ApiServer) -> None:
        self.owner = owner
        self.api = owner.api
        super().__init__(connection, ("127.0.0.1", 0), owner)  # type: ignore[arg-type]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the base class's names

    def _serve(self) -> None:
        try:
            self._answer()
        except ApiError as error:
            self._refuse(error)

    def _wait(self) -> None:
        if self.api.faults.delay:
            self.owner.stop.wait(self.api.faults.delay)

    def _answer(self) -> None:
        body = self._body()
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        user = self._user()
        if document := self._document(parts):
            self._note(parts, "get", "", query, None)
            if len(parts) == 3 and parts[1] in self.api.faults.broken_groups:
                raise ApiError(503, "ServiceUnavailable", "service unavailable")
            self._send(Answer(document))
            return
        target = self.api.target(parts)
        verb, resource = self._verb(target, query), _resource(target)
        self._note(parts, verb, resource, query, body)
        self._fail_on_request(verb, target)
        if not self.api.is_allowed(verb, target.kind.group, resource):
            name = target.name
            raise status.forbidden(user, verb, target.kind, target.sub, target.namespace, name)
        if verb == "watch":
            self._stream(watch(self.api, target, query, self.owner.stop), "application/json")
        elif target.sub == "log":
            data = self.owner.pod_log(target.namespace, target.name, query, self.owner.stop)
            self._stream(data, "text/plain")
        else:
            self._send(self._act(verb, target, query, body))

    def _body(self) -> Object | None:
        size = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(size) if size else b""
        if "protobuf" in self.headers.get("Content-Type", ""):
            message = (
                "the body of the request was in an unknown format - accepted: application/json"
            )
            raise ApiError(415, "UnsupportedMediaType", message)
        try:
            body: Object | None = json.loads(data) if data else None
        except ValueError as error:
            raise status.bad_request(
                f"couldn't get version/kind; json parse error: {error}"
            ) from None
        return body

    def _act(self, verb: str, target: Target, query: dict[str, str], body: Object | None) -> Answer:
        if verb == "get":
            return self.api.get(target)
        if verb == "list":
            return self.api.list_all(target, query)
        if verb == "delete":
            return self.api.delete(target, body or {}, query)
        if body is None:
            raise status.bad_request("the request has no body")
        if verb == "create":
            answer = self.api.create(target, body, query)
            self.owner.stop.wait(self.api.faults.delay_answers)
            if self.api.faults.take("lost_answers"):
                raise ConnectionAbortedError
            return answer
        if verb == "update":
            return self.api.replace(target, body, query)
        return self.api.patch(target, body, query)

    def _document(self, parts: list[str]) -> Object | None:
        if self.command != "GET":
            return None
        if parts == ["version"]:
            return dict(_VERSION)
        if parts[0] in ("api", "apis"):
            return self.api.kinds.document(parts)
        return self.api.kinds.openapi(parts) if parts[:2] == ["openapi", "v3"] else None

    def _verb(self, target: Target, query: dict[str, str]) -> str:
        if self.command == "GET":
            if query.get("watch") in ("1", "true"):
                return "watch"
            return "get" if target.name else "list"
        if self.command == "DELETE" and not target.name:
            return "deletecollection"
        return _VERBS[self.command]

    def _user(self) -> str:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        user = self.owner.users.get(token) if scheme.lower() == "bearer" else None
        user = user or self.owner.users.get(f"CN={self._certified()}")
        if user is None:
            raise status.unauthorized()
        return user

    def _certified(self) -> str:
        """Return the name in the client's certificate, if there is one."""
        stream = self.connection
        peer = stream.getpeercert() if isinstance(stream, ssl.SSLSocket) else None
        subject: Any = (peer or {}).get("subject", ())
        return next((value for ((name, value),) in subject if name == "commonName"), "")

    def _note(
        self, parts: list[str], verb: str, resource: str, query: dict[str, str], body: Object | None
    ) -> None:
        agent = self.headers.get("User-Agent", "")
        acting = tuple(h for h in self.headers.items() if h[0].lower().startswith("impersonate-"))
        path = "/" + "/".join(parts)
        seen = Seen(self.command, path, verb, resource, query, body, agent, acting)
        self.owner.seen.append(seen)
        self._wait()

    def _fail_on_request(self, verb: str, target: Target) -> None:
        asked = "log" if target.sub == "log" else verb
        refusal = self.api.faults.refusal(asked, target.kind.resource)
        if refusal is None:
            return
        words = {
            404: ("NotFound", "the server could not find the requested resource"),
            410: ("Expired", "The resourceVersion for the provided watch is too old."),
            429: ("TooManyRequests", "too many requests, please try again later"),
            503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
            504: ("Timeout", "the server was unable to return a response in the time allotted"),
        }
        reason, message = words.get(refusal.code, ("InternalError", "Internal error occurred"))
        raise ApiError(refusal.code, reason, message, retry_after=refusal.retry_after)

    def _refuse(self, error: ApiError) -> None:
        if error.status:
            headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
            self._send(Answer(error.status, error.code), headers)
        else:
            self._send_bytes(error.code, b"404 page not found\n", {"Content-Type": "text/plain"})

    def _send(self, answer: Answer, headers: dict[str, str] | None = None) -> None:
        all_headers = {"Content-Type": "application/json", **(headers or {})}
        body = json.dumps(answer.object).encode() + b"\n"
        self._send_bytes(answer.code, body, all_headers, answer.warnings)

    def _send_bytes(
        self, code: int, body: bytes, headers: dict[str, str], warnings: tuple[str, ...] = ()
    ) -> None:
        self._wait()
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        for warning in warnings:
            self.send_header("Warning", f"299 - {json.dumps(warning)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, pieces: Iterator[bytes], content_type: str) -> None:
        """Send pieces as they come, chunked; break off where a fault says so."""
        self._wait()
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        cut = self._watch_cut if content_type == "application/json" else self._log_cut
        whole = True
        for piece, more in cut(pieces):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            whole = more
        if whole:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True

    def _watch_cut(self, pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
        faults = self.api.faults
        for count, piece in enumerate(pieces, 1):
            last = faults.watch_events is not None and count >= faults.watch_events
            if last and faults.watch_mid_line:
                yield piece[: len(piece) // 2], False
            else:
                yield piece, True
            if last:
                return

    def _log_cut(self, pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
        limit = self.api.faults.log_bytes
        if limit is None or "follow=" not in self.path or not self.api.faults.take("log_drops"):
            yield from ((piece, True) for piece in pieces)
            return
        sent = 0
        for piece in pieces:
            if sent + len(piece) >= limit:
                yield piece[: limit - sent] or b" ", False
                return
            sent += len(piece)
            yield piece, True


def _resource(target: Target) -> str:
    return f"{target.kind.plural}/{target.sub}" if target.sub else target.kind.plural
