"""What to do next where a command line is not understood."""

from __future__ import annotations

from typing import Any


def hint_at(error: Any) -> str:
    """Return the nearest command that *error*, of Typer, may be about, or where the right ones are shown."""
    from difflib import get_close_matches  # noqa: PLC0415 - for mistakes only

    context = error.ctx if getattr(error, "ctx", None) is not None else None
    if context is None:
        return "oneiric --help shows what is right"
    message, known = error.format_message(), getattr(context.command, "commands", {})
    if "did you mean" in message.lower():
        return ""
    if message.startswith("No such command"):
        near = get_close_matches(message.split("'")[1], known, n=1)
        if near:
            return f"did you mean {near[0]}?"
    return f"{context.command_path} --help shows what is right"
