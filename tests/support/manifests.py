"""Objects for tests: the least that is a pod, a Job, a workflow."""

from __future__ import annotations

from typing import Any

from tests.support.cluster.kinds import Object

IMAGE = "busybox"
FOREVER = "echo up; while :; do sleep 0.1; done"
"""A script that does not end by itself."""


def pod(name: str, script: str = "true", **spec: Any) -> Object:
    """Return a pod whose container main runs a script; `container` is merged into that."""
    main = {"name": "main", "image": IMAGE, "command": ["sh", "-c", script]}
    main |= spec.pop("container", {})
    meta = {"name": name, "labels": {"app": name}}
    body = {"restartPolicy": "Never", "containers": [main], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": body}


def job(name: str, script: str, **spec: Any) -> Object:
    """Return a Job of such pods; a name that ends in `-` is the beginning of one."""
    template = {"spec": pod(name, script, **spec.pop("pod", {}))["spec"]}
    body = {"backoffLimit": 0, "template": template, **spec}
    meta = {"generateName" if name.endswith("-") else "name": name}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": body}


def workflow(name: str, *scripts: str, **spec: Any) -> Object:
    """Return an Argo workflow that runs scripts one after the other."""
    templates: list[Object] = [
        {"name": f"step-{at}", "container": {"image": IMAGE, "command": ["sh", "-c", script]}}
        for at, script in enumerate(scripts)
    ]
    steps = [[{"name": one["name"], "template": one["name"]}] for one in templates]
    templates.append({"name": "all", "steps": steps})
    body = {"entrypoint": "all", "templates": templates, **spec}
    meta = {"generateName" if name.endswith("-") else "name": name}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": meta,
        "spec": body,
    }


def config_map(name: str, **data: str) -> Object:
    """Return a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def secret(name: str, **data: str) -> Object:
    """Return a Secret, of text."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
