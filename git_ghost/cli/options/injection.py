"""The options about the pull step, which inject and run share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from git_ghost.cli.options.common import Decorator, together

if TYPE_CHECKING:
    from git_ghost.usecases.injecting import Choices


def injection_options() -> Decorator:
    """All of them; hand what the command gets to :func:`choices`."""
    return together(
        click.option(
            "--init-image", metavar="IMAGE", help="Image of the pull step [config: ghost.image]."
        ),
        click.option(
            "--mount", metavar="PATH",
            help="Where the code is in the containers [config: ghost.mount, default: /workspace].",
        ),
        click.option(
            "-c", "--container", "containers", multiple=True, metavar="NAME",
            help="A container that gets the code [config: ghost.container, default: every main one;"
            " the one of a workflow's template is called main]. Repeatable.",
        ),
        click.option(
            "--template", metavar="NAME",
            help="Argo: only this template of a workflow [config: ghost.template, default: all].",
        ),
        click.option(
            "--git-secret", metavar="NAME",
            help="Secret with the credentials for the source, and for a ghost repository on the"
            " same host [config: ghost.gitSecret].",
        ),
        click.option(
            "--ghost-secret", metavar="NAME",
            help="Secret with the credentials for the ghost repository"
            " [config: ghost.ghostSecret].",
        ),
        click.option(
            "--init-run-as-user", "run_as_user", metavar="UID",
            help="User the pull runs as; none: the cluster chooses"
            " [config: ghost.initRunAsUser, default: 65533].",
        ),
        click.option(
            "-l", "--label", "labels", multiple=True, metavar="KEY=VALUE",
            help="Label for the objects and their pods [config: ghost.label]. Repeatable.",
        ),
        click.option(
            "--annotation", "annotations", multiple=True, metavar="KEY=VALUE",
            help="Annotation for the objects and their pods"
            " [config: ghost.annotation]. Repeatable.",
        ),
    )  # fmt: skip


def choices(given: dict[str, Any]) -> Choices:
    """What the user chose; takes the options of :func:`injection_options` out of ``given``."""
    from git_ghost.usecases.injecting import Choices

    image = given.pop("init_image")
    rest = {name: given.pop(name) for name in Choices._fields if name != "image"}
    return Choices(image=image, **rest)
