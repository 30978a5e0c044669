"""Look up secrets: in the settings, then through the configured adapter."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from oneiric.core.config.secrets_cache import SecretValueCache
from oneiric.core.errors import LifecycleError

if TYPE_CHECKING:
    from collections.abc import Collection

    from oneiric.core.config.remote import SecretsConfig
    from oneiric.core.lifecycle import LifecycleManager

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
        instance = self.lifecycle.get_instance(self.config.domain, self.config.key)
        if include_provider_cache and instance is not None:
            clear = next((found for name in _CLEARERS if callable(found := getattr(instance, name, None))), None)
            if clear is not None:
                await _settled(clear())
        return removed

    def invalidate(self, keys: Collection[str] | None = None, provider: str | None = None) -> int:
        """Forget the values of *keys* (None: all) of *provider* (None: any); return how many there were."""
        return self._cache.invalidate(keys, provider)

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
