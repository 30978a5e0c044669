"""Signed remote manifests: fetch, verify, cache, register."""
