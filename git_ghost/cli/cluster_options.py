"""The options about the cluster, which run and code share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from git_ghost.cluster.client import Access

_OPTIONS = (
    click.option(
        "-n", "--namespace", metavar="NAME",
        help="The namespace [default: the object's own, the context's].",
    ),
    click.option("--context", metavar="NAME", help="The context of the kubeconfig."),
    click.option(
        "--kubeconfig", metavar="FILE",
        help="The kubeconfig [env: KUBECONFIG, default: ~/.kube/config; without one, the service"
        " account of the pod this runs in].",
    ),
)  # fmt: skip


def cluster_options() -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """All of them; hand what the command gets to :func:`access`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(_OPTIONS):
            function = option(function)
        return function

    return decorate


def access(given: dict[str, Any]) -> Access:
    """Which cluster; takes the options of :func:`cluster_options` out of ``given``."""
    from git_ghost.cluster.client import Access

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
