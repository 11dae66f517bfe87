"""Say which commits have a subject of more than 72 characters, and fail if there are any."""

from __future__ import annotations

import subprocess
import sys

MOST = 72
SINCE = "2026-11-27T02:03:00Z"
"""The rule is older, but was not checked. A date: older commits are absent from a shallow clone."""


def main() -> int:
    log = ("git", "log", "--no-merges", f"--since={SINCE}", "--format=%h %s")
    done = subprocess.run(log, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode:
        print(f"no history to check: {done.stderr.strip()}")
        return 0
    long = [line for line in done.stdout.splitlines() if len(line.partition(" ")[2]) > MOST]
    for line in long:
        print(f"{len(line.partition(' ')[2])} characters, {MOST} at most: {line}", file=sys.stderr)
    return bool(long)


if __name__ == "__main__":
    sys.exit(main())
