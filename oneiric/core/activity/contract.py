"""What a runtime needs of the store of its pauses and drains, wherever that keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.core.activity.kept import Account, Suspicion
    from oneiric.core.activity.memory import DomainActivity
    from oneiric.core.events import State


class Activities(Protocol):
    """What bridges need: the activity of every component, read and changed from any thread."""

    def get(self, domain: str, key: str) -> DomainActivity:
        """Return the activity of a component; the default for one that nothing is kept of."""

    def all_for_domain(self, domain: str) -> dict[str, DomainActivity]:
        """Return the activities kept of *domain*, by key."""

    def snapshot(self) -> dict[str, dict[str, DomainActivity]]:
        """Return all activities kept, by domain and key."""

    def set(self, domain: str, key: str, state: DomainActivity) -> None:
        """Replace the activity of a component and report the transitions."""

    def change(
        self,
        domain: str,
        key: str,
        *,
        paused: bool | None = None,
        draining: bool | None = None,
        note: str | None = None,
    ) -> DomainActivity:
        """Change what is given of a component's activity, report the transitions, and return all of it."""


class ActivityStore(Activities, Protocol):
    """Keeps pauses and drains over restarts; thread-safe.

    Reads never wait for a server or another process: what cannot be read is answered from what was last known. A
    change is durable when it returns, and no other change made meanwhile is lost; it may wait, a few seconds at most,
    and raises ActivityStoreError where it cannot be made.
    """

    @property
    def refuses(self) -> bool:
        """Whether all work is held back because it is not known what is paused."""

    @property
    def suspicion(self) -> Suspicion | None:
        """Why the state is not known for certain, None where it is."""

    def recover(self, account: Account) -> None:
        """End the suspicion by keeping what the *account* of the database or the witness says."""

    def states(self) -> Iterator[State]:
        """Yield how many components are paused or drain, and how the store is."""

    def close(self) -> None:
        """Let go of everything; idempotent. Reads then answer what was last known, changes raise."""
