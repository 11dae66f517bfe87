"""The API server's refusals, in its own words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tests.support.cluster.kinds import Kind, Object


class Cause(NamedTuple):
    """What is wrong with one field."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"


class ApiError(Exception):
    """A `Status` object in place of what was asked for."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Object | None = None,
        retry_after: int | None = None,
    ) -> None:
        """Describe a refusal; `retry_after` is in seconds."""
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after
        if retry_after is not None:
            details = {**(details or {}), "retryAfterSeconds": retry_after}
        self.status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "details": details or {},
            "code": code,
        }


def _details(kind: Kind, name: str) -> Object:
    return {"name": name, "group": kind.group, "kind": kind.plural}


def not_found(kind: Kind, name: str) -> ApiError:
    """No object of that name."""
    message = f'{kind.resource} "{name}" not found'
    return ApiError(404, "NotFound", message, _details(kind, name))


def already_exists(kind: Kind, name: str) -> ApiError:
    """The name is taken."""
    message = f'{kind.resource} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(kind, name))


def conflict(kind: Kind, name: str) -> ApiError:
    """Somebody else was faster."""
    message = (
        f'Operation cannot be fulfilled on {kind.resource} "{name}": the object has been modified;'
        " please apply your changes to the latest version and try again"
    )
    return ApiError(409, "Conflict", message, _details(kind, name))


def unauthorized() -> ApiError:
    """Nobody the server knows."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(user: str, verb: str, kind: Kind, sub: str, namespace: str, name: str) -> ApiError:
    """RBAC says no."""
    resource = f"{kind.plural}/{sub}" if sub else kind.plural
    what = f'{kind.resource} "{name}"' if name and verb != "create" else kind.resource
    where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
    message = (
        f'{what} is forbidden: User "{user}" cannot {verb} resource "{resource}"'
        f' in API group "{kind.group}"{where}'
    )
    return ApiError(403, "Forbidden", message, _details(kind, name if verb != "create" else ""))


def denied(kind: Kind, name: str, why: str) -> ApiError:
    """An admission plugin says no: quota, Pod Security."""
    message = f'{kind.resource} "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", message, _details(kind, name))


def bad_request(message: str) -> ApiError:
    """The request itself makes no sense."""
    return ApiError(400, "BadRequest", message)


def undecodable(kind: Kind, why: str) -> ApiError:
    """The object is none of its kind."""
    message = f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: {why}'
    return bad_request(message)


def invalid(kind: Kind, name: str, causes: Sequence[Cause]) -> ApiError:
    """The object breaks its kind's rules."""
    said = [f"{cause.field}: {cause.message}" for cause in causes]
    reasons = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
    details = {
        "name": name,
        "group": kind.group,
        "kind": kind.name,
        "causes": [cause._asdict() for cause in causes],
    }
    return ApiError(422, "Invalid", f'{kind.qualified} "{name}" is invalid: {reasons}', details)


def expired(asked: int, oldest: int) -> ApiError:
    """The history does not reach back that far."""
    return ApiError(410, "Expired", f"too old resource version: {asked} ({oldest})")


def no_page() -> ApiError:
    """What a group or version that is not served looks like."""
    error = ApiError(404, "NotFound", "the server could not find the requested resource")
    error.status = {}  # not even JSON: "404 page not found"
    return error
