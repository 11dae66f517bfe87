"""git ghost: push a laptop's exact working tree, rebuild it anywhere else, proven by its tree id.

The use cases as functions, silent and typed::

    from git_ghost import Options, pull, push

    pushed = push(Options(directory="~/project", repo="git@host:ghosts.git"))
    pull(pushed.hash, Options(directory="/workspace", repo="git@host:ghosts.git"))

What they return are the frozen types beside them; every failure that can be expected is a
:class:`GhostError`. The environment is read for no setting; hand it over as ``Options.environ`` to
have ``GIT_GHOST_REPO`` and its like looked up. Everything is imported on first use, so that
``import git_ghost`` costs nothing.
"""

__version__ = "1.0.0.dev0"

TYPE_CHECKING = False  # nothing is imported here: ^C during it would show a traceback

if TYPE_CHECKING:
    from git_ghost.errors import (
        GhostError as GhostError,
        GitFailed as GitFailed,
        LocalChanges as LocalChanges,
        NoRepository as NoRepository,
        NoSuchBase as NoSuchBase,
        NoSuchGhost as NoSuchGhost,
        RemoteError as RemoteError,
        StillUnreachable as StillUnreachable,
        UsageError as UsageError,
        VerificationFailed as VerificationFailed,
    )
    from git_ghost.usecases import (
        Check as Check,
        Cloned as Cloned,
        Coded as Coded,
        FileChange as FileChange,
        Injected as Injected,
        Options as Options,
        Pulled as Pulled,
        Pushed as Pushed,
        Ran as Ran,
        StoredGhost as StoredGhost,
        changed_files as changed_files,
        clone as clone,
        code as code,
        delete as delete,
        describe as describe,
        diff as diff,
        doctor as doctor,
        inject as inject,
        list_ghosts as list_ghosts,
        pull as pull,
        push as push,
        run as run,
        show as show,
        uninject as uninject,
    )

_ERRORS = frozenset(
    "GhostError GitFailed LocalChanges NoRepository NoSuchBase NoSuchGhost RemoteError"
    " StillUnreachable UsageError VerificationFailed".split()
)
_USE_CASES = frozenset(
    "changed_files clone code delete describe diff doctor inject list_ghosts pull push run show"
    " uninject".split()
)
_TYPES = frozenset(
    "Check Cloned Coded FileChange Injected Options Pulled Pushed Ran StoredGhost".split()
)

__all__ = ["__version__", *sorted(_ERRORS | _TYPES | _USE_CASES)]


def __getattr__(name: str) -> object:
    import importlib

    if name in _ERRORS:
        return getattr(importlib.import_module("git_ghost.errors"), name)
    if name in _USE_CASES | _TYPES:
        return getattr(importlib.import_module("git_ghost.usecases"), name)
    raise AttributeError(f"module 'git_ghost' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
