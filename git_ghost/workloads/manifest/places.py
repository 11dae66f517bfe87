"""Where the pod templates are of kinds that are not in the table: as the user says."""

from __future__ import annotations

import re
from typing import NamedTuple

from git_ghost.errors import UsageError
from git_ghost.kinds import Path

_TEXT = re.compile(
    r"(?:(?P<kind>[A-Za-z0-9]+)(?:\.(?P<group>[a-z0-9.-]+))?=)?"
    r"(?P<path>(?:[A-Za-z0-9_-]+|\*)(?:\[\])*(?:\.(?:[A-Za-z0-9_-]+|\*)(?:\[\])*)*)\Z"
)


class TemplatePlace(NamedTuple):
    """A place of pod templates."""

    path: Path
    kind: str = ""
    """The kind it is for; empty: every kind that has something there."""
    group: str = ""
    """The API group of the kind; empty: any."""

    def is_for(self, group: str, kind: str) -> bool:
        """Whether it was named for that kind, perhaps among others."""
        return self.kind in ("", kind) and self.group in ("", group)


def place(text: str) -> TemplatePlace:
    """The place that ``spec.template`` or ``KIND.GROUP=spec.workers[].template`` names.

    ``[]`` stands for every item of a list, ``*`` for every value of a mapping. Raises UsageError.
    """
    found = _TEXT.match(text)
    if found is None:
        raise UsageError(
            f"'{text}' is not the place of a pod template",
            "Such as spec.template, spec.workers[].template or KIND.GROUP=spec.template.",
        )
    steps = found["path"].replace("[]", ".[]").split(".")
    return TemplatePlace(tuple(steps), found["kind"] or "", found["group"] or "")
