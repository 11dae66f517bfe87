"""The options about the cluster, which run and code share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from git_ghost.cli.options.common import Decorator, together
from git_ghost.cli.types import FILE, FREE

if TYPE_CHECKING:
    from git_ghost.workloads.cluster.kubeconfig import Access


def cluster_options() -> Decorator:
    """All of them; hand what the command gets to :func:`access`."""
    return together(
        click.option(
            "-n", "--namespace", type=FREE, metavar="NAME",
            help="The namespace [default: the object's own, the context's].",
        ),
        click.option("--context", type=FREE, metavar="NAME", help="The context of the kubeconfig."),
        click.option(
            "--kubeconfig", type=FILE, metavar="FILE",
            help="The kubeconfig [env: KUBECONFIG, default: ~/.kube/config; without one, the"
            " service account of the pod this runs in].",
        ),
    )  # fmt: skip


def access(given: dict[str, Any]) -> Access:
    """Which cluster; takes the options of :func:`cluster_options` out of ``given``."""
    from git_ghost.workloads.cluster.kubeconfig import Access

    names = ("kubeconfig", "context", "namespace")
    return Access(**{name: given.pop(name) or "" for name in names}, environ=os.environ)


def flags(access: Access, namespace: str) -> str:
    """The same cluster and namespace, as options of a kubectl command a user may copy."""
    import shlex

    pairs = (
        ("--kubeconfig", access.kubeconfig),
        ("--context", access.context),
        ("-n", namespace),
    )
    return "".join(f" {flag} {shlex.quote(value)}" for flag, value in pairs if value)
