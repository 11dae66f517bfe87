"""``python -m git_ghost``."""

from git_ghost.cli.main import entry

entry()
