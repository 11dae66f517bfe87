"""A private sshd that knows nothing of the host's: own keys, own configuration, git only."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

from tests.support.servers import InetdServer, ServerUnavailable

_ALIAS = "git-ghost-test"
"""Host keys are looked up under this name, so that they also hold behind a relay's port."""

_CONFIG = """\
HostKey "{state}/host_key"
AuthorizedKeysFile "{state}/authorized_keys"
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
PrintMotd no
PrintLastLog no
LogLevel VERBOSE
AcceptEnv GIT_PROTOCOL
SetEnv {env}
"""
# SetEnv comes after what sshd takes from the user data base: HOME is the server's, not the user's.
_SET = ("HOME", "PATH", "LC_ALL", "GIT_CONFIG_NOSYSTEM", "GIT_ATTR_NOSYSTEM")


class SshServer(InetdServer):
    """ssh:// for the current user, who needs no privileges; the keys' only use is git."""

    def __init__(self, directory: Path) -> None:
        """Make the keys and listen.

        Raises:
            ServerUnavailable: sshd or a part of the ssh client is not installed.

        """
        self._sshd = _find("sshd")
        self._ssh = _find("ssh")
        super().__init__(directory)
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.key = self._make_key("key")
        self.wrong_key = self._make_key("wrong_key")
        self.known_hosts = self._known_hosts("known_hosts", self._make_key("host_key"))
        other = self._make_key("other_host_key")
        self.wrong_known_hosts = self._known_hosts("wrong_known_hosts", other)
        self._write_configuration()
        self.env = self.client_env()

    def command(self) -> list[str]:
        """Return the call of sshd for one connection."""
        return [self._sshd, "-i", "-e", "-f", str(self.state / "sshd_config")]

    def url(self, name: str, port: int | None = None) -> str:
        """Return the ssh:// URL."""
        path = quote(str(self.root / name))
        return f"ssh://{self.user}@127.0.0.1:{port or self.port}{path}"

    def client_env(
        self, key: Path | None = None, known_hosts: Path | None = None
    ) -> dict[str, str]:
        """Return the environment of a client, which may hold a wrong key or wrong host keys."""
        options = [
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "GlobalKnownHostsFile=/dev/null",
            f"UserKnownHostsFile={known_hosts or self.known_hosts}",
            f"HostKeyAlias={_ALIAS}",
            "ConnectTimeout=20",
        ]
        words = [self._ssh, "-F", "/dev/null", "-i", str(key or self.key)]
        for option in options:
            words += ["-o", option]
        return {"GIT_SSH_COMMAND": shlex.join(words)}

    def _make_key(self, name: str) -> Path:
        path = self.state / name
        keygen = _find("ssh-keygen")
        command = [keygen, "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, env=self.server_env)
        return path

    def _known_hosts(self, name: str, key: Path) -> Path:
        path = self.state / name
        public = key.with_suffix(".pub").read_text(encoding="ascii")
        path.write_text(f"{_ALIAS},[127.0.0.1]:{self.port} {public}", encoding="ascii")
        return path

    def _write_configuration(self) -> None:
        if os.getuid() == 0:  # sshd insists on the directory it would chroot to
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        public = self.key.with_suffix(".pub").read_text(encoding="ascii")
        git_only = r'restrict,command="git shell -c \"$SSH_ORIGINAL_COMMAND\""'
        authorized = f"{git_only} {public}"
        (self.state / "authorized_keys").write_text(authorized, encoding="ascii")
        env = " ".join(f'"{name}={self.server_env[name]}"' for name in _SET)
        config = _CONFIG.format(state=self.state, env=env)
        (self.state / "sshd_config").write_text(config, encoding="utf-8")


def _find(program: str) -> str:
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(program, path=search)
    if found is None:
        raise ServerUnavailable(f"{program} is not installed")
    return found
