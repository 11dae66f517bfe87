"""Credentials out of a mounted folder (a Kubernetes secret) as variables for git, for each URL.

The source and the ghost repository may need different keys on one host, and a secret is never for
another host than its repository's; so what git gets depends on the URL it is to talk to. git and
ssh read the secrets from private files: nothing secret is in an argument, a variable or a message.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from git_ghost.errors import GhostError, UsageError
from git_ghost.files import write_private
from git_ghost.git import git
from git_ghost.process import Environment
from git_ghost.transport.patience import Patience
from git_ghost.urls import Server, redact, server_of

SSH_KEYS = ("ssh-privatekey", "ssh")
"""Where a secret has its private key: ``kubernetes.io/ssh-auth``, git-sync."""
KNOWN_HOSTS = ("known_hosts", "ssh-knownhosts")
CA = "ca.crt"
_KNOWN = (*SSH_KEYS, *KNOWN_HOSTS, "username", "password", CA)

_LARGEST = 1 << 20
"""Bytes a whole secret may have in Kubernetes."""


class Secret(NamedTuple):
    """What was found in a mounted folder; its ``repr`` shows no content."""

    folder: str
    entries: Mapping[str, bytes]

    def __repr__(self) -> str:
        return f"Secret({self.folder!r}, {sorted(self.entries)})"

    def first(self, names: Sequence[str]) -> bytes | None:
        """The content of the first of these keys that is there."""
        return next((self.entries[name] for name in names if name in self.entries), None)

    @property
    def has_ssh(self) -> bool:
        """Whether there is anything for ssh."""
        return self.first(SSH_KEYS) is not None

    @property
    def has_web(self) -> bool:
        """Whether there is anything for http."""
        return "password" in self.entries or "username" in self.entries or CA in self.entries

    def fits(self, server: Server) -> bool:
        """Whether there is anything for this server's kind."""
        return self.has_ssh if server.scheme == "ssh" else self.has_web


def read_secret(folder: str) -> Secret:
    """The keys we know in a mounted secret; GhostError when there are none, or cannot be read."""
    entries = {}
    try:
        found = sorted(name for name in os.listdir(folder) if not name.startswith(".."))
        for name in _KNOWN:
            if name in found:
                with open(os.path.join(folder, name), "rb") as file:
                    entries[name] = file.read(_LARGEST)
    except (FileNotFoundError, NotADirectoryError) as e:
        raise GhostError(
            f"there is no folder of credentials at {e.filename}", "Is the secret mounted there?"
        ) from e
    except OSError as e:
        raise GhostError(
            f"the credentials in {folder} cannot be read: {(e.strerror or str(e)).lower()}"
            f" ({os.fsdecode(e.filename or folder)})",
            f"The secret's volume must let uid {os.geteuid()} read it: defaultMode 0444.",
        ) from e
    if not entries:
        here = f"only {', '.join(found)}" if found else "nothing"
        raise GhostError(
            f"there are no credentials in {folder}, {here}",
            "A secret has the keys ssh-privatekey (or ssh) and known_hosts, or username and"
            " password; ca.crt for a private authority.",
        )
    return Secret(folder, entries)


class _Given(NamedTuple):
    """What git gets for one URL: the ssh command, or settings; and whose secret it was."""

    ssh: str = ""
    config: tuple[tuple[str, str], ...] = ()
    ca: str = ""


class Credentials:
    """The mounted secrets of one call; what is written is in ``folder``, which the caller removes.

    ``source`` and ``ghosts`` are the mounted folders (empty: none). ``source_url`` and
    ``ghost_url`` are what git is given as the repositories' places, ``cwd`` and ``env`` where that
    means what it does (a remote's name, ``insteadOf`` rules); ``patience`` is for ssh.
    """

    def __init__(
        self,
        folder: str,
        *,
        source: str,
        ghosts: str,
        source_url: str,
        ghost_url: str,
        cwd: str | None,
        env: Environment,
        patience: Patience,
    ) -> None:
        """Read the secrets; GhostError when one cannot be used."""
        self._patience = patience
        self._folder = folder
        self._source = read_secret(source) if source else None
        self._ghosts = read_secret(ghosts) if ghosts else None
        self._source_url = source_url
        self._ghost_url = ghost_url
        self._cwd, self._env = cwd, env
        self._resolved: dict[str, str] = {}
        self._given: dict[str, _Given] = {}
        self._prepared: dict[tuple[str, str], _Given] = {}
        if self._source and not source_url:
            raise UsageError(
                "only the ghost names the source, and credentials do not go where a ghost says",
                "Name the source: --source or GIT_GHOST_SOURCE.",
            )

    def ssh_command(self, url: str) -> str:
        """The ssh command line for git to talk to ``url``; empty: the user's own."""
        return self._for(url).ssh

    def applied(self, env: Environment, url: str) -> Environment:
        """``env`` for a git that talks to ``url`` and nobody else."""
        given = self._for(url)
        changed = dict(env)
        if given.ssh:
            alone = "-o ControlMaster=no -o ControlPath=none"  # nobody else's connection
            changed.update(GIT_SSH_COMMAND=f"{given.ssh} {alone}", GIT_SSH_VARIANT="ssh")
        config = list(given.config)
        if given.ca:
            changed.pop("GIT_SSL_CAINFO", None)  # which goes before any setting; it is in the file
        count = changed.get("GIT_CONFIG_COUNT", "")
        start = int(count) if count.isdecimal() else 0
        for number, (key, value) in enumerate(config, start):
            changed[f"GIT_CONFIG_KEY_{number}"] = key
            changed[f"GIT_CONFIG_VALUE_{number}"] = value
        if config:
            changed["GIT_CONFIG_COUNT"] = str(start + len(config))
        return changed

    def _for(self, url: str) -> _Given:
        if url not in self._given:
            secret, real = self._secret_for(url)
            self._given[url] = self._prepare(secret, real) if secret else _Given()
        return self._given[url]

    def _secret_for(self, url: str) -> tuple[Secret | None, str]:
        """Which secret is for ``url``, and the URL git makes of it."""
        if url == self._ghost_url:
            real = self._resolve(url)
            if self._ghosts is None and self._source is not None:
                return (self._source if self._serves_both(self._source) else None), real
            return self._ghosts, real
        if url == self._source_url:
            return self._source, self._resolve(url)
        return None, url

    def _serves_both(self, secret: Secret) -> bool:
        """Whether the source's secret is for the ghost repository too: it is on the same host."""
        source = server_of(self._resolve(self._source_url))
        ghosts = server_of(self._resolve(self._ghost_url))
        if source is None or ghosts is None or not secret.fits(ghosts):
            return False
        if source.address == ghosts.address:
            return True
        # One host by ssh and by https; but nothing goes in the clear that did not before.
        schemes = {source.scheme, ghosts.scheme}
        return source.host == ghosts.host and schemes == {"ssh", "https"}

    def _resolve(self, url: str) -> str:
        if url not in self._resolved:
            args = ("ls-remote", "--get-url", "--", url)
            out = os.fsdecode(git(*args, cwd=self._cwd, env=self._env))
            self._resolved[url] = out.removesuffix("\n")
        return self._resolved[url]

    def _prepare(self, secret: Secret, url: str) -> _Given:
        server, shown = server_of(url), redact(url)
        if server is None:
            raise GhostError(
                f"the credentials in {secret.folder} cannot be used for {shown}",
                "Use an ssh or https URL, or leave the option out.",
            )
        if not secret.fits(server):
            wanted = "an ssh key" if server.scheme == "ssh" else "username and password"
            found = ", ".join(secret.entries)
            raise GhostError(
                f"{shown} needs {wanted}, and {secret.folder} holds only {found}",
                "Mount another secret, or name the repository by its"
                f" {'https' if server.scheme == 'ssh' else 'ssh'} URL.",
            )
        # The same key for the same host is the same command line: one connection does for both.
        which = (secret.folder, "ssh" if server.scheme == "ssh" else f"{server.user}@{server.base}")
        if which not in self._prepared:
            place = os.path.join(self._folder, f"{len(self._prepared)}")
            os.mkdir(place, 0o700)
            if server.scheme == "ssh":
                given = _Given(ssh=_ssh_command(secret, place, self._patience))
            else:
                given = _web_settings(secret, server, shown, place, self._env)
            self._prepared[which] = given
        return self._prepared[which]


# --- ssh -----------------------------------------------------------------------------------------


def _ssh_command(secret: Secret, place: str, patience: Patience) -> str:
    name = next(name for name in SSH_KEYS if name in secret.entries)
    key = secret.entries[name].replace(b"\r\n", b"\n").strip() + b"\n"
    _check_key(key, os.path.join(secret.folder, name))
    options = [
        f"IdentityFile={_quoted(write_private(os.path.join(place, 'key'), key))}",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
        *patience.ssh_options,
    ]
    hosts = secret.first(KNOWN_HOSTS)
    if hosts is not None:
        hosts = hosts.replace(b"\r\n", b"\n").rstrip() + b"\n"
        path = write_private(os.path.join(place, "known_hosts"), hosts)
        options.append(f"UserKnownHostsFile={_quoted(path)}")
    words = [*_account(place), "ssh"]
    for option in options:
        words += ("-o", option)
    return shlex.join(words)


def _quoted(path: str) -> str:
    """A path as ssh takes it in an option: blanks kept together, nothing expanded."""
    return '"' + path.replace("%", "%%") + '"'


def _check_key(key: bytes, path: str) -> None:
    """Refuse what ssh could not use without anybody to ask."""
    if not re.match(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----", key):
        raise GhostError(
            f"{path} is not a private ssh key",
            "It begins with -----BEGIN … PRIVATE KEY-----, as ssh-keygen writes it.",
        )
    if _is_encrypted(key):
        raise GhostError(
            f"the ssh key in {path} has a passphrase, which nobody can be asked for",
            "Make a key without one for this purpose, a read-only deploy key.",
        )


def _is_encrypted(key: bytes) -> bool:
    import binascii  # here, as few calls have a key

    if b"ENCRYPTED" in key:  # PEM and PKCS#8
        return True
    body = b"".join(line for line in key.split(b"\n") if not line.startswith(b"-----"))
    try:
        raw = binascii.a2b_base64(body)
    except binascii.Error:
        return False
    magic = b"openssh-key-v1\0"
    return raw.startswith(magic) and not raw.startswith(magic + b"\0\0\0\x04none")


_WRAPPERS = (
    "/usr/lib/*/libnss_wrapper.so",
    "/usr/lib64/libnss_wrapper.so",
    "/usr/lib/libnss_wrapper.so",
    "/usr/local/lib/libnss_wrapper.so",
)


def _account(place: str) -> list[str]:
    """What stands before ``ssh`` on its command line: nothing, where the user is a known one.

    ssh refuses to work for a uid without an entry in the user data base. libnss_wrapper, where it
    is installed, shows it one.
    """
    import glob
    import pwd

    uid, gid = os.getuid(), os.getgid()
    try:
        pwd.getpwuid(uid)
    except KeyError:
        pass
    else:
        return []
    library = next((path for pattern in _WRAPPERS for path in glob.glob(pattern)), None)
    if library is None:
        raise GhostError(
            f"ssh does not work for uid {uid}, which /etc/passwd does not have",
            "Run as a user the image has (runAsUser; git ghost inject --init-run-as-user 65533),"
            " or install libnss_wrapper (Debian: libnss-wrapper) in it.",
        )
    home = os.environ.get("HOME", "")
    if not home or ":" in home or "\n" in home:
        home = "/"
    users = f"git-ghost:x:{uid}:{gid}:git ghost:{home}:/bin/sh\n".encode()
    groups = f"git-ghost:x:{gid}:\n".encode()
    preload = os.environ.get("LD_PRELOAD", "")
    return [
        "env",
        f"LD_PRELOAD={f'{library}:{preload}' if preload else library}",
        f"NSS_WRAPPER_PASSWD={write_private(os.path.join(place, 'passwd'), users)}",
        f"NSS_WRAPPER_GROUP={write_private(os.path.join(place, 'group'), groups)}",
    ]


# --- http ----------------------------------------------------------------------------------------


def _web_settings(
    secret: Secret, server: Server, shown: str, place: str, env: Environment
) -> _Given:
    config: list[tuple[str, str]] = []
    if "username" in secret.entries or "password" in secret.entries:
        user, password = _login(secret, server, shown)
        from urllib.parse import quote

        line = f"{server.scheme}://{quote(user, safe='')}:{quote(password, safe='')}@"
        path = os.path.join(place, "login")
        write_private(path, f"{line}{server.authority}\n".encode())
        helper = f"credential.{server.base}.helper"
        config += [
            (helper, ""),  # which makes the others be forgotten
            (helper, f"store --file={shlex.quote(path)}"),
            (f"credential.{server.base}.useHttpPath", "false"),
        ]
    bundle = ""
    if server.scheme == "https" and CA in secret.entries:
        certificates = [secret.entries[CA], *_authorities(env)]
        text = b"".join(c.rstrip(b"\n") + b"\n" for c in certificates)
        bundle = write_private(os.path.join(place, CA), text)
        config.append((f"http.{server.base}.sslCAInfo", bundle))
    return _Given(config=tuple(config), ca=bundle)


def _login(secret: Secret, server: Server, shown: str) -> tuple[bytes, bytes]:
    """User and password; a line end after them, as editors leave it, is not part of them."""
    user, password = (
        re.sub(rb"\r?\n\Z", b"", secret.entries.get(name, b"")) for name in ("username", "password")
    )
    if not password:
        raise GhostError(f"there is no password in {secret.folder}", "Its key is `password`.")
    if any(c in part for part in (user, password) for c in (b"\n", b"\r", b"\0")):
        raise GhostError(
            f"the username or password in {secret.folder} has more than one line",
            "Is it the right key of the right secret?",
        )
    named = os.fsencode(server.user)
    if user and named and user != named:
        raise GhostError(
            f"{shown} names another user than {secret.folder} does",
            "Leave the user out of the URL.",
        )
    return user or named or b"git", password


_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)


def _authorities(env: Environment) -> list[bytes]:
    """What git would trust without us: a private authority comes in addition."""
    for path in (env.get("GIT_SSL_CAINFO", ""), *_BUNDLES):
        if path:
            try:
                with open(path, "rb") as file:
                    return [file.read()]
            except OSError:
                continue
    return []
