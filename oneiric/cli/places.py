"""Where a running service listens, without the settings' models, which take long to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oneiric.cli.invocation import Invocation


def control_socket(invocation: Invocation) -> str:
    """Return the path of the control socket that the settings of *invocation* name."""
    import os  # noqa: PLC0415

    from oneiric.core.config import control_socket_path  # noqa: PLC0415

    return str(control_socket_path(invocation.program().settings(), os.environ))
