"""The use cases: push, pull, clone, show, diff, list, delete, doctor."""
from git_ghost.sync.context import Options
from git_ghost.sync.push import push
from git_ghost.sync.pull import pull
__all__=["Options","push", "pull"]
