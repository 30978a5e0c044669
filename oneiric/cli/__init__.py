"""The `oneiric` command."""
