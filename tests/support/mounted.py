"""Secrets as Kubernetes mounts them: links into a folder that is swapped as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def mounted(folder: Path, entries: Mapping[str, bytes | str], mode: int = 0o444) -> Path:
    """Mount a secret at `folder` and return it; `mode` is the volume's `defaultMode`."""
    content = folder / "..2026_01_02_03_04_05.678"
    content.mkdir(parents=True)
    (folder / "..data").symlink_to(content.name)
    for name, value in entries.items():
        file = content / name
        file.write_bytes(value if isinstance(value, bytes) else value.encode())
        file.chmod(mode)
        (folder / name).symlink_to(f"..data/{name}")
    return folder
