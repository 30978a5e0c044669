"""The `oneiric` command."""

from oneiric.cli.entry import main

__all__ = ["main"]
