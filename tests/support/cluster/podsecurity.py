"""Pod Security admission, level restricted: what a pod must say of itself."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.cluster.kinds import Object

LABEL = "pod-security.kubernetes.io/enforce"
_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim",
    "projected", "secret",
}  # fmt: skip


def violations(spec: Object) -> str:
    """Return what is wrong with a pod, in the words of the API server; empty if nothing is."""
    pod = spec.get("securityContext") or {}
    containers = [*(spec.get("initContainers") or ()), *spec.get("containers", ())]
    found = [
        _each(
            containers,
            lambda own: own.get("allowPrivilegeEscalation") is False,
            "allowPrivilegeEscalation != false ({} must set"
            " securityContext.allowPrivilegeEscalation=false)",
        ),
        _each(
            containers,
            lambda own: "ALL" in ((own.get("capabilities") or {}).get("drop") or ()),
            'unrestricted capabilities ({} must set securityContext.capabilities.drop=["ALL"])',
        ),
        _volume_types(spec),
        _each(
            containers,
            lambda own: own.get("runAsNonRoot", pod.get("runAsNonRoot")) is True,
            "runAsNonRoot != true (pod or {} must set securityContext.runAsNonRoot=true)",
        ),
        _each(
            containers,
            lambda own: own.get("runAsUser", pod.get("runAsUser")) != 0,
            "runAsUser=0 ({} must not set securityContext.runAsUser=0)",
        ),
        _each(
            containers,
            lambda own: (
                (own.get("seccompProfile") or pod.get("seccompProfile") or {}).get("type")
                in ("RuntimeDefault", "Localhost")
            ),
            "seccompProfile (pod or {} must set securityContext.seccompProfile.type to"
            ' "RuntimeDefault" or "Localhost")',
        ),
    ]
    return ", ".join(filter(None, found))


def _each(containers: list[Object], is_good: Callable[[Object], bool], text: str) -> str:
    bad = [c.get("name", "") for c in containers if not is_good(c.get("securityContext") or {})]
    names = ", ".join(f'"{name}"' for name in bad)
    return text.format(f"container{'s' if len(bad) > 1 else ''} {names}") if bad else ""


def _volume_types(spec: Object) -> str:
    types = {
        volume["name"]: kind
        for volume in spec.get("volumes") or ()
        for kind in volume.keys() - {"name"} - _VOLUMES
    }
    if not types:
        return ""
    names = ", ".join(f'"{name}"' for name in types)
    kinds = ", ".join(f'"{kind}"' for kind in types.values())
    return f"restricted volume types (volumes {names} use restricted volume type {kinds})"
