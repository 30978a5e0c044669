"""What a runtime needs of the store of its pauses and drains, wherever that keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    """Keeps pauses and drains, and records and documents beside them, over restarts; thread-safe.

    Reads never wait for a server or another process: what cannot be read is answered from what was last known. A
    change is durable when it returns, and no other change made meanwhile is lost; it may wait, a few seconds at most,
    and raises ActivityStoreError where it cannot be made.
    """

    @property
    def refuses(self) -> bool:
        """Whether all work is held back because it is not known what is paused."""

    @property
    def problem(self) -> str | None:
        """Why what is kept cannot be read at the moment, and only what was last known is; None where it can."""

    @property
    def suspicion(self) -> Suspicion | None:
        """Why the state is not known for certain, None where it is."""

    def recover(self, account: Account) -> None:
        """End the suspicion by keeping what the *account* of the database or the witness says."""

    def read_record(self, kind: str, name: str) -> bytes | None:
        """Return the record of this *kind* and *name*, None where there is none; ValueError for a wrong name.

        A record survives what pauses survive: the witness knows it, too.
        """

    def records(self, kind: str) -> dict[str, bytes]:
        """Return the records of this *kind*, by name."""

    def change_record(self, kind: str, name: str, decide: Callable[[bytes | None], bytes | None]) -> bytes | None:
        """Have *decide* make another value of the record, None for none, in one transaction, and return that.

        It is called once or more. What it raises leaves the record as it is. ValueError for a wrong name, more than
        4,096 bytes, or more than 1,024 records.
        """

    def write_record(self, kind: str, name: str, value: bytes | None) -> None:
        """Keep *value* as the record of this *kind* and *name*, None for none."""

    def read_document(self, kind: str, name: str) -> bytes | None:
        """Return the document of this *kind* and *name*, None where there is none; ActivityStoreError if it is closed.

        Nothing vouches for it but who reads it: the witness does not know it, and it is gone with the database.
        """

    def write_document(self, kind: str, name: str, value: bytes | None) -> None:
        """Keep *value*, of at most 64 MiB, as the document of this *kind* and *name*, None for none."""

    def states(self) -> Iterator[State]:
        """Yield how many components are paused or drain, and how the store is."""

    def close(self) -> None:
        """Let go of everything; idempotent. Reads then answer what was last known, changes raise."""
