"""Build hook: the man page and the shell completions, rendered from the commands themselves.

``git ghost --help`` never reaches a plugin: git opens the man page ``git-ghost(1)``. So it travels
in the wheel, as shared data, and lands where ``man`` looks beside the installed ``git-ghost``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMPLETIONS = {
    "bash": "share/bash-completion/completions/git-ghost",
    "zsh": "share/zsh/site-functions/_git-ghost",
    "fish": "share/fish/vendor_completions.d/git-ghost.fish",
}
MAN_PAGE = "share/man/man1/git-ghost.1"


class RenderedFiles(BuildHookInterface[BuilderConfig]):
    """Adds the rendered files to a wheel; an editable install goes without them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":  # they would be stale at the next edit
            return
        self._directory = tempfile.TemporaryDirectory(prefix="git-ghost-build-")
        for target, text in render(Path(self.root)).items():
            file = Path(self._directory.name, Path(target).name)
            file.write_text(text, encoding="utf-8", newline="\n")
            build_data["shared_data"][str(file)] = target

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self._directory.cleanup()


def render(root: Path) -> dict[str, str]:
    """Path below the installation's prefix → text, from the package in the source tree ``root``."""
    sys.path.insert(0, str(root))
    try:
        from git_ghost.cli import manpage
        from git_ghost.cli.commands import completion

        files = {MAN_PAGE: manpage.render()}
        for shell, target in COMPLETIONS.items():
            files[target] = completion.script(shell)
        return files
    finally:
        sys.path.remove(str(root))
