"""Metadata of components: what is kept, and how it is registered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from oneiric.actions import ActionMetadata, register_action_metadata
from oneiric.adapters import AdapterMetadata, register_adapter_metadata
from oneiric.core.metadata import build_metadata, register_metadata, settings_model_path
from oneiric.core.resolution import CandidateSource, Resolver

if TYPE_CHECKING:
    from oneiric.core.observers import Observers


class CacheSettings(BaseModel):
    """Settings of an adapter."""


class Lines:
    """A logger that remembers."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, /, **fields: Any) -> None:
        """Remember."""
        self.lines.append((event, fields))


ADAPTER = AdapterMetadata(
    category="cache", provider="redis", factory=dict, capabilities=["kv"], settings_model=CacheSettings, extras={"a": 1}
)
ACTION = ActionMetadata(key="hash", provider="builtin", factory=dict, domains=["task"], side_effect_free=True)


@pytest.mark.parametrize(
    ("model", "path"),
    [(CacheSettings, f"{CacheSettings.__module__}.CacheSettings"), ("a.B", "a.B"), (None, None)],
)
def test_the_place_of_a_settings_model(model: type | str | None, path: str | None) -> None:
    """A class is named by its module and name; a string stays."""
    assert settings_model_path(model) == path


def test_what_says_nothing_is_left_out() -> None:
    """None, empty lists and empty mappings go, False, 0 and "" stay; extras win."""
    base: dict[str, Any] = {"a": None, "b": [], "c": {}, "d": False, "e": 0, "f": "", "g": 1}
    assert build_metadata(base, {"g": 2, "h": None}) == {"d": False, "e": 0, "f": "", "g": 2}


def test_an_adapter_becomes_a_candidate() -> None:
    """The category is the key; what is known beside is in the metadata, without what says nothing."""
    candidate = ADAPTER.to_candidate()
    assert (candidate.domain, candidate.key, candidate.provider, candidate.factory, candidate.source) == (
        "adapter",
        "cache",
        "redis",
        dict,
        CandidateSource.LOCAL_PKG,
    )
    assert candidate.metadata == {
        "capabilities": ["kv"],
        "requires_secrets": False,
        "settings_model": f"{CacheSettings.__module__}.CacheSettings",
        "a": 1,
    }


def test_an_action_becomes_a_candidate() -> None:
    """An action is a candidate of the action domain."""
    candidate = ACTION.to_candidate()
    assert (candidate.domain, candidate.key, candidate.metadata) == (
        "action",
        "hash",
        {"domains": ["task"], "requires_secrets": False, "side_effect_free": True},
    )


def test_what_a_package_offers_is_registered(observers: Observers) -> None:
    """Adapters and actions of a package can be resolved, with the priority of the package."""
    resolver = Resolver(observers=observers)
    register_adapter_metadata(resolver, "shop", "/srv/shop/adapters", [ADAPTER])
    register_action_metadata(resolver, "shop", "/srv/shop", [ACTION], priority=7)
    cache, hashing = resolver.resolve("adapter", "cache"), resolver.resolve("action", "hash")
    assert cache is not None
    assert hashing is not None
    assert (cache.priority, cache.metadata["package"], hashing.priority) == (76, "shop", 7)


def test_a_registration_is_logged_where_asked_for(observers: Observers) -> None:
    """A logger that is given gets one line with the package and how many it offers."""
    logger = Lines()
    items = [ADAPTER, ADAPTER]
    register_metadata(Resolver(observers=observers), "shop", ".", items, logger=logger, log_key="registered")
    assert logger.lines == [("registered", {"package": "shop", "count": 2})]
