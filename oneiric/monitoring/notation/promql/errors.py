"""What is wrong with a PromQL query, and where."""

from __future__ import annotations


class QueryError(ValueError):
    """A query does not parse; ``offset`` is where, as far as it is known."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset

    @property
    def is_of_types(self) -> bool:
        """Whether it is about an expression, a function or its arguments: newer servers, and others, have more."""
        return str(self).startswith(("unknown expression", "unknown function", "expected type"))

    @property
    def is_unclosed(self) -> bool:
        """Whether a bracket is missing."""
        return "unclosed" in str(self)
