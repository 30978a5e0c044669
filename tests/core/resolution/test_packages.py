"""Candidates of a package, and the priority of a package."""

from __future__ import annotations

from pathlib import Path

import pytest
from offers import offer, winner_of

from oneiric.core.resolution import (
    PATH_PRIORITY_HINTS,
    STACK_ORDER_ENV,
    CandidateRegistry,
    Resolver,
    infer_priority,
    register_pkg,
)


@pytest.fixture(autouse=True)
def _no_stack_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STACK_ORDER_ENV, raising=False)


def registered(resolver: Resolver) -> list[tuple[str | None, int | None]]:
    """Return provider and priority of the candidates of the key cache, in the order of registration."""
    ranks = resolver.explain("adapter", "cache").ordered
    candidates = sorted((rank.candidate for rank in ranks), key=lambda candidate: candidate.registry_sequence or 0)
    return [(candidate.provider, candidate.priority) for candidate in candidates]


@pytest.mark.parametrize(
    ("path", "priority"),
    [
        ("adapters", 79),
        ("/srv/app/adapters", 76),
        ("app/services/x", 67),
        ("a/tasks", 58),
        ("a/events", 58),
        ("a/workflows", 58),
        ("vendor/lib", 88),
        ("vendor/adapters", 78),
        ("/".join(["adapters", *"abcdefghijklmnop"]), 70),
        ("my_adapters/x", 0),
        ("Adapters", 0),
        ("", 0),
    ],
)
def test_path_gives_its_hint_less_its_depth(path: str, priority: int) -> None:
    """The first hint whose segment is in the path counts, less the number of parts, at most 10."""
    assert (infer_priority("app", path), infer_priority("app", Path(path))) == (priority, priority)


@pytest.mark.parametrize(
    ("package", "path", "priority"), [(None, None, 0), ("app", None, 0), (None, "adapters", 79), ("first", None, 7)]
)
def test_what_is_not_known_of_a_package_gives_no_priority(
    monkeypatch: pytest.MonkeyPatch, package: str | None, path: str | None, priority: int
) -> None:
    """A missing name or path is no error: the other one decides, and without both the priority is 0."""
    monkeypatch.setenv(STACK_ORDER_ENV, "first:7")
    assert infer_priority(package, path) == priority


def test_hints_are_the_published_ones() -> None:
    """Their order decides which of two segments counts."""
    assert PATH_PRIORITY_HINTS == [
        ("adapters", 80), ("services", 70), ("tasks", 60), ("events", 60), ("workflows", 60), ("vendor", 90),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("order", "priorities"),
    [
        ("first,second,third", [0, 10, 20]),
        (" first : 5 , second:-7,third", [5, -7, 20]),
        (",,first,, second,", [0, 10, None]),
        ("", [None, None, None]),
    ],
)
def test_stack_order_comes_before_the_path(
    monkeypatch: pytest.MonkeyPatch, order: str, priorities: list[int | None]
) -> None:
    """A package in the stack order has its number, a bare name ten times its place; others go by their path."""
    monkeypatch.setenv(STACK_ORDER_ENV, order)
    by_path = infer_priority("other", "adapters")
    expected = [by_path if priority is None else priority for priority in priorities]
    assert [infer_priority(name, "adapters") for name in ("first", "second", "third")] == expected


@pytest.mark.parametrize("item", ["app:high", "app:", ":5", "app:1:2", "app:1.5", "app:" + "9" * 5000])
def test_malformed_stack_order_is_reported_at_the_start(monkeypatch: pytest.MonkeyPatch, item: str) -> None:
    """A resolver cannot be made with it; the error names the variable, the item and what is right, and is short."""
    monkeypatch.setenv(STACK_ORDER_ENV, f"fine:1, {item}")
    with pytest.raises(
        ValueError, match=r"^ONEIRIC_STACK_ORDER: '.*' is neither 'package' nor 'package:integer'$"
    ) as caught:
        Resolver()
    assert len(str(caught.value)) < 120


def test_own_priority_comes_before_the_one_of_the_package() -> None:
    """A candidate keeps its priority, 0 included; the others get the argument."""
    resolver = Resolver()
    resolver.register_from_pkg(
        "app", "adapters", [offer("a", priority=0), offer("b"), offer("c", priority=5)], priority=3
    )
    assert registered(resolver) == [("a", 0), ("b", 3), ("c", 5)]


def test_priority_of_zero_for_the_package_is_one() -> None:
    """0 is not the same as none."""
    resolver = Resolver()
    resolver.register_from_pkg("app", "adapters", [offer("a")], priority=0)
    assert registered(resolver) == [("a", 0)]


def test_priority_of_the_package_is_inferred() -> None:
    """Without an argument the package's own priority counts."""
    resolver = Resolver()
    resolver.register_from_pkg("app", Path("app/adapters"), [offer("a")])
    assert registered(resolver) == [("a", 78)]


def test_metadata_tell_the_package_and_its_path() -> None:
    """They are added where the candidate does not say so itself; the caller's candidate stays as it is."""
    candidate = offer(metadata={"path": "own"})
    resolver = Resolver()
    resolver.register_from_pkg("app", Path("app/adapters"), [candidate])
    found = resolver.resolve("adapter", "cache")
    assert found is not None
    assert found.metadata == {"package": "app", "path": "own"}
    assert (candidate.metadata, candidate.priority) == ({"path": "own"}, None)


def test_packages_compete_by_the_stack_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package later in the stack order wins, though registered first."""
    monkeypatch.setenv(STACK_ORDER_ENV, "base,override")
    resolver = Resolver()
    resolver.register_from_pkg("override", "adapters", [offer("override")])
    resolver.register_from_pkg("base", "adapters", [offer("base")])
    assert winner_of(resolver) == "override"


def test_register_pkg_takes_a_bare_registry() -> None:
    """The function does for a registry what the method does for a resolver."""
    registry = CandidateRegistry()
    register_pkg(registry, "app", "adapters", [offer("a")])
    assert [candidate.priority for candidate in registry.list_active("adapter")] == [79]
