"""Bridges from an application to its components, one a domain."""
