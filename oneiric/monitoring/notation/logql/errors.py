"""What is wrong with a LogQL query, and where."""

from __future__ import annotations


class LogQLError(ValueError):
    """A query cannot be read, or asks for what LogQL does not have.

    Attributes:
        offset: Where in the text, in characters from its beginning.
        reason: What is wrong there, without the place.
    """

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"offset {offset}: {reason}")
        self.offset = offset
        self.reason = reason
