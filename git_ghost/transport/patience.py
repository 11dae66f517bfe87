"""How long a server may be silent before a connection to it is given up.

Each transport has its own means: curl's low speed limit for http, ssh's own questions whether the
server is alive, and for git://, which has none, a watch on what git says of its packets.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from git_ghost import urls
from git_ghost.gitconfig import GitConfig
from git_ghost.process import Watch

_COMPLETE: Final = re.compile(rb"(?:Receiving|Unpacking) objects: 100%")
"""All has come in: what git does from here on is its own work."""
_REQUESTED: Final = re.compile(rb"=> Send header")
"""The connection stands, encryption included; curl's own limit holds from here on."""


class Patience(NamedTuple):
    """``seconds`` of silence that are borne; 0: for ever."""

    seconds: float = 0
    http_too: bool = True
    """Whether curl's limit is to be set: the user has not configured it."""

    @classmethod
    def of(cls, seconds: float, config: GitConfig) -> Patience:
        """That of a call: ``seconds``, but for what git config says about http itself."""
        return cls(seconds, not config.any(r"http\.(?:.*\.)?lowspeed(?:limit|time)$"))

    @property
    def ssh_options(self) -> tuple[str, ...]:
        """As ``-o`` takes them (ssh_config(5)); a server at work answers ssh's questions."""
        if not self.seconds:
            return ()
        every = max(1, int(self.seconds / 4))
        times = math.ceil(self.seconds / every)
        return (
            f"ConnectTimeout={math.ceil(self.seconds / 2)}",
            f"ServerAliveInterval={every}",
            f"ServerAliveCountMax={times}",
        )

    @property
    def variables(self) -> Mapping[str, str]:
        """For git's http: less than a byte a second. A server that counts objects sends a sign of
        life every 5 s (``uploadpack.keepAlive``, ``receive.keepAlive``)."""
        if not (self.seconds and self.http_too):
            return {}
        return {
            "GIT_HTTP_LOW_SPEED_LIMIT": "1",
            "GIT_HTTP_LOW_SPEED_TIME": str(math.ceil(self.seconds)),
        }

    def watch(self, url: str, env: Mapping[str, str]) -> Watch | None:
        """What git itself does not watch; nothing where the user has git trace to elsewhere.

        Nobody is asked for a password while it holds, which may take a person any time.
        """
        scheme = urls.parse(url).scheme
        if not self.seconds or "GIT_TRACE_PACKET" in env or "GIT_TRACE_CURL" in env:
            return None
        if scheme == "git":
            return Watch(self.seconds, {"GIT_TRACE_PACKET": "{}"}, _COMPLETE)
        if scheme == "https":
            curl = {"GIT_TRACE_CURL": "{}", "GIT_TRACE_CURL_NO_DATA": "1"}
            return Watch(self.seconds, curl, _REQUESTED, at_once=False)
        return None
