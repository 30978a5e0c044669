"""A log event prepared for writing: its logger, level, name and fields, of which only the values change."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oneiric.core.logging.fast_path import latest

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class EventFields:
    """The fields of a log event.

    Attributes:
        names: Their names.
        errors: Further ones, which are left out where they are "", as they are as a rule.
        optional: How many of *names*, counted from the first, are left out where they are "".
    """

    names: tuple[str, ...]
    errors: tuple[str, ...] = ()
    optional: int = 0


class EventLine:
    """One log event, of which only the values of its fields change.

    Args:
        logger: Name of its logger.
        level: Its level, in lower case.
        event: Its name.
        fields: Its fields.
        ordinary: Writes a line with the fields it is given, in the ordinary way.
        fast: Whether the fast path may be taken where it is in force.
    """

    def __init__(  # noqa: PLR0913 - what a line is made of, and how it is written
        self,
        logger: str,
        level: str,
        event: str,
        fields: EventFields,
        ordinary: Callable[[dict[str, Any]], object],
        *,
        fast: bool = True,
    ) -> None:
        self._logger = logging.getLogger(logger)
        self._level, self._event = level, event
        self._fields, self._names, self._optional = fields, fields.names, fields.optional
        self._blanks = ("",) * len(fields.errors)
        self._ordinary = ordinary
        self._fast = fast

    def write(self, values: tuple[Any, ...], errors: tuple[Any, ...] = (), suppressed: int = 0) -> None:
        """Write a line with *values*, one for each name, and *errors*; say how many were *suppressed*, if any were."""
        names = self._names
        if suppressed or errors != self._blanks or (self._optional and "" in values[: self._optional]):
            fields = self._shown(values, errors)
            if suppressed:
                fields["suppressed"] = suppressed
            names, values = tuple(fields), tuple(fields.values())
        fast_path = latest.fast_path if self._fast else None
        if fast_path is None or not fast_path.write(self._logger, self._level, self._event, names, values):
            self._ordinary(dict(zip(names, values, strict=True)))

    def _shown(self, values: tuple[Any, ...], errors: tuple[Any, ...]) -> dict[str, Any]:
        pairs = enumerate(zip((*self._names, *self._fields.errors), (*values, *errors), strict=True))
        always = range(self._optional, len(self._names))
        return {name: value for at, (name, value) in pairs if at in always or value != ""}
