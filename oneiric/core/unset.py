"""What stands for an argument that was left out, where None says something."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, TypeAlias, TypeVar


class _Unset(Enum):
    UNSET = "left out"


Unset: TypeAlias = Literal[_Unset.UNSET]
UNSET: Final = _Unset.UNSET

_T = TypeVar("_T")


def given_or(value: _T | Unset, otherwise: _T) -> _T:
    """Return *value*, or *otherwise* where it was left out."""
    return otherwise if value is UNSET else value
