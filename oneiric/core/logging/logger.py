"""The logger that applications get: it follows the present configuration, and takes the fast path where it can."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from oneiric.core.logging.fast_path import latest
from oneiric.core.logging.fields import free_names
from oneiric.core.logging.render import MAX_KEY_CHARS, is_plain_event

if TYPE_CHECKING:
    from collections.abc import Callable


def _method(name: str) -> Callable[..., None]:
    def log(self: LateLogger, event: object = None, /, *args: object, **fields: object) -> None:
        """Log *event* with *fields*; *args* are filled into it as :mod:`logging` does."""
        if event is None:
            event = fields.pop("event", None)
        fast_path = latest.fast_path
        if (
            fast_path is not None
            and type(event) is str
            and not args
            and len(event) <= MAX_KEY_CHARS  # what is asked next remembers it
            and is_plain_event(event)
        ):
            if self._context:
                fields = {**self._context, **fields}
            if fast_path.write(self._logger or self._found(), name, event, tuple(fields), tuple(fields.values())):
                return
        getattr(self.current(), name)(event, *args, **free_names(fields))

    return log


class LateLogger:
    """A logger that is bound anew each time it is used.

    Args:
        name: Its name.
        context: What it carries in every line.
        make: Returns the logger of that name under the present configuration.
    """

    __slots__ = ("_context", "_logger", "_make", "_name")

    def __init__(self, name: str, context: dict[str, object], make: Callable[[str], Any]) -> None:
        self._name = name
        self._context = context
        self._make = make
        self._logger: logging.Logger | None = None

    def __repr__(self) -> str:
        return f"<logger {self._name!r}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.current(), name)

    def current(self) -> Any:
        """Return the logger under the present configuration."""
        return self._make(self._name).bind(**self._context)

    debug = _method("debug")
    info = _method("info")
    warning = _method("warning")
    error = _method("error")
    critical = _method("critical")

    def bind(self, **values: object) -> LateLogger:
        """Return a logger that carries *values* too."""
        return LateLogger(self._name, {**self._context, **values}, self._make)

    def new(self, **values: object) -> LateLogger:
        """Return a logger that carries only *values*."""
        return LateLogger(self._name, values, self._make)

    def unbind(self, *keys: str) -> LateLogger:
        """Return a logger without *keys*; KeyError if it does not carry one of them."""
        for key in keys:
            self._context[key]
        return self.try_unbind(*keys)

    def try_unbind(self, *keys: str) -> LateLogger:
        """Return a logger without *keys*."""
        kept = {key: value for key, value in self._context.items() if key not in keys}
        return LateLogger(self._name, kept, self._make)

    def _found(self) -> logging.Logger:
        self._logger = logging.getLogger(self._name)
        return self._logger
