"""The rules of objects that a schema does not tell: names, labels, pods, jobs."""

from __future__ import annotations

import re
from typing import Any

from tests.support.cluster.kinds import Kind, Object
from tests.support.cluster.status import Cause

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_VALUE = r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_NAME = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_NO_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.',"
    " and must start and end with an alphanumeric character (e.g. 'example.com', regex used for"
    rf" validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.{_LABEL})*')"
)
_NO_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and"
    " must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used"
    f" for validation is '{_LABEL}')"
)
_NO_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.',"
    " and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or"
    f" '12345', regex used for validation is '{_VALUE}')"
)
_NO_NAME = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end"
    " with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for"
    f" validation is '{_NAME}')"
)


def check(kind: Kind, obj: Object) -> list[Cause]:
    """Return what is wrong with an object that could be decoded."""
    causes = _metadata(obj["metadata"])
    spec = obj.get("spec") or {}
    if kind.resource == "pods":
        causes += _pod(spec, "spec")
    elif kind.resource in ("jobs.batch", "deployments.apps", "statefulsets.apps"):
        causes += _template(spec.get("template") or {}, "spec.template")
    if kind.resource == "jobs.batch":
        causes += _job(obj["metadata"].get("name", ""), spec)
    return causes


def _metadata(meta: Object) -> list[Cause]:
    causes = []
    name = meta.get("name", "")
    if not name and not meta.get("generateName"):
        why = "Required value: name or generateName is required"
        causes.append(Cause("metadata.name", why, "FieldValueRequired"))
    elif name and len(name) > 253:
        causes.append(_bad("metadata.name", name, "must be no more than 253 bytes"))
    elif name and not re.fullmatch(_SUBDOMAIN, name):
        causes.append(_bad("metadata.name", name, _NO_SUBDOMAIN))
    causes += _labels(meta.get("labels") or {}, "metadata.labels")
    for key in meta.get("annotations") or {}:
        causes += _key(key, "metadata.annotations")
    return causes


def _labels(labels: Object, path: str) -> list[Cause]:
    causes = []
    for key, value in labels.items():
        causes += _key(key, path)
        if len(value) > 63:
            causes.append(_bad(path, value, "must be no more than 63 bytes"))
        elif not re.fullmatch(_VALUE, value):
            causes.append(_bad(path, value, _NO_VALUE))
    return causes


def _key(key: str, path: str) -> list[Cause]:
    prefix, _, name = key.rpartition("/")
    if len(name) > 63:
        return [_bad(path, key, "name part must be no more than 63 bytes")]
    if not re.fullmatch(_NAME, name):
        return [_bad(path, key, _NO_NAME)]
    if prefix and not re.fullmatch(_SUBDOMAIN, prefix):
        return [_bad(path, key, f"prefix part {_NO_SUBDOMAIN}")]
    return []


def _template(template: Object, path: str) -> list[Cause]:
    meta = template.get("metadata") or {}
    return _labels(meta.get("labels") or {}, f"{path}.labels") + _pod(
        template.get("spec") or {}, f"{path}.spec"
    )


def _job(name: str, spec: Object) -> list[Cause]:
    causes = []
    if len(name) > 63:
        causes.append(_bad("spec.template.labels", name, "must be no more than 63 bytes"))
    policy = (spec.get("template", {}).get("spec") or {}).get("restartPolicy", "")
    if policy not in ("OnFailure", "Never"):
        path = "spec.template.spec.restartPolicy"
        valid = '"OnFailure", "Never"'
        if policy:
            said = f'Unsupported value: "{policy}": supported values: {valid}'
            causes.append(Cause(path, said, "FieldValueNotSupported"))
        else:
            causes.append(
                Cause(path, f"Required value: valid values: {valid}", "FieldValueRequired")
            )
    if spec.get("completionMode") == "Indexed" and not spec.get("completions"):
        why = "Required value: when completion mode is Indexed"
        causes.append(Cause("spec.completions", why, "FieldValueRequired"))
    return causes


def _pod(spec: Object, path: str) -> list[Cause]:
    causes = []
    volumes = [volume.get("name", "") for volume in spec.get("volumes") or ()]
    causes += _unique(volumes, f"{path}.volumes")
    if not spec.get("containers"):
        causes.append(_required(f"{path}.containers"))
    names = []
    for field in ("initContainers", "containers"):
        for number, container in enumerate(spec.get(field) or ()):
            at = f"{path}.{field}[{number}]"
            causes += _container(container, at, volumes)
            if (name := container.get("name")) in names:
                causes.append(
                    Cause(f"{at}.name", f'Duplicate value: "{name}"', "FieldValueDuplicate")
                )
            names.append(name)
    return causes


def _container(container: Object, at: str, volumes: list[str]) -> list[Cause]:
    causes = []
    name = container.get("name", "")
    if not name:
        causes.append(_required(f"{at}.name"))
    elif len(name) > 63 or not re.fullmatch(_LABEL, name):
        causes.append(_bad(f"{at}.name", name, _NO_LABEL))
    if not container.get("image"):
        causes.append(_required(f"{at}.image"))
    paths: list[str] = []
    for number, mount in enumerate(container.get("volumeMounts") or ()):
        here = f"{at}.volumeMounts[{number}]"
        if mount.get("name") not in volumes:
            said = f'Not found: "{mount.get("name")}"'
            causes.append(Cause(f"{here}.name", said, "FieldValueNotFound"))
        if mount.get("mountPath") in paths:
            causes.append(_bad(f"{here}.mountPath", mount["mountPath"], "must be unique"))
        paths.append(mount.get("mountPath", ""))
    for number, variable in enumerate(container.get("env") or ()):
        if not variable.get("name"):
            causes.append(_required(f"{at}.env[{number}].name"))
    return causes


def _unique(names: list[str], path: str) -> list[Cause]:
    return [
        Cause(f"{path}[{number}].name", f'Duplicate value: "{name}"', "FieldValueDuplicate")
        for number, name in enumerate(names)
        if name in names[:number]
    ]


def _required(path: str) -> Cause:
    return Cause(path, "Required value", "FieldValueRequired")


def _bad(path: str, value: Any, why: str) -> Cause:
    return Cause(path, f'Invalid value: "{value}": {why}')
