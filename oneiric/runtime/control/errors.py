"""Errors that the service answers with."""

from __future__ import annotations

from oneiric.runtime.control.protocol import DENIED, NO, USAGE


class ControlError(Exception):
    """A request that is not done; *code* is one of the protocol's, *hint* says what to do next.

    Attributes:
        code: The code.
        message: What is wrong, in one line.
        hint: The next step, or "".
        details: Further fields of the error, fit for JSON.
    """

    def __init__(self, code: str, message: str, hint: str = "", **details: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.details = details

    def as_dict(self) -> dict[str, object]:
        """Return it as the object that is sent."""
        return {"code": self.code, "message": self.message, "hint": self.hint, **self.details}


def wrong_use(message: str, hint: str = "") -> ControlError:
    """Return the error of a request that makes no sense."""
    return ControlError(USAGE, message, hint)


def answer_is_no(message: str, hint: str = "") -> ControlError:
    """Return the error of a request whose answer is no."""
    return ControlError(NO, message, hint)


def denied(message: str, hint: str = "") -> ControlError:
    """Return the error of a request that its peer has no right to."""
    return ControlError(DENIED, message, hint)
