"""What a large value costs whoever logs it: little memory, as it is bounded before it is copied."""

from __future__ import annotations

import array
import contextlib
import io
import json
import logging
import tracemalloc
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from oneiric.core.logging import LoggingConfig, configure_logging, get_logger, scoped_log_context
from oneiric.core.logging.fast_path import latest
from oneiric.core.redaction import describe
from oneiric.core.sizes import is_large

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZE = 10_000_000
MOST = 1_000_000
"""Bytes that logging may take at a time."""

TEXT = "x" * SIZE
WORDS = "ab " * (SIZE // 3)
BYTES = bytes(SIZE)
LIST = [1.5] * (SIZE // 8)


@dataclass
class Order:
    """Stand for an application's data."""

    lines: object


class Text(str):
    """Stand for an application's text."""

    __slots__ = ()


def raised(error: Exception) -> Exception:
    """Return *error* with a cause that is as large."""
    error.__cause__ = ValueError(TEXT)
    return error


def noted() -> Exception:
    """Return an error with a large note."""
    error = ValueError("x")
    error.add_note(TEXT)
    return error


VALUES = {
    "text": TEXT,
    "words": WORDS,
    "subclass": Text(TEXT),
    "bytes": BYTES,
    "bytearray": bytearray(SIZE),
    "list": LIST,
    "nested": {"a": [{"b": TEXT}], "c": LIST},
    "deque": deque(LIST),
    "array": array.array("b", BYTES),
    "view": dict.fromkeys(range(100_000)).keys(),
    "dataclass": Order(TEXT),
    "integer": 1 << SIZE,
    "error": ValueError(TEXT),
    "error with two arguments": ValueError(TEXT, 1),
    "key error": KeyError(TEXT),
}


class Lines(io.StringIO):
    """Standard error in memory."""

    def configure(self, config: LoggingConfig | None = None) -> None:
        """Let lines go here, and to no handler of the test runner, which keeps records."""
        with contextlib.redirect_stderr(self):
            configure_logging(config)

    def last(self) -> dict[str, Any]:
        """Return the last line."""
        line: dict[str, Any] = json.loads(self.getvalue().splitlines()[-1])
        return line

    def peak(self, log: Callable[[], object]) -> int:
        """Return how many bytes *log* takes at most, once everything it needs is imported."""
        get_logger("a").info("warm", n=1, exc_info=ValueError("x"), other=deque([1]))
        tracemalloc.start()
        try:
            log()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The lines; whatever a test configures is put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield Lines()
    configure_logging(suppress_events=True)
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize(
    "log",
    [
        lambda value: get_logger("a").info("x", field=value),
        lambda value: get_logger("a").info("x", error=value, exception=value),
        lambda value: get_logger("a").info(value),
        lambda value: get_logger("a").info("x %s", value),
        lambda value: structlog.get_logger("a").info("x", field=value),
        lambda value: logging.getLogger("a").info("x %s %r", value, 1),
        lambda value: logging.getLogger("a").info("x %(a)s", {"a": value}),
        lambda value: logging.getLogger("a").info("x", extra={"field": value}),
        lambda value: logging.getLogger("a").info(value),
    ],
    ids=["field", "error", "event", "argument", "structlog", "%", "%()", "extra", "message"],
)
def test_a_large_value_is_not_copied(lines: Lines, log: Callable[[Any], object], value: object) -> None:
    """Wherever it stands in a line, making the line takes little memory, and the line says something of it."""
    lines.configure()
    taken = lines.peak(lambda: log(value))
    assert (taken < MOST, lines.last()["logger"]) == (True, "a")


def test_a_large_value_of_the_context_is_not_copied(lines: Lines) -> None:
    """What is bound to the context is bounded too."""
    lines.configure()
    with scoped_log_context(field=TEXT):
        assert lines.peak(lambda: get_logger("a").info("x")) < MOST


@pytest.mark.parametrize(
    "error",
    [raised(KeyError(TEXT, 2)), raised(ValueError("short")), noted(), ExceptionGroup("g", [ValueError(TEXT)] * 9)],
    ids=["large", "cause", "note", "group"],
)
def test_the_text_of_a_large_error_is_not_copied(lines: Lines, error: Exception) -> None:
    """A traceback shows where the error was raised, and the beginning of what it says."""
    lines.configure()
    assert lines.peak(lambda: get_logger("a").error("x", exc_info=error)) < MOST
    assert type(error).__name__ in lines.last()["exception"]


def test_a_console_line_is_bounded_too(lines: Lines) -> None:
    """Lines for a human to read cost no more."""
    lines.configure(LoggingConfig(emit_json=False))
    assert lines.peak(lambda: get_logger("a").info("x", field=TEXT)) < MOST


def test_a_long_name_is_not_kept(lines: Lines) -> None:
    """A field's name of many characters is not remembered after its line."""
    lines.configure()
    ready = latest.fast_path
    assert ready is not None
    get_logger("a").info("x", **{TEXT: 1})
    assert (TEXT,) not in ready._shapes


def test_small_values_are_shown_as_before(lines: Lines) -> None:
    """Only what is large is shown in another way than by its own text."""
    lines.configure()
    logging.getLogger("a").info("%s %r %d %s", [1, "a"], {"b": 2}, 3, Order(1))
    assert lines.last()["event"] == "[1, 'a'] {'b': 2} 3 Order(lines=1)"


@pytest.mark.parametrize("error", [ValueError(1, "a"), KeyError("a"), OSError(2, "no"), ValueError("x" * 600)])
def test_a_small_error_says_what_it_says(error: Exception) -> None:
    """The text of an ordinary error is its own, cut."""
    text = str(error)
    assert describe(error) == (type(error).__name__, text if len(text) <= 512 else text[:511] + "…")


def test_an_endless_structure_is_large() -> None:
    """A list that holds itself is looked at for a bounded time."""
    endless: list[object] = []
    endless += [endless, endless]
    assert is_large(endless)
