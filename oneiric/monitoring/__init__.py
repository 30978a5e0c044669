"""Operator files generated from, or checked against, the catalogue."""
