"""Smart HTTP: `git http-backend` behind basic authentication, with faults on demand."""

from __future__ import annotations

import base64
import contextlib
import http.server
import shlex
import socket
import ssl
import subprocess
import tempfile
import threading
import traceback
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote, urlsplit

from tests.support.processes import Processes
from tests.support.sandbox import Sandbox
from tests.support.servers import Server

_BLOCK = 1 << 16


@dataclass(frozen=True)
class Request:
    """What a client asked for, and the status it was answered with."""

    method: str
    path: str
    user: str | None
    """Who the client said it was, if anybody."""
    gzipped: bool
    chunked: bool
    status: int


class HttpServer(Server):
    """http:// for one user; the fault attributes may be set and reset at any time."""

    user = "ghost"
    password = "s3cret:p@ss/word"
    """With characters that need quoting in a URL."""

    def __init__(self, directory: Path) -> None:
        """Listen."""
        super().__init__(directory)
        self.requests: list[Request] = []
        """Everything asked so far, refused or not."""
        self.secrets: list[str] = []
        """Every Authorization and Cookie header that came, as it was written."""
        self.public = False
        """Whether it serves everybody, whatever they say of themselves."""
        self.fail_first = 0
        """So many of the next requests are answered with `fail_status`."""
        self.fail_status = 503
        self.cut_response_after: int | None = None
        """Close the connection after so many bytes of a response's body."""
        self.fault_on = ""
        """Faults only hit requests with this in their path and query: `git-receive-pack`."""
        self.credential_helper = self._helper("helper", self.password)
        """A value for `credential.helper`; see `admit`."""
        self.wrong_credential_helper = self._helper("wrong-helper", "wrong")
        self._lock = threading.Lock()
        self.processes = Processes(self.log_file)
        self._http = _Listener(self)
        self.port = self._http.server_address[1]
        serve = {"poll_interval": 0.02}
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs=serve, daemon=True)
        self._thread.start()

    @property
    def connections(self) -> int:
        """How many connections clients have made so far (fewer than requests: kept alive)."""
        return self._http.connections

    def url(self, name: str, port: int | None = None) -> str:
        """Return the http:// URL, without credentials."""
        return f"http://127.0.0.1:{port or self.port}/{quote(name)}"

    def url_with_password(self, name: str) -> str:
        """Return the URL in the form that must never be shown or stored anywhere."""
        secret = f"{self.user}:{quote(self.password, safe='')}"
        return self.url(name).replace("://", f"://{secret}@", 1)

    def admit(self, sandbox: Sandbox) -> None:
        """Configure the credential helper in the sandbox's global git configuration."""
        super().admit(sandbox)
        sandbox.config("credential.helper", self.credential_helper)

    def close(self) -> None:
        """Stop listening and kill the backends."""
        self._http.shutdown()
        self.processes.kill()
        self._http.server_close()
        self._thread.join()

    def failure_for(self, path: str) -> int | None:
        """Return the status to refuse a request with, if it is its turn to be refused."""
        with self._lock:
            if self.fail_first <= 0 or self.fault_on not in path:
                return None
            self.fail_first -= 1
            return self.fail_status

    def _helper(self, name: str, password: str) -> str:
        script = self.state / name
        answer = shlex.quote(f"username={self.user}\npassword={password}\n")
        script.write_text(f'#!/bin/sh\n[ "$1" != get ] || printf %s {answer}\n', encoding="ascii")
        script.chmod(0o755)
        return f"!{shlex.quote(str(script))}"


class HttpsServer(HttpServer):
    """The same over TLS, with a certificate by an authority nobody knows."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.certificate = self.state / "certificate"
        key = self.state / "tls-key"
        make = (
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", str(key), "-out", str(self.certificate),
        )  # fmt: skip
        subprocess.run(make, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self._http.socket = context.wrap_socket(
            self._http.socket, server_side=True, do_handshake_on_connect=False
        )

    def url(self, name: str, port: int | None = None) -> str:
        return super().url(name, port).replace("http:", "https:")


class _Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # kept-alive connections of clients would hold the end up
    request_queue_size = 64

    def __init__(self, owner: HttpServer) -> None:
        self.owner = owner
        self.connections = 0
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        with self.owner.log_file.open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        self.connections += 1
        return super().get_request()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        owner = self.server.owner
        sent = (self.headers.get(name) for name in ("Authorization", "Cookie"))
        owner.secrets += filter(None, sent)
        # The body first, whatever the answer: the connection stays usable, and a backend that
        # answers before it has read everything cannot block.
        with tempfile.TemporaryFile(dir=owner.state) as body:
            length = self._receive(body)
            body.seek(0)
            user, password = self._credentials()
            if status := owner.failure_for(self.path):
                self._refuse(status)
            elif not owner.public and (user, password) != (owner.user, owner.password):
                self._refuse(401)
            else:
                with contextlib.suppress(ConnectionError):
                    self._run_backend(body, length)

    def _chunked(self) -> bool:
        return "chunked" in self.headers.get("Transfer-Encoding", "").lower()

    def _receive(self, body: IO[bytes]) -> int:
        if not self._chunked():
            self._copy(int(self.headers.get("Content-Length", 0)), body)
            return body.tell()
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            self._copy(size, body)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return body.tell()

    def _copy(self, size: int, body: IO[bytes]) -> None:
        while size:
            block = self.rfile.read(min(size, _BLOCK))
            if not block:
                raise ConnectionResetError("the client left in the middle of a request")
            body.write(block)
            size -= len(block)

    def _credentials(self) -> tuple[str | None, str | None]:
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None, None
        user, _, password = base64.b64decode(value).decode().partition(":")
        return user, password

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _run_backend(self, body: IO[bytes], length: int) -> None:
        owner = self.server.owner
        url = urlsplit(self.path)
        env = {
            **owner.server_env,
            "GATEWAY_INTERFACE": "CGI/1.1",
            "GIT_PROJECT_ROOT": str(owner.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(url.path),
            "QUERY_STRING": url.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_USER": owner.user,
            "REMOTE_ADDR": self.client_address[0],
        }
        command = ["git", "http-backend"]
        running = owner.processes.running
        with running(command, env, stdin=body, stdout=subprocess.PIPE) as backend:
            assert backend.stdout is not None
            if headers := _cgi_headers(backend.stdout):
                self._forward(headers, backend.stdout)
            else:  # it died; why is in the log
                self._refuse(500)

    def _forward(self, headers: Message, content: IO[bytes]) -> None:
        self.send_response(int(headers.get("Status", "200").split()[0]))
        for name, value in headers.items():
            if name.lower() not in ("status", "content-length"):
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        owner = self.server.owner
        allowed = owner.cut_response_after if owner.fault_on in self.path else None
        while block := _read_some(content):
            if allowed is not None and len(block) > allowed:
                self._send_chunk(block[:allowed])
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            self._send_chunk(block)
            allowed = allowed - len(block) if allowed is not None else None
        self.wfile.write(b"0\r\n\r\n")

    def _send_chunk(self, block: bytes) -> None:
        if block:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))

    def log_request(self, code: int | str = "-", size: object = "-") -> None:  # noqa: ARG002
        gzipped = self.headers.get("Content-Encoding") == "gzip"
        user = self._credentials()[0]
        status = int(code)
        request = Request(self.command, self.path, user, gzipped, self._chunked(), status)
        self.server.owner.requests.append(request)
        self.log_message("%s", request)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        with self.server.owner.log_file.open("a", encoding="utf-8") as log:
            log.write(f"{format % args}\n")


def _read_some(stream: IO[bytes]) -> bytes:
    # what the backend has said so far, so that progress is passed on at once
    read1 = getattr(stream, "read1", stream.read)
    block: bytes = read1(_BLOCK)
    return block


def _cgi_headers(stream: IO[bytes]) -> Message:
    lines = []
    while (line := stream.readline()).strip():
        lines.append(line)
    return BytesParser().parsebytes(b"".join(lines))
