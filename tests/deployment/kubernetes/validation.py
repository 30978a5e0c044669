"""Kubernetes' own schemas, in the strict sense: what they do not know is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kubernetes_validate

if TYPE_CHECKING:
    from deployment.kubernetes.objects import Object

VERSIONS = ("1.30.0", "1.37.0")
"""The oldest and the newest version of Kubernetes that the guide names."""
REFUSALS = (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError)
"""What is raised for an object that is wrong, and for one of a kind or version that there is not."""


def validate(*objects: Object) -> None:
    """Hold *objects* against the schemas of the oldest and the newest version."""
    for found in objects:
        for version in VERSIONS:
            kubernetes_validate.validate(found, version, strict=True)
