"""What the options before a command say, for the command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from oneiric.runtime.program import Program


@dataclass(frozen=True)
class Invocation:
    """The options that stand before every command.

    Attributes:
        config: The settings file; None: the one that ``ONEIRIC_CONFIG`` names, and those that are found.
        imports: Modules to import, which may have functions ``register(resolver)`` and ``connect(runtime)``.
        profile: The profile to apply; None: the configured one.
        demo: Whether to register the components of the demonstration.
    """

    config: Path | None = None
    imports: tuple[str, ...] = ()
    profile: str | None = None
    demo: bool = False

    def program(self) -> Program:
        """Return the program that these options describe."""
        from oneiric.runtime.program import Program  # noqa: PLC0415 - a command of a running service does not need it

        return Program(config=self.config, imports=self.imports, profile=self.profile)
