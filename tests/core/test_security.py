"""What may be imported and registered, and comparisons that leak no time."""

from __future__ import annotations

import pkgutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oneiric
from oneiric.core.security import (
    BLOCKED_MODULES,
    DEFAULT_ALLOWED_PREFIXES,
    FACTORY_ALLOWLIST_ENV,
    MAX_FACTORY_CHARS,
    constant_time_bytes_compare,
    constant_time_compare,
    load_factory_allowlist,
    timing_safe_compare,
    validate_factory_string,
    validate_key_format,
    validate_priority_bounds,
    validate_stack_level_bounds,
)


@pytest.fixture(autouse=True)
def _no_allowlist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FACTORY_ALLOWLIST_ENV, raising=False)


def error_of(validation: tuple[bool, str | None]) -> str:
    """Return why something is refused."""
    ok, error = validation
    assert not ok
    assert error is not None
    return error


@pytest.mark.parametrize("factory", ["oneiric.demo:DemoAdapter", "oneiric:DemoAdapter", "oneiric._a.b2:_make"])
def test_own_factory_is_allowed_by_default(factory: str) -> None:
    """Whatever lies in the package may be a factory while nothing else is said."""
    assert validate_factory_string(factory) == (True, None)


@pytest.mark.parametrize(
    "factory",
    ["", "oneiric", "oneiric.a", ":a", "oneiric:", "oneiric.a:b.c", "oneiric.a:b:c", "oneiric..a:b", "oneiric.a.:b",
     ".oneiric:b", "oneiric.a-b:c", "oneiric.1a:c", "oneiric.a:b()", "oneiric.a:b\n", " oneiric.a:b",
     "oneiric.\uff41:b", None, 5, b"oneiric.a:b"],
)  # fmt: skip
def test_malformed_factory_is_refused(factory: object) -> None:
    """A factory is identifiers with dots, a colon and one identifier, and nothing around them."""
    assert error_of(validate_factory_string(factory)).startswith("Invalid factory format:")


def test_longest_factory_is_512_characters() -> None:
    """512 characters are allowed, one more is malformed, and the message stays short."""
    longest = "oneiric.a:" + "b" * (MAX_FACTORY_CHARS - 10)
    assert validate_factory_string(longest) == (True, None)
    assert len(error_of(validate_factory_string(longest + "b"))) < 200


@pytest.mark.parametrize("module", sorted(BLOCKED_MODULES))
@pytest.mark.parametrize("suffix", ["", ".path"])
def test_blocked_module_is_refused_even_if_allowlisted(module: str, suffix: str) -> None:
    """No allowlist lets in what could run anything, nor what lies below it."""
    assert "is blocked for security reasons" in error_of(validate_factory_string(f"{module}{suffix}:run", [module]))


@pytest.mark.parametrize(
    "factory",
    ["oneiric.cli.commands:main", "oneiric.__main__:main", "oneiric.core.logging:configure_logging",
     "oneiric.observability:attach", "oneiric.runtime.orchestrator:run", "oneiric.monitoring.rules:write"],
)  # fmt: skip
def test_what_is_internal_is_blocked(factory: str) -> None:
    """A manifest cannot run the command line nor anything else of the package that makes no provider."""
    assert "is blocked for security reasons" in error_of(validate_factory_string(factory))


@pytest.mark.parametrize(
    "factory",
    ["oneiric.demo:DemoAdapter", "oneiric.remote.samples:a", "oneiric.adapters.redis:make", "oneiric.actions.a:b",
     "oneiric.domains.a:b"],
)  # fmt: skip
def test_what_makes_providers_is_not_blocked(factory: str) -> None:
    """The modules of the package in which factories live are open to manifests."""
    assert validate_factory_string(factory) == (True, None)


@pytest.mark.parametrize("factory", ["osprey.nest:egg", "oneiric_cli.app:main", "oneiric.client:make"])
def test_module_that_only_begins_like_a_blocked_one_is_not_blocked(factory: str) -> None:
    """Modules are compared by their parts, not by their letters."""
    assert validate_factory_string(factory, ["osprey.", "oneiric_cli.", "oneiric."]) == (True, None)


def test_empty_allowlist_allows_nothing() -> None:
    """An empty allowlist is said to be empty."""
    assert "not in allowlist (allowlist is empty)" in error_of(validate_factory_string("oneiric.demo:A", []))


def test_factory_outside_the_allowlist_is_refused() -> None:
    """The error tells what is allowed."""
    error = error_of(validate_factory_string("evil.mod:run", ["oneiric.", "mine."]))
    assert error == "Factory 'evil.mod:run' not in allowlist. Allowed prefixes: oneiric., mine."


@pytest.mark.parametrize("prefix", ["mine", "mine."])
def test_prefix_ends_at_a_dot(prefix: str) -> None:
    """A prefix allows the package and what is in it, not a package whose name goes on."""
    allowed = [validate_factory_string(factory, [prefix])[0] for factory in ("mine:a", "mine.b:a", "minefield:a")]
    assert allowed == [True, True, False]


def test_environment_lets_factories_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an explicit allowlist, that of the environment counts, and it replaces the default."""
    monkeypatch.setenv(FACTORY_ALLOWLIST_ENV, "mine")
    allowed = [validate_factory_string(factory)[0] for factory in ("mine.b:a", "oneiric.demo:A")]
    assert allowed == [True, False]


@pytest.mark.parametrize(
    ("value", "allowlist"),
    [("a, b.c. ,,d", ["a.", "b.c.", "d."]), ("", []), (" , ", [])],
)
def test_allowlist_is_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, value: str, allowlist: list[str]
) -> None:
    """Items are stripped and end in a dot; a variable without items allows nothing."""
    monkeypatch.setenv(FACTORY_ALLOWLIST_ENV, value)
    assert load_factory_allowlist() == allowlist


def test_default_allowlist_is_a_copy() -> None:
    """Changing what was loaded does not change the default."""
    load_factory_allowlist().append("evil.")
    assert load_factory_allowlist() == ["oneiric."] == DEFAULT_ALLOWED_PREFIXES


@pytest.mark.parametrize("key", ["a", "Cache-1", "demo.event", "a_b", "."])
def test_key_of_allowed_characters_passes(key: str) -> None:
    """Letters, digits, "-", "_" and "." make a key."""
    assert validate_key_format(key) == (True, None)


def test_empty_key_is_refused() -> None:
    """There is no key without characters."""
    assert validate_key_format("") == (False, "Key cannot be empty")


@pytest.mark.parametrize("key", ["..", "a/../b", "/etc", "a\\b", "a..b"])
def test_key_that_walks_a_path_is_refused(key: str) -> None:
    """Parent directories, absolute paths and backslashes are told apart from other bad characters."""
    assert error_of(validate_key_format(key)).startswith("Key contains path traversal: ")


@pytest.mark.parametrize("key", ["a b", "a/b", "a\n", "é", "a:b"])
def test_key_of_other_characters_is_refused(key: str) -> None:
    """The error tells which characters a key is made of."""
    expected = "Key contains invalid characters (must be letters, digits, '-', '_', '.'): "
    assert error_of(validate_key_format(key)).startswith(expected)


def test_key_without_dots_can_be_demanded() -> None:
    """With allow_dots off, a dot is an invalid character."""
    expected = "Key contains invalid characters (must be letters, digits, '-', '_'): 'a.b'"
    assert validate_key_format("a.b", False) == (False, expected)


def test_key_of_another_type_is_refused() -> None:
    """What is no string is refused, not raised for."""
    expected = "Key contains invalid characters (must be a string, got int)"
    assert validate_key_format(5) == (False, expected)


@pytest.mark.parametrize(("value", "ok"), [(-1001, False), (-1000, True), (0, True), (1000, True), (1001, False)])
def test_priority_is_bounded(value: int, ok: bool) -> None:
    """Priorities from -1000 to 1000 pass."""
    assert validate_priority_bounds(value)[0] == ok


@pytest.mark.parametrize(("value", "ok"), [(-101, False), (-100, True), (100, True), (101, False)])
def test_stack_level_is_bounded(value: int, ok: bool) -> None:
    """Stack levels from -100 to 100 pass."""
    assert validate_stack_level_bounds(value)[0] == ok


def test_number_out_of_bounds_is_shown_with_them() -> None:
    """The error tells what, the value and what is allowed."""
    assert error_of(validate_priority_bounds(1001)) == "Priority 1001 out of bounds (must be from -1000 to 1000)"


def test_number_too_large_to_print_is_refused_too() -> None:
    """An integer that cannot be written in digits is refused, not raised for."""
    expected = "Priority of 16610 bits out of bounds (must be from -1000 to 1000)"
    assert error_of(validate_priority_bounds(10**5000)) == expected


@pytest.mark.parametrize(("value", "name"), [("5", "str"), (5.0, "float"), (None, "NoneType"), (True, "bool")])
def test_number_of_another_type_is_refused(value: object, name: str) -> None:
    """Only integers pass, and a bool is none."""
    assert error_of(validate_stack_level_bounds(value)) == f"Stack level must be integer, got {name}"


@given(st.text(st.characters()), st.text(st.characters()))
def test_strings_compare_as_usual(first: str, second: str) -> None:
    """The comparison answers what == answers, for any characters."""
    assert (constant_time_compare(first, second), timing_safe_compare(first, first)) == (first == second, True)


@given(st.binary(max_size=4), st.binary(max_size=4))
def test_bytes_compare_as_usual(first: bytes, second: bytes) -> None:
    """The comparison answers what == answers, for any bytes."""
    assert (constant_time_bytes_compare(first, second), timing_safe_compare(first, first)) == (first == second, True)


@pytest.mark.parametrize("compare", [constant_time_compare, constant_time_bytes_compare, timing_safe_compare])
@pytest.mark.parametrize(("first", "second"), [("a", b"a"), (b"a", "a"), (None, None), (1, 1), ("a", None)])
def test_comparison_of_other_types_raises(compare: object, first: object, second: object) -> None:
    """A mix of types, or another type, is a TypeError, never False."""
    with pytest.raises(TypeError, match=r"expected two"):
        compare(first, second)  # type: ignore[operator]


def test_every_package_is_open_to_manifests_or_blocked() -> None:
    """A package that comes anew is decided about: a manifest may name what is in it, or may not."""
    open_to_manifests = {"_version", "actions", "adapters", "demo", "domains", "remote", "testing"}
    packages = {module.name for module in pkgutil.iter_modules(oneiric.__path__)}
    blocked = {name.removeprefix("oneiric.") for name in BLOCKED_MODULES if name.startswith("oneiric.")}
    assert packages | {"__main__"} == open_to_manifests | blocked
