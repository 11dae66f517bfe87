"""What a job finds in its container: run there, `python3 -m tests.support.inside`, prints JSON.

It also works in the tree as a job would, as whatever user it runs as, and takes that back.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.support.oracle import Entry, disk_state

_ENVIRONMENT = "GIT_GHOST_"


def entries(state: dict[bytes, Entry]) -> dict[str, list[str | bool]]:
    """Return a `disk_state` as JSON can hold it."""
    return {
        path.hex(): [kind, executable, content.hex()]
        for path, (kind, executable, content) in state.items()
    }


def _git(*args: str, index: str = "") -> str:
    env = {**os.environ, **({"GIT_INDEX_FILE": index} if index else {})}
    return subprocess.run(["git", *args], check=True, capture_output=True, env=env).stdout.decode()


def main() -> None:
    """Look at the current folder, write in it, and print what was found."""
    top = Path.cwd()
    found = entries(disk_state(top))
    status = _git("status", "--porcelain")
    # From an empty index: git reads every file. The objects are written into the repository.
    _git("add", "--all", index="/tmp/index")
    tree = _git("write-tree", index="/tmp/index").strip()
    for name in (top / "written by the job", top / "src/written by the job"):
        name.write_text("result\n", encoding="ascii")
        name.unlink()
    with (top / "foo").open("ab"):
        pass  # a file that was pulled can be written to
    report = {
        "uid": os.getuid(),
        "cwd": str(top),
        "tree": tree,
        "head": _git("rev-parse", "HEAD").strip(),
        "status": status,
        "files": found,
        "environment": {k: v for k, v in os.environ.items() if k.startswith(_ENVIRONMENT)},
    }
    print(json.dumps(report))  # noqa: T201 - what the test reads


if __name__ == "__main__":
    main()
