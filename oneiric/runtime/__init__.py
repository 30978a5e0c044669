"""The composition root and the state of a running process."""
