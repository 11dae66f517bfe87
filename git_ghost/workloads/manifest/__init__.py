"""Kubernetes manifests: read them, add the pull step, take it back, write them. Pure."""

from git_ghost.workloads.manifest.injection import (
    Code,
    code_of,
    inject,
    receivers,
    remove,
    untrusting,
)
from git_ghost.workloads.manifest.reading import (
    Document,
    ManifestError,
    Named,
    Object,
    group,
    parse,
    read,
)
from git_ghost.workloads.manifest.rewriting import rewritten, text_of
from git_ghost.workloads.manifest.step import NAME, NOTE, PREFIX, Step
from git_ghost.workloads.manifest.templates import (
    PodTemplate,
    has_pods,
    is_known,
    items,
    placed,
    pod_templates,
    pods_from,
    templates_elsewhere,
    wrapped,
)
from git_ghost.workloads.manifest.writing import FORMATS, dump

__all__ = [
    "FORMATS", "NAME", "NOTE", "PREFIX",
    "Code", "Document", "ManifestError", "Named", "Object", "PodTemplate", "Step",
    "code_of", "dump", "group", "has_pods", "inject", "is_known", "items",
    "parse", "placed", "pod_templates", "pods_from", "read", "receivers", "remove", "rewritten",
    "templates_elsewhere", "text_of", "untrusting", "wrapped",
]  # fmt: skip
