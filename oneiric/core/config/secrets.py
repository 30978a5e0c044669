"""Look up secrets: in the settings, then through the configured adapter."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from oneiric.core.config.secrets_cache import SecretValueCache
from oneiric.core.errors import LifecycleError

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine

    from oneiric.core.config.remote import SecretsConfig
    from oneiric.core.lifecycle import LifecycleManager

ANSWER_SECONDS = 30.0
"""How long a provider may take for one secret that is renewed."""

_CLEARERS = ("invalidate_cache", "clear_cache", "refresh")


class SecretsHook:
    """Secrets by id: the inline map first, then the adapter at (``config.domain``, ``config.key``).

    Values of the adapter, None included, are kept ``config.cache_ttl_seconds``.
    """

    def __init__(self, lifecycle: LifecycleManager, config: SecretsConfig) -> None:
        self.lifecycle = lifecycle
        self.config = config
        self._cache = SecretValueCache(config.cache_ttl_seconds)
        self._prefetched = False

    @property
    def prefetched(self) -> bool:
        """Whether :meth:`prefetch` has made the provider ready."""
        return self._prefetched

    async def get(self, secret_id: str) -> str | None:
        """Return the secret *secret_id*; None if nobody knows it.

        Raises LifecycleError if the provider cannot be activated or has no ``get_secret``.
        """
        if secret_id in self.config.inline:
            return self.config.inline[secret_id]
        hit, known = self._cache.get(self.config.provider, secret_id)
        if hit:
            return known
        instance = await self._instance()
        if instance is None:
            return None
        value: str | None = await _settled(self._get_secret(instance)(secret_id))
        self._cache.set(self.config.provider, secret_id, value)
        return value

    async def prefetch(self) -> bool:
        """Make the provider ready, so that a wrong one is found at the start; return whether there is one."""
        instance = await self._instance()
        if instance is None:
            return False
        self._get_secret(instance)
        self._prefetched = True
        return True

    async def rotate(
        self, keys: Collection[str] | None = None, *, provider: str | None = None, include_provider_cache: bool = True
    ) -> int:
        """Forget the values of *keys* (None: all), here and in the provider's own cache; return how many there were."""
        removed = self.invalidate(keys, provider)
        if include_provider_cache:
            await self._clear_provider_cache()
        return removed

    async def refresh(self) -> int:
        """Ask the provider again for each secret that is kept, and return how many there are.

        Where it does not answer within :data:`ANSWER_SECONDS` or fails, the last value stays, for as long as a new one;
        once all were asked that raises LifecycleError. Its text has nothing of what the provider said, secret maybe.
        """
        provider = self.config.provider
        failures = [await self._failure_of(self._clear_provider_cache(), "its cache")]
        known = self._cache.known(provider)
        for secret_id in known:
            failure = await self._failure_of(self._renew(secret_id), f"the secret {secret_id!r:.80}")
            if failure:
                self._cache.extend(provider, secret_id)
            failures.append(failure)
        if failed := [failure for failure in failures if failure]:
            name = provider or "that is active"
            raise LifecycleError(
                f"requests to the secrets provider {name!r:.80} failed: {len(failed)}; "
                f"the last good values stay in force; the first is a {failed[0]}"
            )
        return len(known)

    def invalidate(self, keys: Collection[str] | None = None, provider: str | None = None) -> int:
        """Forget the values of *keys* (None: all) of *provider* (None: any); return how many there were."""
        return self._cache.invalidate(keys, provider)

    async def _renew(self, secret_id: str) -> None:
        instance = await self._instance()
        if instance is None:
            raise LifecycleError("no secrets provider is active")
        self._cache.set(self.config.provider, secret_id, await _settled(self._get_secret(instance)(secret_id)))

    async def _clear_provider_cache(self) -> None:
        instance = self.lifecycle.get_instance(self.config.domain, self.config.key)
        clear = next((found for name in _CLEARERS if callable(found := getattr(instance, name, None))), None)
        if clear is not None:
            await _settled(clear())

    @staticmethod
    async def _failure_of(work: Coroutine[Any, Any, None], subject: str) -> str:
        """Do *work*, and return what kind of error was raised, "" for none."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await work
        except Exception as error:  # noqa: BLE001 - one secret that cannot be had is no reason to leave the others
            return f"{type(error).__name__} for {subject}"
        return ""

    async def _instance(self) -> Any:
        config = self.config
        instance = self.lifecycle.get_instance(config.domain, config.key)
        if instance is None and config.provider is not None:
            instance = await self.lifecycle.activate(config.domain, config.key, provider=config.provider)
        return instance

    def _get_secret(self, instance: Any) -> Any:
        method = getattr(instance, "get_secret", None)
        if not callable(method):
            raise LifecycleError("Configured secrets adapter does not implement 'get_secret'")
        return method


async def _settled(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
