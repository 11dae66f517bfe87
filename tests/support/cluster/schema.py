"""Decoding as the API server does it: unknown fields and wrong types, from the real schemas."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from tests.support.cluster.kinds import Kind, Object
from tests.support.cluster.status import undecodable

_VERSION = "v1.33.0-local-strict"
_PACKAGES = {
    "": "io.k8s.api.core.v1",
    "batch": "io.k8s.api.batch.v1",
    "apps": "io.k8s.api.apps.v1",
    "rbac.authorization.k8s.io": "io.k8s.api.rbac.v1",
    "authorization.k8s.io": "io.k8s.api.authorization.v1",
}
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_GO = {"string": "string", "integer": "int32", "boolean": "bool", "number": "float64"}
_JSON = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
_FREE = ("Quantity", "IntOrString", "JSON", "FieldsV1", "RawExtension")


@functools.cache
def _definitions() -> dict[str, Object]:
    import kubernetes_validate

    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / _VERSION
    with (folder / "_definitions.json").open(encoding="utf-8") as file:
        definitions: dict[str, Object] = json.load(file)["$defs"]
        return definitions


def decode(kind: Kind, obj: Object) -> list[str]:
    """Return the paths of fields that the kind does not have, which are taken away.

    Of kinds with no schema here (custom resources that keep unknown fields), only the metadata
    is looked at.

    Raises:
        ApiError: a value is of the wrong type.

    """
    unknown: list[str] = []
    package = _PACKAGES.get(kind.group)
    if package is None:
        _walk(kind, _META, "metadata", obj.get("metadata", {}), unknown)
    else:
        _walk(kind, f"{package}.{kind.name}", "", obj, unknown)
    return unknown


def _walk(kind: Kind, name: str, path: str, value: Any, unknown: list[str]) -> None:
    """Check a value against a definition."""
    short = name.rsplit(".", 1)[1]
    definition = _definitions().get(name, {})
    if value is None or short in _FREE or "properties" not in definition:
        return
    if not isinstance(value, dict):
        raise undecodable(kind, _mismatch(value, short, path, f"v1.{short}"))
    properties = definition["properties"]
    for key in list(value):
        at = f"{path}.{key}" if path else key
        if key in properties:
            _check(kind, properties[key], short, at, value[key], unknown)
        else:
            unknown.append(at)
            del value[key]


def _check(kind: Kind, schema: Object, owner: str, at: str, value: Any, unknown: list[str]) -> None:
    """Check a value against a property's schema."""
    if value is None:
        return
    if "$ref" in schema:
        _walk(kind, schema["$ref"].rsplit("/", 1)[1], at, value, unknown)
        return
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if "array" in types and isinstance(value, list):
        for number, item in enumerate(value):
            _check(kind, schema.get("items", {}), owner, f"{at}[{number}]", item, unknown)
    elif "object" in types and isinstance(value, dict):
        inner = schema.get("additionalProperties")
        for key, item in value.items():
            if isinstance(inner, dict):
                _check(kind, inner, owner, f"{at}.{key}", item, unknown)
    elif types and not any(_fits(value, each) for each in types):
        wanted = next(each for each in types if each != "null")
        go = {"array": "[]string", "object": "map[string]string"}.get(wanted) or _GO[wanted]
        raise undecodable(kind, _mismatch(value, owner, at, go))


def _fits(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return wanted == "boolean"
    types: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "integer": (int,),
        "number": (int, float),
    }
    return isinstance(value, types.get(wanted, ()))


def _mismatch(value: Any, owner: str, path: str, go: str) -> str:
    field = "".join(part for part in path if part not in "[]")
    return (
        f"json: cannot unmarshal {_JSON[type(value)]} into Go struct field"
        f" {owner}.{field} of type {go}"
    )
