"""Rendering: one bounded line, whatever the values."""

from __future__ import annotations

import enum
import json
from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneiric.core.logging.render import (
    MAX_EVENT_CHARS,
    MAX_FIELDS,
    MAX_KEY_CHARS,
    MAX_LINE_BYTES,
    MAX_VALUE_CHARS,
    flatten,
    render_console,
    render_json,
)


class Hostile:
    """An object that cannot be printed."""

    def __str__(self) -> NoReturn:
        raise RuntimeError("no")


class Verbose:
    """An object whose text is far too long."""

    def __str__(self) -> str:
        return "very " * 1_000_000


class Disguised:
    """An object that refuses to tell its class."""

    @property  # type: ignore[misc] # hostile on purpose
    def __class__(self) -> Any:
        raise RuntimeError("no")

    def __hash__(self) -> int:
        return 1


class Word(str):
    """A string of an application's own."""

    __slots__ = ()

    def __str__(self) -> NoReturn:
        raise RuntimeError("no")


class Colour(enum.IntEnum):
    """A number of an application's own."""

    RED = 3


def recursive() -> list[object]:
    """Return a list that contains itself."""
    items: list[object] = [1]
    items.append(items)
    return items


text = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)
odd = st.sampled_from([Hostile(), Verbose(), Word("w"), Colour.RED, recursive(), object(), KeyError("k")])
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), text, st.binary(), st.dates(), odd)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner), st.tuples(inner), st.dictionaries(st.one_of(text, st.integers()), inner)),
    max_leaves=10,
)
keys = st.one_of(text, st.sampled_from(["event", "level", "logger", "timestamp", "error", "exception", "token"]))


@settings(deadline=None)
@given(st.dictionaries(st.one_of(keys, st.integers(), st.binary()), values, max_size=20))
def test_any_fields_make_one_ascii_line_of_scalars(fields: dict[Any, object]) -> None:
    """Whatever is logged, the line is one JSON object of scalars, ASCII, within its bound."""
    line = render_json(fields)
    parsed = json.loads(line, parse_constant=pytest.fail)
    assert (line.isascii(), line.isprintable(), len(line) < MAX_LINE_BYTES) == (True, True, True)
    assert [value for value in parsed.values() if isinstance(value, dict | list)] == []
    parsed_text = "".join([*parsed, *(value for value in parsed.values() if isinstance(value, str))])
    assert parsed_text.encode().decode() == parsed_text


@settings(deadline=None)
@given(st.dictionaries(keys, values, max_size=20))
def test_any_fields_can_be_shown_to_a_human(fields: dict[Any, object]) -> None:
    """Console lines hold no control character that could drive a terminal."""
    assert render_console(fields).replace("\n", "").isprintable()


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 60), st.characters(min_codepoint=0x1F300, max_codepoint=0x1F5FF))
def test_the_line_bound_holds_for_the_widest_characters(count: int, character: str) -> None:
    """A line of characters that take twelve bytes each loses fields, but never its event and level."""
    fields = {"event": character * 2_000, "level": "info", **{f"f{number}": character * 300 for number in range(count)}}
    line = render_json(fields)
    parsed = json.loads(line)
    assert len(line) < MAX_LINE_BYTES
    assert (parsed["event"], parsed["level"]) == (character * (MAX_EVENT_CHARS - 1) + "…", "info")
    assert parsed.get("truncated", False) == (len(parsed) < len(fields) + 1 and count > 1)


def rendered(value: object, key: str = "value") -> Any:
    """Return what a reader of the line sees of *value*."""
    return json.loads(render_json({key: value}))[key]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (2**63 - 1, 2**63 - 1),
        (2**63, "9223372036854775808"),
        (-(2**64), "-18446744073709551616"),
        (1 << 100_000, "<integer of 100001 bits>"),
        (1.5, 1.5),
        (float("nan"), None),
        (float("-inf"), None),
        (Colour.RED, 3),
        (Word("w"), "w"),
        ("a\nb\u2028c", "a\nb\u2028c"),
        ("lone \ud800 surrogate", "lone ? surrogate"),
        (b"ok\xff", "ok\\xff"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (PurePosixPath("a/b"), "a/b"),
        (ValueError("password=x"), "password=***"),
        (TimeoutError(), "TimeoutError"),
        ({"a": [1, (2.5, None)], 3: {"x"}}, '{"a":[1,[2.5,null]],"3":["x"]}'),
        ([[[[["deep"]]]]], '[[[["\\u2026"]]]]'),
        (Hostile(), "<unprintable Hostile: RuntimeError>"),
        (Disguised(), "<unprintable Disguised: RuntimeError>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_is_shown_as_a_scalar(value: object, shown: object) -> None:
    """Scalars stay what they are where every reader can take them; anything else becomes text."""
    assert rendered(value) == shown


@pytest.mark.parametrize(("length", "kept"), [(MAX_VALUE_CHARS, MAX_VALUE_CHARS), (MAX_VALUE_CHARS + 1, 2_047)])
def test_a_text_is_cut_at_its_bound(length: int, kept: int) -> None:
    """A text at the bound stays; one character more and it ends in an ellipsis."""
    assert rendered("a" * length).rstrip("…") == "a" * kept


@pytest.mark.parametrize(("key", "limit"), [("error", 512), ("logger", 128), ("event", 1_024), ("other", 2_048)])
def test_each_key_has_its_bound(key: str, limit: int) -> None:
    """An error is shorter than other texts."""
    assert len(rendered("a. " * 2_000, key)) == limit


def test_a_container_is_bounded_before_it_is_written_out() -> None:
    """A huge container costs its first entries only."""
    assert len(rendered([["x"] * 1_000_000] * 1_000)) <= MAX_VALUE_CHARS


def test_a_long_key_is_cut() -> None:
    """A key is bounded like a value."""
    assert list(json.loads(render_json({"k" * 1_000: 1}))) == ["k" * (MAX_KEY_CHARS - 1) + "…"]


@pytest.mark.parametrize(("count", "truncated"), [(MAX_FIELDS, None), (MAX_FIELDS + 1, True)])
def test_fields_over_their_number_are_left_out(count: int, truncated: bool | None) -> None:
    """Only so many fields are shown, and the line says if there were more."""
    flat = flatten({f"k{number}": 1 for number in range(count)})
    assert (flat.pop("truncated", None), len(flat)) == (truncated, MAX_FIELDS)


def test_too_long_a_line_loses_its_largest_field() -> None:
    """What makes a line too long goes, and the line says so."""
    fields: dict[str, object] = {"event": "e", "level": "info", "small": 1}
    large = {f"large{number}": "ä" * 1_500 for number in range(2)}
    assert json.loads(render_json({**large, **fields})) == {
        "event": "e",
        "level": "info",
        "small": 1,
        "large1": large["large1"],
        "truncated": True,
    }


@pytest.mark.parametrize(("more", "truncated"), [(0, None), (1, True)])
def test_a_line_may_fill_its_bound(more: int, truncated: bool | None) -> None:
    """A line that is, with its newline, as long as the bound stays whole; one byte more and a field goes."""
    fields = {f"f{number}": "x" * 2_000 for number in range(8)}
    room = MAX_LINE_BYTES - len(render_json({**fields, "last": ""})) - 1
    line = render_json({**fields, "last": "x" * (room + more)})
    parsed = json.loads(line)
    assert (len(line) == MAX_LINE_BYTES - 1, parsed.get("truncated")) == (not more, truncated)


def test_the_event_stands_first() -> None:
    """A human who reads raw lines sees first what happened."""
    assert list(json.loads(render_json({"a": 1, "level": "info", "event": "e"}))) == ["event", "level", "a"]


@pytest.mark.parametrize(
    "key", ["token", "X-Api-Key", "db_password", "passwd", "client_secret", "Authorization", "private.key", "cookie"]
)
def test_a_secret_is_masked_by_its_key(key: str) -> None:
    """Whatever stands under a key that looks secret is not shown, in a container either."""
    assert rendered("hunter2", key) == "***"
    assert "hunter2" not in rendered({"nested": [{key: "hunter2"}]})


@pytest.mark.parametrize("value", [None, True, False])
def test_whether_there_is_a_secret_may_be_seen(value: bool | None) -> None:
    """No value, yes and no are no secrets."""
    assert rendered(value, "token") is value


@pytest.mark.parametrize("key", ["key", "key_id", "domain", "provider"])
def test_the_fields_of_the_runtime_are_not_taken_for_secrets(key: str) -> None:
    """A component's key is its name."""
    assert rendered("cache", key) == "cache"


@pytest.mark.parametrize("key", ["event", "url", "error"])
def test_urls_are_cut_to_scheme_and_host(key: str) -> None:
    """Credentials, paths and queries of URLs stay out of the log."""
    assert rendered("see https://user:pw@example.org/p?q=1", key) == "see https://example.org/…"


@pytest.mark.parametrize("key", ["error", "exception"])
def test_texts_of_errors_are_redacted(key: str) -> None:
    """What looks like a credential in an error is masked."""
    assert rendered("failed: password=hunter2", key) == "failed: password=***"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("boom token=hunter2", "boom token=***"),
        ("Authorization:hunter2", "Authorization:***"),
        (Word("password=hunter2"), "password=***"),
        ("x " * 505 + "password=hunter2", "x " * 505 + "password=***"),
        ("cache-warmed", "cache-warmed"),
        ("the cache is warm", "the cache is warm"),
    ],
)
def test_a_sentence_of_an_application_is_redacted(said: str, shown: str) -> None:
    """What an application says in its own words shows no credential, not even one that the bound tears."""
    assert rendered(said, "event") == shown


def test_a_console_line_reads_well() -> None:
    """The instant, the level and the event come first, then the fields, then the traceback."""
    fields = {
        "event": "started",
        "a": 1,
        "b": "two words",
        "c": None,
        "oneiric.key": "k",
        "service.name": "s",
        "level": "info",
        "timestamp": "T",
        "exception": "Traceback\n  E: \x1b[31m",
    }
    assert render_console(fields) == (
        'T info     started  a=1  b="two words"  c=None\n    Traceback\n      E: \\u001b[31m'
    )


def test_a_url_torn_by_the_bound_shows_no_credential() -> None:
    """A value is redacted before it is cut, so that a URL at its end does not show what stood before its host."""
    line = render_json({"event": "e", "note": "x" * 2025 + " https://user:hunter2secret@example.org"})
    assert "hunter2" not in line
