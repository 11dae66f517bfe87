"""Settings: one row each, from which resolution, options, man page and documentation come.

A flag goes before a variable of the environment, that before git config, and that before the
default. Pure, but for the folders that relative paths start from.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, overload

from git_ghost.errors import UsageError
from git_ghost.gitconfig import GitConfig, parse_bool, parse_duration, parse_size

T = TypeVar("T")

EVERYWHERE = "everywhere"
"""Settings whose options every command takes."""
SOURCE = "source"
PUSH = "push"
CONNECTION = "connection"
PODS = "pods"
"""Settings of the pull step in pods; docs/cluster.md has them, README.md the others."""


# --- types ---------------------------------------------------------------------------------------


class Given(NamedTuple):
    """What was given for a setting: ``values`` as they were written, ``name`` for messages."""

    name: str
    values: tuple[str, ...]
    folder: str = ""
    """Where a relative path starts; empty: the current folder."""

    @property
    def text(self) -> str:
        """The value that counts where there may be only one: the last."""
        return self.values[-1]


def text(given: Given) -> str:
    """The value as it is."""
    return given.text


def texts(given: Given) -> tuple[str, ...]:
    """All values: of an option that may be repeated, or of a key that git config has repeatedly."""
    return given.values


def switch(given: Given) -> bool:
    """True or false."""
    return parse_bool(given.text, given.name)


def size(given: Given) -> int:
    """A number of bytes."""
    return parse_size(given.text, given.name)


def duration(given: Given) -> float:
    """A time in seconds."""
    return parse_duration(given.text, given.name)


def branch_prefix(given: Given) -> str:
    """The first part of branch names."""
    from git_ghost.model import check_prefix  # a call that only parses its options needs no model

    return check_prefix(given.text)


def place(given: Given) -> str:
    """A URL, or a path made absolute."""
    from git_ghost.urls import locate  # nor what URLs look like

    return locate(given.text, given.folder or os.getcwd()) if given.text else ""


_EMPTY_IS_UNSET = (size, duration, branch_prefix, place)
"""Types for which an empty value is the same as none."""


# --- the table -----------------------------------------------------------------------------------


class Setting(Generic[T]):
    """One row of the table, and the attribute of :class:`Settings` with its value.

    ``key`` is its name in git config, ``read`` its type, ``about`` a sentence without its full
    stop, for the help of the option and for the man page, which adds ``more``.
    """

    name: str
    """The attribute's, which is that of the command line's parameter too."""

    def __init__(
        self,
        key: str,
        read: Callable[[Given], T],
        group: str,
        about: str,
        *,
        more: str = "",
        default: str = "",
        shown: str = "",
        variable: str = "",
        flags: Sequence[str] = (),
        metavar: str = "",
    ) -> None:
        """``default`` is written as a value is; ``shown`` says the default in words.

        ``flags`` are the option's names; one with ``/`` switches on and off, others take a value,
        which ``metavar`` names.
        """
        self.key, self.read, self.group, self.about, self.more = key, read, group, about, more
        self.default, self.shown = default, shown or default
        self.variable, self.flags, self.metavar = variable, tuple(flags), metavar
        self.repeatable = read is texts

    def __set_name__(self, _owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, settings: None, _owner: type) -> Setting[T]: ...
    @overload
    def __get__(self, settings: Settings, _owner: type) -> T: ...
    def __get__(self, settings: Settings | None, _owner: type) -> Setting[T] | T:
        if settings is None:
            return self
        found: T = settings._values[self.name]
        return found

    @property
    def option_names(self) -> tuple[str, ...]:
        """The names of its option, each by itself."""
        return tuple(name for flag in self.flags for name in flag.split("/"))

    def resolve(
        self,
        flag: str | Sequence[str] | None,
        environ: Mapping[str, str],
        config: GitConfig,
        toplevel: str,
    ) -> T:
        """Its value; UsageError for one that cannot be."""
        given = () if flag is None else (flag,) if isinstance(flag, str) else tuple(flag)
        if self._says(given):
            return self.read(Given(self.key, given))
        if exported := self._exported(environ):
            return self.read(Given(self.variable, (exported,)))
        configured = config.values.get(self.key.lower(), ())
        if self._says(configured):
            return self.read(Given(self.key, configured, toplevel))
        return self.read(Given(self.key, () if self.repeatable else (self.default,)))

    def _says(self, values: Sequence[str]) -> bool:
        return bool(values) and (values[-1] != "" or self.read not in _EMPTY_IS_UNSET)

    def _exported(self, environ: Mapping[str, str]) -> str:
        value = environ.get(self.variable, "")
        if not value and self.variable in environ and self.read is place:
            # In a pod it hides that something is missing, and another repository would be used.
            raise UsageError(
                f"{self.variable} is set, but empty",
                f"Is it made from a variable that is not set? To do without it: unset"
                f" {self.variable}",
            )
        return value


class Settings:
    """What a call runs with: each attribute is a row of the table, and on an instance its value."""

    repo = Setting(
        "ghost.repo", place, EVERYWHERE, "The ghost repository: a URL or a path",
        more="As `git fetch` takes them; a relative path starts at the top of the working tree."
        " Without it, ghosts are kept in `git-ghost/ghosts.git` below `$XDG_DATA_HOME`, for this"
        " machine alone.",
        variable="GIT_GHOST_REPO", flags=["--ghost-repo"], metavar="URL",
    )  # fmt: skip
    prefix = Setting(
        "ghost.prefix", branch_prefix, EVERYWHERE, "First part of ghosts' branch names",
        default="ghost",
        variable="GIT_GHOST_PREFIX", flags=["--ghost-prefix"], metavar="PREFIX",
    )  # fmt: skip
    remote = Setting(
        "ghost.remote", text, EVERYWHERE, "The source remote",
        more="The one that has the base commit, or is to get it.",
        shown="the branch's, or one that has the commit",
        flags=["--remote"], metavar="NAME",
    )  # fmt: skip
    source = Setting(
        "ghost.source", place, SOURCE, "Where commits that are missing come from",
        more="A URL or a path of the source repository.",
        shown="the source remote, or what the ghost says",
        variable="GIT_GHOST_SOURCE", flags=["--source"], metavar="URL",
    )  # fmt: skip
    trusted_sources = Setting(
        "ghost.trustedSource", texts, SOURCE,
        "A host that your credentials may go to where only a ghost names the source",
        more="Such as git.example.com, *.example.com or https://git.example.com/team. The ghost"
        " repository's own host needs no such word.",
        shown="none",
    )  # fmt: skip
    untracked = Setting(
        "ghost.untracked", switch, PUSH,
        "Send new files that git does not ignore, or leave them behind",
        default="true", flags=["--untracked/--no-untracked"],
    )  # fmt: skip
    max_file_size = Setting(
        "ghost.maxFileSize", size, PUSH,
        "A changed or new file that is larger is not sent, and the push refused",
        default="25m",
    )  # fmt: skip
    max_size = Setting(
        "ghost.maxSize", size, PUSH,
        "When the changed and new files are larger together, the push is refused",
        default="200m",
    )  # fmt: skip
    ssh_ahead = Setting(
        "ghost.sshAhead", switch, CONNECTION,
        "Whether the ssh connection is opened while the working tree is looked at, and shared by"
        " the git commands of one call",
        default="true",
    )  # fmt: skip
    timeout = Setting(
        "ghost.timeout", duration, CONNECTION,
        "How long a server may say nothing before the call ends with exit code 7; 0: for ever",
        more="Such as 90, 90s or 5m. A server at work says so every few seconds. Where git config"
        " has http.lowSpeedTime, that counts for http.",
        default="60s",
    )  # fmt: skip
    init_image = Setting(
        "ghost.image", text, PODS, "Image of the pull step",
        flags=["--init-image"], metavar="IMAGE",
    )  # fmt: skip
    mount = Setting(
        "ghost.mount", text, PODS, "Where the code is in the containers",
        default="/workspace", flags=["--mount"], metavar="PATH",
    )  # fmt: skip
    containers = Setting(
        "ghost.container", texts, PODS, "A container that gets the code",
        shown="every main one; the one of a workflow's template is called main",
        flags=["-c", "--container"], metavar="NAME",
    )  # fmt: skip
    template = Setting(
        "ghost.template", text, PODS, "Argo: only this template of a workflow",
        shown="all", flags=["--template"], metavar="NAME",
    )  # fmt: skip
    pod_templates = Setting(
        "ghost.podTemplates", texts, PODS, "Where kinds that are not known have their pod template",
        more="Such as spec.template or spec.workers[].template, for any kind that has something"
        " there, or KIND.GROUP=spec.template for one.",
        flags=["--path"], metavar="[KIND.GROUP=]PATH",
    )  # fmt: skip
    git_secret = Setting(
        "ghost.gitSecret", text, PODS,
        "Secret with the credentials for the source, and for a ghost repository on the same host",
        flags=["--git-secret"], metavar="NAME",
    )  # fmt: skip
    ghost_secret = Setting(
        "ghost.ghostSecret", text, PODS, "Secret with the credentials for the ghost repository",
        flags=["--ghost-secret"], metavar="NAME",
    )  # fmt: skip
    run_as_user = Setting(
        "ghost.initRunAsUser", text, PODS, "User the pull runs as; none: the cluster chooses",
        default="65533", flags=["--init-run-as-user"], metavar="UID",
    )  # fmt: skip
    init_requests = Setting(
        "ghost.initRequests", text, PODS, "What the pull requests; none: nothing",
        default="cpu=100m,memory=256Mi", flags=["--init-requests"], metavar="NAME=AMOUNT",
    )  # fmt: skip
    init_limits = Setting(
        "ghost.initLimits", text, PODS, "What the pull may have at most; none: no limits",
        default="cpu=1,memory=1Gi", flags=["--init-limits"], metavar="NAME=AMOUNT",
    )  # fmt: skip
    labels = Setting(
        "ghost.label", texts, PODS, "Label for the objects and their pods",
        flags=["-l", "--label"], metavar="KEY=VALUE",
    )  # fmt: skip
    annotations = Setting(
        "ghost.annotation", texts, PODS, "Annotation for the objects and their pods",
        flags=["--annotation"], metavar="KEY=VALUE",
    )  # fmt: skip

    __slots__ = ("_values", "repo_base")

    def __init__(self, values: Mapping[str, Any], repo_base: str) -> None:
        """``values`` are by the names of the attributes, all of them.

        ``repo_base`` is the folder a relative path starts from that none of the settings gave.
        """
        self._values = dict(values)
        self.repo_base = repo_base

    @classmethod
    def resolve(
        cls,
        flags: Mapping[str, str | Sequence[str] | None],
        environ: Mapping[str, str],
        config: GitConfig,
        toplevel: str = "",
    ) -> Settings:
        """Settle every setting; ``flags`` holds what was given on the command line (or to the API).

        ``environ`` is where the variables are looked up. A relative path starts at the current
        folder; at ``toplevel`` when it comes from git config. UsageError for values that cannot be,
        and for a flag that is not a setting's.
        """
        if unknown := set(flags) - {row.name for row in TABLE}:
            raise UsageError(f"there is no setting '{min(unknown)}'")
        values = {
            row.name: row.resolve(flags.get(row.name), environ, config, toplevel) for row in TABLE
        }
        return cls(values, toplevel or os.getcwd())


TABLE: tuple[Setting[Any], ...] = tuple(
    row for row in vars(Settings).values() if isinstance(row, Setting)
)
"""Every setting, in the order of the documentation."""


def in_group(group: str) -> Iterator[Setting[Any]]:
    """The settings of a group that an option can be given for."""
    return (row for row in TABLE if row.group == group and row.flags)


def default_repository(object_format: str, environ: Mapping[str, str]) -> str:
    """Where the embedded default ghost repository for ``object_format`` lives.

    Under ``$XDG_DATA_HOME/git-ghost`` (XDG Base Directory Specification); one for each object
    format, since git keeps SHA-1 and SHA-256 apart.
    """
    home = environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(home):  # the specification: a relative path is to be ignored
        home = os.path.join(os.path.expanduser("~"), ".local", "share")
    name = "ghosts.git" if object_format == "sha1" else f"ghosts-{object_format}.git"
    return os.path.join(home, "git-ghost", name)
