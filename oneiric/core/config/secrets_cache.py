"""Keep secret values for a while, so that a provider is not asked every time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class SecretValueCache:
    """Values by provider and secret id, each kept *ttl* seconds; 0 keeps nothing. Thread-safe.

    Args:
        ttl: Seconds a value is kept.
        clock: Monotonic seconds.
    """

    def __init__(self, ttl: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        if not ttl >= 0:
            raise ValueError(f"ttl must be 0 seconds or more, not {ttl!r}")
        self._ttl = ttl
        self._clock = clock
        self._lock = threading.Lock()
        self._values: dict[tuple[str | None, str], tuple[float, str | None]] = {}

    def get(self, provider: str | None, secret_id: str) -> tuple[bool, str | None]:
        """Return whether a value is known, and the value; None is a value too."""
        with self._lock:
            expires, value = self._values.get((provider, secret_id), (0.0, None))
            if expires > self._clock():
                return True, value
            self._values.pop((provider, secret_id), None)
            return False, None

    def set(self, provider: str | None, secret_id: str, value: str | None) -> None:
        """Keep *value*."""
        if self._ttl > 0:
            with self._lock:
                self._values[provider, secret_id] = self._clock() + self._ttl, value

    def known(self, provider: str | None) -> list[str]:
        """Return the ids of which a value of *provider* was kept, those included whose time is over."""
        with self._lock:
            return [secret_id for known, secret_id in self._values if known == provider]

    def extend(self, provider: str | None, secret_id: str) -> None:
        """Keep the value that there is, even if its time is over, for another *ttl* seconds."""
        with self._lock:
            if (kept := self._values.get((provider, secret_id))) is not None:
                self._values[provider, secret_id] = self._clock() + self._ttl, kept[1]

    def invalidate(self, keys: Collection[str] | None = None, provider: str | None = None) -> int:
        """Forget the values of these ids (None: all) of *provider* (None: any); return how many there were."""
        with self._lock:
            gone = [
                entry
                for entry in self._values
                if (keys is None or entry[1] in keys) and (provider is None or entry[0] == provider)
            ]
            for entry in gone:
                del self._values[entry]
            return len(gone)
