"""The turn at some work: one thread at a time does it, and the others leave theirs to that one."""

from __future__ import annotations

from enum import Enum
from threading import get_ident
from typing import TYPE_CHECKING, Final, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

FREE: Final = "free"


class _Answer(Enum):
    TAKEN = "taken"


TAKEN: Final = _Answer.TAKEN
"""What :meth:`Turn.do` returns where somebody else has the turn."""

NOBODY: Final = 0


class Turn:
    """Who may do some work now; nobody ever waits for it.

    A signal handler may come in anywhere and raise, also in taking the turn and in giving it back: the turn is not
    lost. In a forked child the owner makes a new one.

    Attributes:
        free: Holds :data:`FREE` while nobody has the turn. Who cannot afford the call of :meth:`do` takes it in the
            same way.
        owner: The thread that has the turn.
    """

    __slots__ = ("free", "owner")

    def __init__(self) -> None:
        self.free: dict[str, None] = {FREE: None}
        self.owner = NOBODY

    @property
    def is_mine(self) -> bool:
        """Whether the calling thread has the turn, and was interrupted in it."""
        return self.owner == get_ident()

    def do(self, work: Callable[[], T]) -> T | Literal[_Answer.TAKEN]:
        """Return what *work* returns; :data:`TAKEN` where another thread has the turn, or a caller of this one."""
        free, me = self.free, get_ident()
        try:
            # A signal handler comes in where something is called: so that nothing is called between taking the turn
            # and the block that gives it back, nor in giving it back.
            del free[FREE]
        except KeyError:
            return TAKEN
        try:
            self.owner = me
            return work()
        finally:
            self.owner = NOBODY
            free[FREE] = None
