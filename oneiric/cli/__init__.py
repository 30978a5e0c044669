"""The `oneiric` command."""

from oneiric.cli.app import app, main

__all__ = ["app", "main"]
