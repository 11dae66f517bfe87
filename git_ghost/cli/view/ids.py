"""Object ids as people read them: short on a terminal, whole everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TextIO

SHORT = 12
"""Digits of a short id: git's own choice for a repository of a few million objects."""


def shown_ids(
    ids: Iterable[str], *, whole: bool = False, stream: TextIO | None = None
) -> Callable[[str], str]:
    """How each of ``ids`` is printed on ``stream``, by default stdout.

    On a terminal it is cut to as many digits as tell them apart, at least :data:`SHORT`, as git
    abbreviates; ``whole``, or a stream that is not a terminal, leaves it as it is.
    """
    if whole or not (stream or sys.stdout).isatty():
        return str
    distinct = set(ids)
    digits = SHORT
    while len({one[:digits] for one in distinct}) < len(distinct):
        digits += 1
    return lambda one: one[:digits]
