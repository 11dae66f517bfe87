"""Amounts of resources, as Kubernetes writes them: ``cpu=100m,memory=128Mi``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from git_ghost.errors import UsageError

_QUANTITY = re.compile(
    r"(?P<number>\d+(?:\.\d*)?|\.\d+)"
    r"(?:(?P<decimal>[numkMGTPE])|(?P<binary>[KMGTPE])i|[eE](?P<exponent>[+-]?\d{1,3}))?\Z",
    re.ASCII,
)
"""The forms of a quantity that is not negative (k8s.io/apimachinery, api/resource)."""
_POWERS = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9./-]*[A-Za-z0-9])?\Z")


def parse(text: str) -> Mapping[str, str]:
    """The amounts in ``NAME=QUANTITY,…``, by name; none of them for ``none``.

    Raises UsageError for anything else.
    """
    found = {}
    for part in text.split(",") if text not in ("", "none") else ():
        name, _, amount = part.strip().partition("=")
        if not _NAME.match(name) or _value(amount) is None:
            raise UsageError(
                f"'{part}' is not an amount of a resource",
                "Give NAME=QUANTITY, several with commas: cpu=100m,memory=128Mi; or none.",
            )
        found[name] = amount
    return found


def check(requests: Mapping[str, str], limits: Mapping[str, str]) -> None:
    """Raise UsageError when more is requested than the limit allows, as Kubernetes would."""
    for name in requests.keys() & limits.keys():
        asked, most = _value(requests[name]), _value(limits[name])
        if asked is not None and most is not None and asked > most:
            raise UsageError(
                f"the pull step requests {name}={requests[name]}, more than its limit"
                f" {limits[name]}",
                f"Raise the limit too: --init-limits {name}={requests[name]}",
            )


def _value(text: str) -> Decimal | None:
    match = _QUANTITY.match(text)
    if match is None:
        return None
    number = Decimal(match["number"])
    if match["binary"]:
        return number * Decimal(1024) ** ("KMGTPE".index(match["binary"]) + 1)
    power = _POWERS[match["decimal"]] if match["decimal"] else int(match["exponent"] or 0)
    return number * Decimal(10) ** power
