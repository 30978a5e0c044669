"""Secret values kept for a while; their home is :mod:`oneiric.core.config`, and this path to them stays."""

from oneiric.core.config import SecretValueCache

__all__ = ["SecretValueCache"]
