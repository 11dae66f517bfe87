"""A pod's volumes as folders, and its containers' words rewritten to find them there."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

from tests.support.cluster.kinds import Kinds, Object
from tests.support.cluster.store import Store

_DATA = "..2024_01_01_00_00_00.000000000"


class Missing(Exception):
    """Something the pod refers to is not there; says what, in the kubelet's words."""


class PodFiles:
    """The folders of one pod."""

    def __init__(self, root: Path, pod: Object, store: Store, kinds: Kinds) -> None:
        """Keep everything below `root`, which is created."""
        self.root = root
        self._pod = pod
        self._store = store
        self._kinds = kinds
        self._folders: dict[str, Path] = {}
        root.mkdir(parents=True)

    def mount(self) -> None:
        """Fill the volumes.

        Raises:
            Missing: a Secret or ConfigMap.

        """
        for volume in self._pod["spec"].get("volumes") or ():
            name = volume["name"]
            if name in self._folders:
                continue
            folder = self.root / "volumes" / name
            if claim := volume.get("persistentVolumeClaim"):
                folder = self.root.parent / "claims" / claim["claimName"]
            try:
                files = self._files(volume)
            except Missing as error:
                raise Missing(f'MountVolume.SetUp failed for volume "{name}" : {error}') from None
            folder.mkdir(parents=True, exist_ok=True)
            if files is not None:
                _write(folder, *files)
            self._folders[name] = folder

    def termination_message(self, container: Object) -> Path:
        """Return the file that a container's termination message is read from."""
        return self.root / f"{container['name']}.termination-log"

    def workdir(self, container: Object) -> Path:
        """Return the folder that a container starts in."""
        path = container.get("workingDir") or "/"
        root = self.root / "roots" / container["name"]
        mounted = self.rewrite(container, path)
        folder = Path(mounted) if mounted != path else root / path.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def rewrite(self, container: Object, text: str) -> str:
        """Return `text` with the paths of mounts as those of the folders behind them."""
        places = self._places(container)
        longest = sorted(places, key=len, reverse=True)
        pattern = "|".join(map(re.escape, longest))
        return re.sub(
            rf"(?<![\w./-])(?:{pattern})(?![\w.-])", lambda match: str(places[match[0]]), text
        )

    def _places(self, container: Object) -> dict[str, Path]:
        places = {container["terminationMessagePath"]: self.termination_message(container)}
        for mount in container.get("volumeMounts") or ():
            folder = self._folders.get(mount["name"], self.root / "volumes" / mount["name"])
            if sub := mount.get("subPath"):
                folder = folder / sub
                folder.mkdir(parents=True, exist_ok=True)
            places[mount["mountPath"].rstrip("/")] = folder
        return places

    def _files(self, volume: Object) -> tuple[dict[str, bytes], int] | None:
        """Return the files of a volume and their mode; None if it has no source."""
        if source := volume.get("secret"):
            data = self.secret(source["secretName"], bool(source.get("optional")))
        elif source := volume.get("configMap"):
            data = self.config_map(source["name"], bool(source.get("optional")))
        else:
            return None
        if items := source.get("items"):
            data = {item["path"]: data[item["key"]] for item in items if item["key"] in data}
        return data, source.get("defaultMode", 0o644)

    def secret(self, name: str, optional: bool = False) -> dict[str, bytes]:
        """Return what is in a Secret.

        Raises:
            Missing: there is none.

        """
        found = self._find("Secret", name, optional)
        return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}

    def config_map(self, name: str, optional: bool = False) -> dict[str, bytes]:
        """Return what is in a ConfigMap.

        Raises:
            Missing: there is none.

        """
        found = self._find("ConfigMap", name, optional)
        return {key: value.encode() for key, value in (found.get("data") or {}).items()}

    def _find(self, kind: str, name: str, optional: bool) -> Object:
        namespace = self._pod["metadata"]["namespace"]
        found = self._store.find(self._kinds.named(kind), namespace, name)
        if found is None and not optional:
            raise Missing(f'{kind.lower()} "{name}" not found')
        return found or {}


def _write(folder: Path, data: dict[str, bytes], mode: int) -> None:
    """Write files the way the kubelet does: behind links, so that they change all at once."""
    real = folder / _DATA
    real.mkdir(exist_ok=True)
    for name, content in data.items():
        (real / name).parent.mkdir(parents=True, exist_ok=True)
        (real / name).write_bytes(content)
        (real / name).chmod(mode)
        top = name.split("/")[0]
        if not (folder / top).is_symlink():
            (folder / top).symlink_to(Path("..data") / top)
    if not (folder / "..data").is_symlink():
        (folder / "..data").symlink_to(_DATA)


def environment(pod: Object, container: Object, files: PodFiles) -> dict[str, str]:
    """Return a container's variables, with `$(NAME)` replaced.

    Raises:
        Missing: a Secret or ConfigMap, or a key in it.

    """
    found: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        prefix = source.get("prefix", "")
        if ref := source.get("secretRef"):
            data = files.secret(ref["name"], bool(ref.get("optional")))
        else:
            ref = source["configMapRef"]
            data = files.config_map(ref["name"], bool(ref.get("optional")))
        found |= {prefix + key: value.decode() for key, value in data.items()}
    for variable in container.get("env") or ():
        value = variable.get("value")
        if source := variable.get("valueFrom"):
            value = _value_from(pod, source, files)
        if value is not None or "valueFrom" not in variable:
            found[variable["name"]] = expand(value or "", found)
    return found


def expand(text: str, variables: dict[str, str]) -> str:
    """Return `text` with `$(NAME)` replaced where there is such a variable; `$$` is `$`."""

    def replaced(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([^()$]+)\)", replaced, text)


def _value_from(pod: Object, source: Object, files: PodFiles) -> str | None:
    if ref := source.get("fieldRef"):
        return _field(pod, ref["fieldPath"])
    kind = "Secret" if "secretKeyRef" in source else "ConfigMap"
    ref = source.get("secretKeyRef") or source["configMapKeyRef"]
    optional = bool(ref.get("optional"))
    read = files.secret if kind == "Secret" else files.config_map
    data = read(ref["name"], optional)
    if ref["key"] not in data:
        if optional:
            return None
        where = f"{pod['metadata']['namespace']}/{ref['name']}"
        raise Missing(f"couldn't find key {ref['key']} in {kind} {where}")
    return data[ref["key"]].decode()


def _field(pod: Object, path: str) -> str:
    keyed = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if keyed:
        return str((pod["metadata"].get(keyed[1]) or {}).get(keyed[2], ""))
    value: Any = pod
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return "" if value is None else str(value)
