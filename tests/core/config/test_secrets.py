"""Secrets: the inline map, the adapter, and what is kept of its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oneiric.core.config import SecretsConfig, SecretsHook
from oneiric.core.config.secrets_cache import SecretValueCache
from oneiric.core.lifecycle import LifecycleError, LifecycleManager
from oneiric.core.resolution import Candidate, Resolver

if TYPE_CHECKING:
    from support import Clock


class Vault:
    """Knows one secret and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.cleared = 0
        self.value = "from the vault"
        self.sealed = False

    async def get_secret(self, secret_id: str) -> str | None:
        """Return the secret."""
        self.asked += 1
        if self.sealed:
            raise PermissionError(f"{self.value} is sealed")
        return self.value if secret_id == "db" else None

    def clear_cache(self) -> None:
        """Count."""
        self.cleared += 1


class SyncVault:
    """Answers without waiting."""

    def get_secret(self, secret_id: str) -> str:
        """Return the secret."""
        return f"sync {secret_id}"


@pytest.fixture
def lifecycle() -> LifecycleManager:
    """A lifecycle with three secrets providers, one of which is none."""
    resolver = Resolver()
    for provider, factory in {"vault": Vault, "sync": SyncVault, "wrong": object}.items():
        resolver.register(Candidate(domain="adapter", key="secrets", provider=provider, factory=factory))
    return LifecycleManager(resolver)


def config(provider: str | None = "vault", **fields: object) -> SecretsConfig:
    """Return a configuration with one inline secret."""
    return SecretsConfig.model_validate({"provider": provider, "inline": {"a": "inline"}, **fields})


async def test_the_inline_map_comes_first(lifecycle: LifecycleManager) -> None:
    """A secret in the settings is answered without any provider."""
    assert await SecretsHook(lifecycle, config()).get("a") == "inline"
    assert lifecycle.get_instance("adapter", "secrets") is None


@pytest.mark.parametrize(("provider", "value"), [("vault", "from the vault"), ("sync", "sync db"), (None, None)])
async def test_the_provider_is_activated_and_asked(
    lifecycle: LifecycleManager, provider: str | None, value: str | None
) -> None:
    """Synchronous and asynchronous providers answer; without one there is no secret."""
    assert await SecretsHook(lifecycle, config(provider)).get("db") == value


async def test_answers_are_kept_also_that_there_is_none(lifecycle: LifecycleManager) -> None:
    """The provider is asked once for each secret."""
    hook = SecretsHook(lifecycle, config())
    answers = [await hook.get(secret_id) for secret_id in ("db", "db", "none", "none")]
    assert (answers, lifecycle.get_instance("adapter", "secrets").asked) == (["from the vault"] * 2 + [None] * 2, 2)


async def test_nothing_is_kept_for_no_time(lifecycle: LifecycleManager) -> None:
    """With a time of 0 the provider is asked every time."""
    hook = SecretsHook(lifecycle, config(cache_ttl_seconds=0))
    await hook.get("db")
    await hook.get("db")
    assert lifecycle.get_instance("adapter", "secrets").asked == 2


async def test_a_provider_of_another_kind_is_an_error(lifecycle: LifecycleManager) -> None:
    """A provider that cannot tell secrets is found by the prefetch already."""
    hook = SecretsHook(lifecycle, config("wrong"))
    for ask in (hook.get("db"), hook.prefetch()):
        with pytest.raises(LifecycleError, match="Configured secrets adapter does not implement 'get_secret'"):
            await ask
    assert not hook.prefetched


@pytest.mark.parametrize(("provider", "ready"), [("vault", True), (None, False)])
async def test_prefetching_makes_the_provider_ready(
    lifecycle: LifecycleManager, provider: str | None, ready: bool
) -> None:
    """After prefetching, the provider serves; without one there is nothing to make ready."""
    hook = SecretsHook(lifecycle, config(provider))
    assert (await hook.prefetch(), hook.prefetched) == (ready, ready)


@pytest.mark.parametrize(("include", "cleared"), [(True, 1), (False, 0)])
async def test_rotating_forgets_here_and_in_the_provider(
    lifecycle: LifecycleManager, include: bool, cleared: int
) -> None:
    """After a rotation the provider is asked again, its own cache cleared unless not wanted."""
    hook = SecretsHook(lifecycle, config())
    await hook.get("db")
    removed = await hook.rotate(["db", "other"], include_provider_cache=include)
    await hook.get("db")
    vault = lifecycle.get_instance("adapter", "secrets")
    assert (removed, vault.asked, vault.cleared) == (1, 2, cleared)


async def test_a_refresh_asks_again_for_what_is_kept(lifecycle: LifecycleManager) -> None:
    """Every secret that is kept is renewed, past the provider's own cache, and not looked up again after that."""
    hook = SecretsHook(lifecycle, config())
    await hook.get("db")
    await hook.get("none")
    vault = lifecycle.get_instance("adapter", "secrets")
    vault.value = "renewed"
    renewed = await hook.refresh()
    assert (renewed, await hook.get("db"), await hook.get("none")) == (2, "renewed", None)
    assert (vault.asked, vault.cleared) == (4, 1)


async def test_a_refresh_that_fails_keeps_the_last_good_value(lifecycle: LifecycleManager, clock: Clock) -> None:
    """The value stays for as long as a new one would, and the error quotes nothing that the provider said."""
    hook = SecretsHook(lifecycle, config())
    hook._cache = SecretValueCache(10, clock=clock)
    await hook.get("db")
    vault = lifecycle.get_instance("adapter", "secrets")
    vault.sealed = True
    clock.advance(11)
    with pytest.raises(LifecycleError, match=r"the last good values stay in force; .* PermissionError") as error:
        await hook.refresh()
    clock.advance(9)
    assert await hook.get("db") == "from the vault"
    assert "from the vault" not in str(error.value)


async def test_nothing_kept_is_nothing_to_refresh(lifecycle: LifecycleManager) -> None:
    """Without a secret that is kept no provider is activated or asked."""
    assert await SecretsHook(lifecycle, config()).refresh() == 0
    assert lifecycle.get_instance("adapter", "secrets") is None


def test_a_value_is_forgotten_when_its_time_is_over(clock: Clock) -> None:
    """Up to its time a value is known, at its end no longer."""
    cache = SecretValueCache(10, clock=clock)
    cache.set("p", "id", None)
    clock.advance(9.9)
    before = cache.get("p", "id")
    clock.advance(0.1)
    assert (before, cache.get("p", "id")) == ((True, None), (False, None))


def test_only_what_is_named_is_forgotten(clock: Clock) -> None:
    """Ids and provider narrow down what is forgotten."""
    cache = SecretValueCache(10, clock=clock)
    for provider in ("p", "q"):
        for secret_id in ("a", "b"):
            cache.set(provider, secret_id, "value")
    assert (cache.invalidate(["a"], "p"), cache.invalidate(["a"]), cache.invalidate(), cache.get("q", "b")) == (
        1,
        1,
        2,
        (False, None),
    )


@pytest.mark.parametrize("ttl", [-1, float("nan")])
def test_a_negative_time_is_refused(ttl: float) -> None:
    """A time to keep is not negative."""
    with pytest.raises(ValueError, match="ttl must be 0 seconds or more"):
        SecretValueCache(ttl)
