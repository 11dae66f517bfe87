"""What the API server and the way to it answer, as errors of git ghost: a sentence and a hint."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from git_ghost.errors import GhostError, RemoteError

_ACCESS = "It takes rights in the cluster; ask with `kubectl auth can-i --list`."


class Refused(GhostError):
    """The API server answered with an error: ``status`` is HTTP's, ``reason`` Kubernetes'."""

    def __init__(self, message: str, hint: str = "", status: int = 0, reason: str = "") -> None:
        super().__init__(message, hint)
        self.status = status
        self.reason = reason


class Denied(RemoteError):
    """The API server does not let us: not known (401) or not allowed (403)."""

    def __init__(self, message: str, hint: str = "", status: int = 403) -> None:
        super().__init__(message, hint)
        self.status = status
        self.reason = "Forbidden" if status == 403 else "Unauthorized"


class Unreachable(RemoteError):
    """There was no answer, or none that means anything; trying again later may help.

    ``maybe_done``: what was asked for may have been done all the same.
    """

    def __init__(
        self, message: str, hint: str = "", status: int = 0, *, maybe_done: bool = False
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.maybe_done = maybe_done


class Answer(NamedTuple):
    """The ``Status`` object of a failed request, or what stands for it."""

    code: int
    message: str
    reason: str = ""
    causes: tuple[tuple[str, str], ...] = ()
    """Fields, and what is wrong with each."""

    @classmethod
    def parse(cls, code: int, body: bytes | str | None, phrase: str = "") -> Answer:
        """Read an error's body; one that is not a ``Status`` (a proxy's page) is its first line."""
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body or ""
        try:
            status = json.loads(text)
        except ValueError:
            status = None
        if not isinstance(status, dict) or status.get("kind") != "Status":
            plain = "" if "<" in text[:200] else text.strip().partition("\n")[0][:200]
            return cls(code, plain or phrase or f"HTTP status {code}")
        return cls.of(status, code)

    @classmethod
    def of(cls, status: Mapping[str, Any], code: int = 0) -> Answer:
        """Of a ``Status`` object, which a failed request or a watch's ``ERROR`` event brings."""
        details = status.get("details") or {}
        causes = tuple(
            (str(cause.get("field", "")), str(cause.get("message", "")))
            for cause in details.get("causes") or ()
            if isinstance(cause, dict)
        )
        return cls(
            int(status.get("code") or code),
            str(status.get("message") or status.get("reason") or f"HTTP status {code}"),
            str(status.get("reason") or ""),
            causes,
        )


def explain(answer: Answer, doing: str, server: str) -> GhostError:
    """The error for ``answer``; ``doing`` is what was tried: ``cannot create job train``."""
    code, said = answer.code, answer.message.rstrip(".")
    doing = _shortened(doing)
    if code == 401:
        return Denied(
            f"{doing}: {server} does not know the credentials of this kubeconfig",
            "They may have expired: log in again, and try `kubectl auth whoami`.",
            401,
        )
    if code == 403:
        return _forbidden(said, doing)
    if code == 404:
        return _not_found(said, doing)
    if code == 409 and answer.reason != "Conflict":
        return Refused(
            f"{doing}: it exists already",
            "Let `generateName` instead of `name` give each run its own, or delete it.",
            409,
            answer.reason,
        )
    if code == 422 or (code == 400 and answer.causes):
        return Refused(f"{doing}: {_causes(answer)}", "", code, answer.reason)
    if code == 400:
        return _bad_request(said, doing)
    if code == 429 or code >= 500:
        text = f"{doing}: {server} is busy or not ready: {said}"
        return Unreachable(text, _LATER, code, maybe_done=code not in (429, 503))
    return Refused(f"{doing}: {said}", "", code, answer.reason)


_LATER = "Try again in a while."


def _forbidden(said: str, doing: str) -> GhostError:
    if "exceeded quota" in said or "maximum" in said:
        return Refused(
            f"{doing}: {_after_forbidden(said)}",
            "Ask for less, wait for other work to end, or name another namespace with -n;"
            " `kubectl describe quota` shows what there is.",
            403,
            "Forbidden",
        )
    if "violates PodSecurity" in said:
        return Refused(
            f"{doing}: {_after_forbidden(said)}",
            "The namespace admits only pods of that security level; git ghost's own container"
            " passes `restricted`, the other containers have to as well.",
            403,
            "Forbidden",
        )
    match = re.search(
        r'User "([^"]*)" cannot (\w+) resource "([^"]*)" in API group "([^"]*)"'
        r'(?: in the namespace "([^"]*)"| at the cluster scope)?',
        said,
    )
    if match is None:
        return Denied(f"{doing}: {_after_forbidden(said)}", _ACCESS)
    user, verb, resource, group, namespace = match.groups()
    kind = resource + (f".{group}" if group else "")
    where = f" in namespace {namespace}" if namespace else ""
    flag = f" -n {namespace}" if namespace else ""
    return Denied(
        f"{doing}: {user} may not {verb} {kind}{where}",
        f"A role has to allow it; `kubectl auth can-i {verb} {kind}{flag}` tells whether one does.",
    )


def _after_forbidden(said: str) -> str:
    """The part that says why, behind ``jobs.batch "x" is forbidden:``."""
    return said.partition(" is forbidden: ")[2] or said


def _not_found(said: str, doing: str) -> GhostError:
    if match := re.search(r'namespaces "([^"]*)" not found', said):
        return Refused(
            f"{doing}: there is no namespace {match[1]}",
            "Name another one with -n, or make it: kubectl create namespace " + match[1],
            404,
            "NotFound",
        )
    if "could not find the requested resource" in said or "404 page not found" in said:
        return Refused(
            f"{doing}: the cluster has no such kind",
            "Is its operator (Argo, Kubeflow, Ray, …) installed, in the version the manifest names?"
            " `kubectl api-resources` lists what there is.",
            404,
            "NoKind",
        )
    return Refused(f"{doing}: {said}", "", 404, "NotFound")


def _bad_request(said: str, doing: str) -> GhostError:
    strict = said.partition("strict decoding error: ")[2]
    if strict:
        fields = strict.replace("unknown field ", "unknown field: ").replace('"', "")
        return Refused(
            f"{doing}: {fields}",
            "Mend the manifest; --validate=warn creates the object without these fields.",
            400,
            "BadRequest",
        )
    return Refused(f"{doing}: {said}", "", 400, "BadRequest")


def _causes(answer: Answer) -> str:
    """The fields that are wrong, one after the other; the whole message when none is named."""
    named = [
        f"{field}: {_shortened(why)}" if field else _shortened(why)
        for field, why in answer.causes
        if why
    ]
    return "; ".join(dict.fromkeys(named)) or answer.message


def _shortened(text: str) -> str:
    """``text`` without the middle of words that are too long to be read."""
    return re.sub(r"([^\s\"]{60})[^\s\"]{30,}([^\s\"]{8})", r"\1…\2", text)


def explain_connection(error: BaseException, doing: str, server: str) -> GhostError:
    """The error for a request that got no answer, by what urllib3 or ssl raised."""
    chain = list(_chain(error))
    text = " ".join(str(one) for one in chain)
    names = {type(one).__name__ for one in chain}
    if "CERTIFICATE_VERIFY_FAILED" in text:
        why = re.search(r"certificate verify failed: ([^(\]]+)", text)
        return RemoteError(
            f"{doing}: the certificate of {server} cannot be trusted"
            + (f" ({why[1].strip()})" if why else ""),
            "The kubeconfig's certificate-authority does not fit the server; get a new kubeconfig.",
        )
    if names & {"SSLError", "SSLZeroReturnError"} and "EOF" not in text:
        return RemoteError(f"{doing}: TLS with {server} failed: {_last_words(chain)}")
    if "ProxyError" in names:
        return Unreachable(f"{doing}: the proxy does not lead to {server}: {_last_words(chain)}")
    if names & {"NameResolutionError", "gaierror"}:
        return Unreachable(
            f"{doing}: the name of {server} cannot be resolved",
            "Is the network (VPN) up, and the kubeconfig's context the right one?",
        )
    if names & {"ProtocolError", "IncompleteRead", "InvalidChunkLength", "RemoteDisconnected"}:
        text = f"{doing}: the connection to {server} broke off"
        return Unreachable(text, _LATER, maybe_done=True)
    if names & {"ConnectTimeoutError", "ReadTimeoutError", "TimeoutError"}:
        text, asked = f"{doing}: {server} does not answer", "ConnectTimeoutError" not in names
        return Unreachable(text, "Is the network (VPN) up?", maybe_done=asked)
    return Unreachable(
        f"{doing}: cannot reach {server}: {_last_words(chain)}",
        "Is the cluster up, and the kubeconfig's context the right one?",
    )


def _chain(error: BaseException | None) -> Any:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        reason = getattr(error, "reason", None)
        inner = reason if isinstance(reason, BaseException) else None
        inner = inner or next((a for a in error.args if isinstance(a, BaseException)), None)
        error = inner or error.__cause__ or error.__context__


def _last_words(chain: list[BaseException]) -> str:
    """The operating system's words for it, without addresses of Python objects."""
    for one in reversed(chain):
        if isinstance(one, OSError) and one.strerror:
            return one.strerror.lower()
    return re.sub(r"<[^>]*>:? ?", "", str(chain[-1])).strip() or type(chain[-1]).__name__
