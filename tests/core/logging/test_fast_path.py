"""The fast way to make a line: it says the same as the ordinary way, and is taken only where nobody would notice."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider

from oneiric.core.logging import (
    EventFields,
    EventLine,
    LoggingConfig,
    LoggingHandle,
    LoggingSinkConfig,
    bind_log_context,
    clear_log_context,
    configure_logging,
    get_logger,
    scoped_log_context,
)
from oneiric.core.logging import fast_path as fast_paths
from oneiric.core.logging.fast_path import latest
from oneiric.core.logging.render import MAX_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Stream(io.StringIO):
    """Standard error in memory."""

    def configure(self, config: LoggingConfig | None = None) -> LoggingHandle:
        """Configure logging to write here."""
        with contextlib.redirect_stderr(self):
            return configure_logging(config)

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines so far, without what differs from moment to moment, and forget them."""
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        assert all(len(line) < MAX_LINE_BYTES and line.isascii() and line.isprintable() for line in text.splitlines())
        lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
        for line in lines:
            line.pop("timestamp", None)
        return lines


@pytest.fixture
def stream() -> Iterator[Stream]:
    """What is logged; whatever the test configures is put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    structlog.reset_defaults()
    yield Stream()
    clear_log_context()
    configure_logging(suppress_events=True)
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@contextlib.contextmanager
def ordinary() -> Iterator[None]:
    """Make lines in the ordinary way, as after a filter was given to a handler."""
    ready = latest.fast_path
    assert ready is not None
    ready.altered = True
    try:
        yield
    finally:
        ready.altered = False


def is_fast(log: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether *log* logs without a record of :mod:`logging`."""
    made: list[object] = []
    factory = logging.getLogRecordFactory()

    def remember(*args: Any, **kwargs: Any) -> logging.LogRecord:
        made.append(args)
        return factory(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(logging, "_logRecordFactory", remember)
        log()
    return not made


text = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)
plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), text)
values = st.one_of(
    plain,
    st.text(min_size=1_500, max_size=3_000),
    st.binary(max_size=9),
    st.lists(plain, max_size=3),
    st.dictionaries(text, plain, max_size=3),
    st.sampled_from(
        [object, ValueError("password=x"), "https://u:p@h/x?y", "\x7f", "\x00", 1 << 63, -(1 << 63), "a//b"]
    ),
)
names = st.one_of(
    st.sampled_from(
        ["domain", "key", "run_id", "event_topic", "oneiric.key", "url", "error", "error_type", "exception"]
    ),
    st.sampled_from(["token", "level", "logger", "timestamp", "service.name", "trace_id", "span_id", "self", "event"]),
    st.sampled_from(["exc_info", "method_name", "positional_args", "_record"]),
    text,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(text, st.just("x//y"), values), st.dictionaries(names, values, max_size=8), st.booleans())
def test_both_ways_say_the_same(stream: Stream, event: Any, fields: dict[str, Any], traced: bool) -> None:
    """Whatever is logged, whichever context there is, both ways write the same line."""
    if latest.fast_path is None:
        stream.configure(LoggingConfig(environment="test"))
    span = TracerProvider().get_tracer("t").start_as_current_span("s") if traced else contextlib.nullcontext()
    with span, scoped_log_context(**({"run_id": "r", "domain": "bound"} if traced else {})):
        get_logger("a").info(event, **fields)
        with ordinary():
            get_logger("a").info(event, **fields)
    fast, slow = stream.lines()
    assert fast == slow


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_each_level_says_the_same(stream: Stream, level: str) -> None:
    """The level of a line is that of the method, either way."""
    stream.configure(LoggingConfig(level="DEBUG"))
    getattr(get_logger("a", bound=1), level)("x", n=2)
    with ordinary():
        getattr(get_logger("a", bound=1), level)("x", n=2)
    fast, slow = stream.lines()
    assert (fast, fast["level"]) == (slow, level)


@pytest.mark.parametrize(
    "value",
    [
        *("x" * 2_049, "https://u:p@h/x?y", "a //u:p@h", "\x7f", "ä", "\ud800", "\x00"),
        *(1 << 63, -(1 << 63), (1 << 63) - 1, 1 << 90, float("nan"), float("inf"), 1e300, -0.0),
        *(
            b"bytes",
            [1],
            {"a": 1},
            (1,),
            {1},
            object,
            OSError("x"),
            Path("a"),
            date(2026, 1, 2),
            Decimal(1),
            timedelta(1),
        ),
    ],
    ids=repr,
)
def test_what_has_to_be_changed_is_changed_either_way(stream: Stream, value: object) -> None:
    """What is cut, redacted or turned into text in the ordinary way is so in the fast one."""
    stream.configure()
    get_logger("a").info("x", value=value)
    with ordinary():
        get_logger("a").info("x", value=value)
    fast, slow = stream.lines()
    assert fast == slow


def test_the_fast_way_is_taken(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the set-up of this package nothing of logging or structlog is in the way, in a span and a context too."""
    stream.configure()
    assert is_fast(lambda: get_logger("a").info("x", n=1), monkeypatch)
    bind_log_context(run="r")
    with TracerProvider().get_tracer("t").start_as_current_span("s"):
        assert is_fast(lambda: get_logger("a").info("x", n=1), monkeypatch)
    first, second = stream.lines()
    assert {*second} - {*first} == {"run", "trace_id", "span_id"}


@pytest.mark.parametrize("event", ["boom token=hunter2", "Bearer hunter2", "x " * 99 + "pwd=hunter2"])
def test_the_fast_way_shows_no_credential_in_a_sentence(stream: Stream, event: str) -> None:
    """A credential in the text of an event is masked, however often it is logged."""
    stream.configure()
    for _ in range(2):
        get_logger("a").error(event)
    first, second = stream.lines()
    assert "hunter2" not in first["event"]
    assert first["event"] == second["event"]


def test_sentences_take_the_fast_way_too(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence that shows nothing costs no more than a name."""
    stream.configure()
    assert is_fast(lambda: get_logger("a").info("the cache is warm", n=1), monkeypatch)


def _add_handler(logger: logging.Logger) -> None:
    logger.addHandler(logging.NullHandler())


def _add_filter(_logger: logging.Logger) -> None:
    logging.getLogger().handlers[0].addFilter(lambda _record: True)


def _set_formatter(_logger: logging.Logger) -> None:
    logging.getLogger().handlers[0].setFormatter(logging.getLogger().handlers[0].formatter)


def _capture(_logger: logging.Logger) -> None:
    structlog.get_config()["processors"].insert(1, lambda _logger, _method, event: event)


def _rewrap(_logger: logging.Logger) -> None:
    structlog.configure(wrapper_class=type("Own", (structlog.stdlib.BoundLogger,), {}))


@pytest.mark.parametrize(
    "change",
    [
        lambda logger: _add_handler(logging.getLogger()),  # noqa: ARG005 - has the form of the others
        _add_handler,
        lambda logger: _add_handler(logger.parent),
        lambda logger: logger.addFilter(lambda _record: True),
        _add_filter,
        _set_formatter,
        _capture,
        _rewrap,
    ],
    ids=["root handler", "handler", "parent's", "logger filter", "handler filter", "formatter", "processor", "wrapper"],
)
def test_whatever_the_host_changes_is_honoured(
    stream: Stream, monkeypatch: pytest.MonkeyPatch, change: Callable[[logging.Logger], object]
) -> None:
    """A handler, filter, formatter or processor of the host sees each line, from the next one on."""
    stream.configure()
    logger = get_logger("host.part")
    standard = [logging.getLogger("host"), logging.getLogger("host.part")]
    assert is_fast(lambda: logger.info("x"), monkeypatch)
    change(standard[1])
    try:
        assert not is_fast(lambda: logger.info("x"), monkeypatch)
        first, second = stream.lines()
        assert first == second
    finally:
        for changed in standard:
            changed.handlers.clear()
            changed.filters.clear()


def listening(method: str) -> tuple[list[logging.LogRecord], Callable[[logging.Logger, logging.LogRecord], None]]:
    """Return the records heard so far, and what hears them in the place of *method* of loggers, and goes on with it."""
    heard: list[logging.LogRecord] = []
    original = getattr(logging.Logger, method)

    def listen(logger: logging.Logger, record: logging.LogRecord) -> None:
        heard.append(record)
        original(logger, record)

    return heard, listen


@pytest.mark.parametrize("method", ["handle", "callHandlers"])
def test_a_library_that_listens_to_every_line_hears_it(
    stream: Stream, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Where a method through which every record goes was replaced, it is called."""
    stream.configure()
    heard, listen = listening(method)
    monkeypatch.setattr(logging.Logger, method, listen)
    get_logger("a").info("x")
    assert (len(heard), len(stream.lines())) == (1, 1)


@pytest.mark.parametrize("method", ["handle", "callHandlers"])
def test_a_library_that_listened_before_hears_every_line_too(method: str) -> None:
    """Where such a method was replaced before this package was imported, it is called as well."""
    script = f"""
import logging
heard, original = [], logging.Logger.{method}
def listen(logger, record):
    heard.append(record)
    original(logger, record)
logging.Logger.{method} = listen
from oneiric.core.logging import configure_logging, get_logger
configure_logging()
get_logger("a").info("x")
print(len(heard))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout, len(done.stderr.splitlines())) == ("1\n", 1)


@pytest.mark.parametrize("method", ["handle", "callHandlers"])
def test_a_logger_of_another_class_hears_its_lines(
    stream: Stream, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """A class of loggers that overrides such a method is given the records of its loggers."""
    stream.configure()
    heard, listen = listening(method)
    logger = logging.getLogger("of another class")
    monkeypatch.setattr(logger, "__class__", type("Listening", (logging.Logger,), {method: listen}))
    get_logger(logger.name).info("x")
    assert (len(heard), len(stream.lines())) == (1, 1)


def test_levels_are_looked_at_each_time(stream: Stream) -> None:
    """The level of a logger, of logging and of each sink decides, as it is when the line is logged."""
    handle = stream.configure(LoggingConfig(sinks=[LoggingSinkConfig(level="WARNING")]))
    logger, standard = get_logger("levels"), logging.getLogger("levels")
    logger.info("below the sink's level")
    logger.warning("one")
    standard.setLevel(logging.ERROR)
    logger.warning("below the logger's level")
    standard.setLevel(logging.NOTSET)
    logging.disable(logging.WARNING)
    logger.warning("disabled")
    logging.disable(logging.NOTSET)
    handle.handlers[0].setLevel(logging.INFO)
    logger.info("two")
    assert [line["event"] for line in stream.lines()] == ["one", "two"]


@pytest.mark.usefixtures("stream")
def test_console_lines_and_own_processors_take_the_ordinary_way() -> None:
    """What renders or changes lines otherwise is never passed over."""
    for config in (LoggingConfig(emit_json=False), LoggingConfig(extra_processors=["copy.copy"])):
        configure_logging(config)
        assert latest.fast_path is None


def test_sets_of_names_are_remembered_up_to_a_bound(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that change with each line cost no memory, and no line."""
    monkeypatch.setattr(fast_paths, "MAX_SHAPES", 5)
    stream.configure()
    for number in range(20):
        get_logger("a").info("x", **{f"f{number}": number})
    ready = latest.fast_path
    assert ready is not None
    assert (len(ready._shapes), len(stream.lines())) == (5, 20)


@pytest.mark.parametrize("call", [{"event": "y"}, {"self": 1, "method_name": "m", "name": "n"}, {"": 1}])
def test_no_field_name_makes_a_call_raise(stream: Stream, call: dict[str, Any]) -> None:
    """Names that collide with parameters of a logger are fields, either way."""
    stream.configure()
    get_logger("a").info("x", **call)
    with ordinary():
        get_logger("a").info("x", **call)
    fast, slow = stream.lines()
    assert fast == slow


def test_an_event_line_leaves_out_what_is_blank(stream: Stream) -> None:
    """Optional fields that are "" are left out, an error's too; others stay."""
    stream.configure()
    unused: list[dict[str, Any]] = []
    line = EventLine("a", "info", "x", EventFields(("domain", "note"), ("error",), optional=1), unused.append)
    line.write(("d", ""), ("",))
    line.write(("", ""), ("token=secret",))
    line.write(("d", "n"), ("",), suppressed=3)
    line.write(("", "n"), ("",))
    shown = [
        {name: line[name] for name in line if not name.startswith(("service", "oneiric"))} for line in stream.lines()
    ]
    common = {"event": "x", "level": "info", "logger": "a"}
    assert shown == [
        {**common, "domain": "d", "note": ""},
        {**common, "note": "", "error": "token=***"},
        {**common, "domain": "d", "note": "n", "suppressed": 3},
        {**common, "note": "n"},
    ]
    assert unused == []
