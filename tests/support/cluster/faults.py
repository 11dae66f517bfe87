"""What can go wrong with the test API server, to be switched on and off at any time."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class Refusal:
    """An answer in place of the real one, for the next `times` requests that match."""

    code: int
    times: int = 1
    verb: str = ""
    """create, get, list, watch, log, delete, …; empty for every verb."""
    resource: str = ""
    """`pods`, `jobs.batch`; empty for every resource."""
    retry_after: int | None = None
    """Seconds, in the Retry-After header."""


@dataclass
class Faults:
    """Every attribute may be set and reset while requests are under way."""

    delay: float = 0.0
    """Seconds that a request takes to arrive, and its answer to come back."""
    delay_answers: float = 0.0
    """Seconds that the answer to a create takes, once the object is there."""
    watch_events: int | None = None
    """Close each watch after so many events."""
    watch_mid_line: bool = False
    """Such a watch ends in the middle of an event, without the end of the chunked answer."""
    watch_expired_event: int = 0
    """So many of the next watches begin with 410 Gone as an ERROR event."""
    log_bytes: int | None = None
    """Drop each followed log after so many bytes of it, without the end of the answer."""
    log_drops: int = 1 << 30
    """So many of the next followed logs are dropped at `log_bytes`."""
    lost_answers: int = 0
    """So many of the next objects are created, but the connection breaks before the answer."""
    forbidden: set[tuple[str, str]] = field(default_factory=set)
    """(verb, resource) that RBAC refuses: `("create", "jobs")`, `("get", "pods/log")`."""
    allowed: list[dict[str, list[str]]] | None = None
    """The rules of a role (apiGroups, resources, verbs); all else is forbidden."""
    broken_groups: set[str] = field(default_factory=set)
    """API groups whose own server, behind an APIService, is down."""
    kueue: bool = False
    """Jobs with a queue's label are suspended, until it is set to False again."""
    refusals: list[Refusal] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def refuse(
        self,
        code: int,
        times: int = 1,
        verb: str = "",
        resource: str = "",
        retry_after: int | None = None,
    ) -> None:
        """Answer the next `times` requests that match with an HTTP error."""
        with self._lock:
            self.refusals.append(Refusal(code, times, verb, resource, retry_after))

    def refusal(self, verb: str, resource: str) -> Refusal | None:
        """Take one of the refusals that are due."""
        with self._lock:
            for refusal in self.refusals:
                if refusal.verb in ("", verb) and refusal.resource in ("", resource):
                    refusal.times -= 1
                    if refusal.times <= 0:
                        self.refusals.remove(refusal)
                    return refusal
        return None

    def take(self, name: str) -> bool:
        """Take one of a number of faults that are due."""
        with self._lock:
            left: int = getattr(self, name)
            setattr(self, name, max(0, left - 1))
            return left > 0
