"""Expected files: compared with what is made, or written anew by `make golden`."""

from __future__ import annotations

import os
from pathlib import Path


def check(expected: Path, made: str) -> None:
    """Assert that `made` is what the file `expected` has; with GIT_GHOST_UPDATE, write it there."""
    if os.environ.get("GIT_GHOST_UPDATE"):
        expected.write_text(made, encoding="utf-8")
    assert made == expected.read_text(encoding="utf-8"), f"see {expected}, and `make golden`"
