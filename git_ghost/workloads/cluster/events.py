"""What happens while a run is followed, one type for each thing; a caller listens to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from git_ghost.workloads.cluster.create import CreatedObject


class Created(NamedTuple):
    """An object is in the cluster now."""

    object: CreatedObject
    dry_run: bool = False
    """Whether the server would have created it."""


class Waiting(NamedTuple):
    """What the run waits for now, in a few words; each time this changes."""

    text: str


class Arrived(NamedTuple):
    """The code is in a pod: what the pull step that rebuilt the tree reported of it."""

    pod: str
    hash: str = ""
    verified: bool = False
    seconds: float = 0.0
    attempts: int = 1


class Started(NamedTuple):
    """A container runs, or has run."""

    pod: str
    container: str
    node: str = ""


class Output(NamedTuple):
    """A piece of a container's log, byte for byte: whole lines, but for the end of a log."""

    pod: str
    container: str
    data: bytes
    prefixed: bool
    """Whether the reader needs to be told whose it is."""


class Trouble(NamedTuple):
    """Something that keeps the run from going on, or did; told once."""

    where: str
    """``pod train-x7k2-abcde``, ``job.batch/train-x7k2``."""
    text: str
    log: bytes = b""
    """The end of the log of the container that failed, if it is not one that is followed."""
    hint: str = ""


class Restarted(NamedTuple):
    """A container ended and is started again, or another pod takes over."""

    where: str
    text: str


class Ended(NamedTuple):
    """What was followed has ended."""

    name: str
    code: int
    text: str


Event = Created | Waiting | Arrived | Started | Output | Trouble | Restarted | Ended
Listener = Callable[[Event], None]
