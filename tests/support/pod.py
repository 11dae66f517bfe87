"""A Pod manifest run by podman, container by container, as a kubelet would.

podman's own reading of a Pod lacks what the pull step is made of, so that part is done here: each
init container is played as a pod of its own and has to succeed before the next begins, volumes are
folders as a kubelet makes them (an emptyDir open to all, a Secret's files as links, a subPath's
folder made when missing), and a container has a file for its termination message.
"""

from __future__ import annotations

import base64
import copy
import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.podman import Podman

Object = dict[str, Any]

_KEPT = "securityContext hostAliases enableServiceLinks".split()
"""What of a pod's spec is passed on; the rest is for a scheduler, or is replaced."""
_MESSAGE_AT = "/dev/termination-log"


class Pod:
    """The containers and volumes of one Pod; on the host's network, gone with the block."""

    def __init__(
        self, podman: Podman, manifest: Object, directory: Path, secrets: Sequence[Object] = ()
    ) -> None:
        """Make the volumes below `directory`; `secrets` are documents of kind Secret."""
        self.podman = podman
        self.spec: Object = manifest["spec"]
        self.secrets = {secret["metadata"]["name"]: secret for secret in secrets}
        self._directory = directory
        self._name = f"git-ghost-test-{uuid.uuid4().hex[:12]}"
        self._played: list[str] = []
        self._volumes = {
            volume["name"]: self._make_volume(volume) for volume in self.spec.get("volumes", [])
        }

    def run(self) -> int:
        """Run everything to its end; return the exit code of what failed first, or 0."""
        for container in self.spec.get("initContainers", []):
            self.start(container["name"])
            if code := self.wait(container["name"]):
                return code
        names = [container["name"] for container in self.spec["containers"]]
        for name in names:
            self.start(name)
        return next((code for code in map(self.wait, names) if code), 0)

    def start(self, name: str) -> None:
        """Start one container, again if it has run before: its volumes are as they are."""
        if name in self._played:
            self._remove(name)
        self._message_file(name).write_bytes(b"")
        self._message_file(name).chmod(0o666)
        self._played.append(name)
        document = json.dumps(self._document(name)).encode()
        self.podman.run("kube", "play", "--network=host", "-", stdin=document)

    def wait(self, name: str) -> int:
        """Wait for a container's end and return its exit code."""
        return int(self.podman.run("wait", self._container(name), seconds=120).ok())

    def kill(self, name: str) -> None:
        """Kill a container's processes, which get no chance to tidy up; they may have ended."""
        self.podman.run("kill", "--signal=KILL", self._container(name), check=False)

    def started(self, name: str) -> bool:
        """Return whether a container has been started."""
        return name in self._played

    def logs(self, name: str) -> str:
        """Return what a container said, both streams in one."""
        result = self.podman.run("logs", self._container(name))
        return result.out.decode("utf-8", "replace") + result.err

    def message(self, name: str) -> str:
        """Return a container's termination message."""
        return self._message_file(name).read_text(encoding="utf-8")

    def volume(self, name: str) -> Path:
        """Return where a volume is on this machine."""
        return self._volumes[name]

    def all_that_is_known(self) -> str:
        """Return all that somebody may see who may look at pods: logs, messages, definitions."""
        known = []
        for name in self._played:
            inspected = self.podman.inspect("container", self._container(name))
            known += [json.dumps(inspected), self.logs(name), self.message(name)]
        return "\n".join(known)

    def __enter__(self) -> Pod:
        """Return the pod, of which nothing runs yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Print the logs, which pytest shows with a failure, and remove the containers."""
        for name in list(self._played):
            print(f"log of container {name}:\n{self.logs(name)}")  # noqa: T201
            self._remove(name)

    def _remove(self, name: str) -> None:
        self._played.remove(name)
        self.podman.run("pod", "rm", "--force", "--time=0", self._pod(name))

    def _pod(self, name: str) -> str:
        return f"{self._name}-{name}"

    def _container(self, name: str) -> str:
        return f"{self._pod(name)}-{name}"

    def _message_file(self, name: str) -> Path:
        return self._directory / f"termination-log-{name}"

    def _document(self, name: str) -> Object:
        """Return a Pod of this one container, with its volumes as folders of this machine."""
        spec = self.spec
        every = [*spec.get("initContainers", []), *spec["containers"]]
        container = copy.deepcopy(next(c for c in every if c["name"] == name))
        mounts = container.get("volumeMounts", [])
        places = [self._place(mount) for mount in mounts]
        for number, mount in enumerate(mounts):
            mount.pop("subPath", None)
            mount["name"] = f"mount-{number}"
        message_at = container.pop("terminationMessagePath", _MESSAGE_AT)
        container["volumeMounts"] = [*mounts, {"name": "message", "mountPath": message_at}]
        volumes = [
            {"name": f"mount-{number}", "hostPath": {"path": str(place)}}
            for number, place in enumerate(places)
        ]
        message = {"path": str(self._message_file(name)), "type": "File"}
        played = {key: spec[key] for key in _KEPT if key in spec}
        played |= {
            "restartPolicy": "Never",
            "hostNetwork": True,
            "containers": [container],
            "volumes": [*volumes, {"name": "message", "hostPath": message}],
        }
        metadata = {"name": self._pod(name)}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": played}

    def _place(self, mount: Mapping[str, Any]) -> Path:
        place = self._volumes[mount["name"]] / str(mount.get("subPath", ""))
        if not place.exists():
            place.mkdir(mode=0o750)
        return place

    def _make_volume(self, volume: Object) -> Path:
        if "hostPath" in volume:
            return Path(volume["hostPath"]["path"])
        path = self._directory / "volumes" / str(volume["name"])
        path.mkdir(parents=True)
        if "emptyDir" in volume:
            path.chmod(0o777)
        elif "secret" in volume:
            self._fill(path, volume["secret"])
        else:
            raise NotImplementedError(f"a volume of this kind: {volume}")
        return path

    def _fill(self, path: Path, source: Object) -> None:
        secret = self.secrets[source["secretName"]]
        data = {key: base64.b64decode(value) for key, value in secret.get("data", {}).items()}
        data |= {key: value.encode() for key, value in secret.get("stringData", {}).items()}
        chosen = source.get("items", [{"key": key, "path": key} for key in data])
        inner = path / "..2026_01_01_00_00_00.1"
        inner.mkdir()
        (path / "..data").symlink_to(inner.name)
        for item in chosen:
            file = inner / item["path"]
            file.write_bytes(data[item["key"]])
            file.chmod(item.get("mode", source.get("defaultMode", 0o644)))
            (path / item["path"]).symlink_to(f"..data/{item['path']}")
