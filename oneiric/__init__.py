"""Resolve, hot-swap and observe the providers of a running process."""
