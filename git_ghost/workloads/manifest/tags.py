"""What a scalar without quotes is to Kubernetes: the table of resolve.go in go-yaml v2.

``kubectl`` reads with it (sigs.k8s.io/yaml), so it is what a manifest means. PyYAML's table (YAML
1.1's own) differs: ``y`` is true here, ``1e3`` a number, a date and ``12:30`` are strings.
"""

from __future__ import annotations

import functools
import math
import re
from typing import Any

STR = "tag:yaml.org,2002:str"
INT = "tag:yaml.org,2002:int"
FLOAT = "tag:yaml.org,2002:float"
BOOL = "tag:yaml.org,2002:bool"
NULL = "tag:yaml.org,2002:null"
MERGE = "tag:yaml.org,2002:merge"
TIMESTAMP = "tag:yaml.org,2002:timestamp"
MAP = "tag:yaml.org,2002:map"
SEQ = "tag:yaml.org,2002:seq"

WORDS: dict[str, tuple[str, Any]] = {
    **{
        word: (BOOL, value)
        for value, words in (
            (True, "y Y yes Yes YES true True TRUE on On ON"),
            (False, "n N no No NO false False FALSE off Off OFF"),
        )
        for word in words.split()
    },
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), (NULL, None)),
    "<<": (MERGE, "<<"),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), (FLOAT, math.nan)),
    **{
        sign + word: (FLOAT, -math.inf if sign == "-" else math.inf)
        for sign in ("", "+", "-")
        for word in (".inf", ".Inf", ".INF")
    },
}
"""The words that are not strings: their tags and values."""

_INTEGER = re.compile(r"[-+]?(?:0[bB][01]+|0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0|[1-9][0-9]*)\Z")
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NUMERIC = frozenset("+-.0123456789")
_ASTRAY = re.compile(r"(?<![0-9])_|_(?![0-9])")
"""An underscore that is not between digits: go-yaml minds it behind a first dot only."""
_OCTAL = re.compile(r"0[0-7]")
_EXACT = 1e15
"""Whole numbers below it are the same as floating point numbers and as integers."""


@functools.lru_cache(maxsize=4096)  # most words of manifests repeat
def plain_tag(value: str) -> str:
    """The tag of a scalar that stands there without quotes."""
    if value in WORDS:
        return WORDS[value][0]
    if value[:1] in _NUMERIC:
        digits = value.replace("_", "")
        if _INTEGER.match(digits):
            return INT
        if _NUMBER.match(digits) and not (value[0] == "." and _ASTRAY.search(value)):
            return FLOAT
    return STR


def number(text: str) -> int | float:
    """The number ``text`` stands for; ValueError when it stands for none.

    JSON has one kind of number: ``1e3`` is 1000.
    """
    digits = text.replace("_", "").lower()
    if _INTEGER.match(digits):
        sign = -1 if digits[0] == "-" else 1
        digits = digits.lstrip("+-")
        return sign * int(digits, 8 if _OCTAL.match(digits) else 0)
    value: float = WORDS[text][1] if text in WORDS else float(digits)
    return int(value) if abs(value) < _EXACT and value % 1 == 0 else value
