"""Label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.support.cluster.kinds import Object
from tests.support.cluster.status import bad_request

Matches = Callable[[Object], bool]

_SET = re.compile(r"\s*([^\s!=,()]+)\s+(in|notin)\s+\(([^)]*)\)\s*")
_EQUAL = re.compile(r"\s*([^\s!=,()]+)\s*(==|!=|=)\s*([^,\s]*)\s*")
_BARE = re.compile(r"\s*(!?)\s*([^\s!=,()]+)\s*")
_FIELDS = re.compile(
    r"metadata\.(name|namespace)|spec\.(nodeName|restartPolicy|schedulerName|serviceAccountName)"
    r"|status\.(phase|podIP)|status\.successful|involvedObject\.(\w+)|reason|reportingComponent|type"
)


def labels(selector: str) -> Matches:
    """Return whether an object's labels are as a selector says.

    Raises:
        ApiError: it is not a selector.

    """
    tests: list[Callable[[dict[str, str]], bool]] = []
    rest = selector
    while rest.strip():
        if match := _SET.match(rest):
            key, operator, words = match.groups()
            values = {word.strip() for word in words.split(",")}
            tests.append(_in(key, values, operator == "in"))
        elif match := _EQUAL.match(rest):
            key, operator, value = match.groups()
            tests.append(_in(key, {value}, operator != "!="))
        elif match := _BARE.match(rest):
            absent, key = match.groups()
            tests.append(_has(key, not absent))
        else:
            raise bad_request(f'unable to parse requirement: found "{rest}"')
        rest = rest[match.end() :]
        if rest and not rest.startswith(","):
            raise bad_request(f'unable to parse requirement: found "{rest}", expected: , or end')
        rest = rest[1:]
    return lambda obj: all(test(obj["metadata"].get("labels") or {}) for test in tests)


def _in(key: str, values: set[str], wanted: bool) -> Callable[[dict[str, str]], bool]:
    return lambda have: (have.get(key) in values) is wanted


def _has(key: str, wanted: bool) -> Callable[[dict[str, str]], bool]:
    return lambda have: (key in have) is wanted


def fields(selector: str) -> Matches:
    """Return whether an object's fields are as a selector says.

    Raises:
        ApiError: it is not a selector, or the field cannot be selected by.

    """
    tests: list[tuple[list[str], str, bool]] = []
    for term in filter(None, (term.strip() for term in selector.split(","))):
        match = _EQUAL.fullmatch(term)
        if match is None:
            raise bad_request(f"invalid selector: '{selector}'; can't understand '{term}'")
        key, operator, value = match.groups()
        if not _FIELDS.fullmatch(key):
            raise bad_request(f"field label not supported: {key}")
        tests.append((key.split("."), value, operator != "!="))
    return lambda obj: all((_at(obj, path) == value) is want for path, value, want in tests)


def _at(obj: Any, path: list[str]) -> str:
    for key in path:
        obj = obj.get(key) if isinstance(obj, dict) else None
    return "" if obj is None else str(obj)
