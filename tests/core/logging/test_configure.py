"""The logging set-up: what is configured, when, and what a line holds."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider

from oneiric.core.logging import (
    DEFAULT_FILE_SIZE,
    LogFailures,
    LoggingConfig,
    LoggingSinkConfig,
    bind_log_context,
    clear_log_context,
    configure_early_logging,
    configure_logging,
    event_logger,
    get_logger,
    is_enabled,
    log_failures,
    scoped_log_context,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Output:
    """What was printed since the test began."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._err = self._out = ""

    @property
    def err(self) -> str:
        """Standard error."""
        self._read()
        return self._err

    @property
    def out(self) -> str:
        """Standard output."""
        self._read()
        return self._out

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines on standard error, parsed."""
        return parsed(self.err)

    def _read(self) -> None:
        out, err = self._capsys.readouterr()
        self._out += out
        self._err += err


@pytest.fixture(autouse=True)
def output(capsys: pytest.CaptureFixture[str]) -> Iterator[Output]:
    """What was printed; whatever the test configures is put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    structlog.reset_defaults()
    yield Output(capsys)
    clear_log_context()
    configure_logging(suppress_events=True)  # closes what the test installed
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def without_handlers() -> None:
    """Take away the handlers that pytest installs for the duration of a test."""
    logging.getLogger().handlers.clear()


def parsed(text: str) -> list[dict[str, Any]]:
    """Return the lines of *text*, parsed."""
    return [json.loads(line) for line in text.splitlines()]


def refuse(_logger: object, _method: str, _event: object) -> NoReturn:
    """Stand for an application's processor that is broken."""
    raise RuntimeError("broken")


class Tag:
    """Stand for an application's processor that is a class."""

    def __call__(self, _logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        """Add a field."""
        return {**event, "tag": 1}


# Names that are the line's own


@pytest.mark.parametrize("name", ["level", "timestamp", "logger"])
@pytest.mark.parametrize("way", ["field", "bound", "context", "extra", "structlog", "console"])
def test_the_application_replaces_no_name_of_the_line(output: Output, name: str, way: str) -> None:
    """What an application gives under such a name is shown under another one, wherever it gives it."""
    theirs: dict[str, Any] = {name: "gold", f"{name}_": "silver"}
    configure_logging(LoggingConfig(emit_json=way != "console"))
    if way == "context":
        structlog.contextvars.bind_contextvars(**theirs)
    log: dict[str, Callable[[], object]] = {
        "field": lambda: get_logger("shop").error("x", **theirs),
        "bound": lambda: get_logger("shop", **theirs).error("x"),
        "context": lambda: get_logger("shop").error("x"),
        "extra": lambda: logging.getLogger("shop").error("x", extra=theirs),
        "structlog": lambda: structlog.get_logger("shop").error("x", **theirs),
        "console": lambda: get_logger("shop").error("x", **theirs),
    }
    log[way]()
    if way == "console":
        assert f"error    x  logger=shop  {name}_=silver  {name}__=gold" in " ".join(output.err.split(" "))
        return
    (line,) = output.lines()
    assert (line["level"], line["logger"], line["timestamp"][:2]) == ("error", "shop", "20")
    assert (line[f"{name}_"], line[f"{name}__"]) == ("silver", "gold")


@pytest.mark.parametrize("way", ["context", "extra"])
def test_the_application_replaces_no_event(output: Output, way: str) -> None:
    """A field called event is shown beside the event, for the lines of libraries too."""
    configure_logging()
    with scoped_log_context(**({"event": "theirs"} if way == "context" else {})):
        logging.getLogger("a").error("x", extra={"event": "theirs"} if way == "extra" else {})
        get_logger("a").error("x", **({"event": "theirs"} if way == "extra" else {}))
    assert [(line["event"], line["event_"]) for line in output.lines()] == [("x", "theirs")] * 2


def test_a_level_that_a_processor_of_the_application_adds_stands_once(output: Output) -> None:
    """What says the same as the line itself is not shown a second time."""
    configure_logging(LoggingConfig(extra_processors=["structlog.stdlib.add_log_level"]))
    get_logger().info("x")
    (line,) = output.lines()
    assert {name for name in line if name.startswith("level")} == {"level"}


# Before anybody configures


def test_importing_configures_nothing() -> None:
    """After the import, and after making a logger, logging and structlog are as they were, and nothing was printed."""
    script = (
        "import logging, structlog, oneiric.core.logging as l; l.get_logger('a'); l.event_logger('a');"
        "assert not structlog.is_configured(); root = logging.getLogger();"
        "assert (root.handlers, root.level) == ([], logging.WARNING);"
        "assert logging.getLoggerClass() is logging.Logger; l.get_logger('a').warning('seen', n=1);"
        "l.get_logger('a').info('not seen')"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert [(line["event"], line["n"], line["level"]) for line in map(json.loads, done.stderr.splitlines())] == [
        ("seen", 1, "warning")
    ]


def test_opentelemetry_is_not_imported() -> None:
    """Looking for the current span imports nothing."""
    script = (
        "import sys, oneiric.core.logging as l; l.configure_logging(); l.get_logger().info('x');"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0


def test_an_unconfigured_traceback_stays_on_its_line(output: Output) -> None:
    """Without any configuration an exception is a field of the one JSON line too."""
    without_handlers()
    try:
        int("why")
    except ValueError:
        get_logger("a").exception("failed")
    (line,) = output.lines()
    assert (line["event"], line["error_type"], line["exception"][-15:]) == ("failed", "ValueError", " base 10: 'why'")


def test_a_hosts_logging_gets_unconfigured_lines() -> None:
    """Where a host has set up logging but not structlog, its handlers get the JSON line as the message."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    without_handlers()
    logging.getLogger().addHandler(handler)
    event_logger("a").warning("seen")
    assert logging.getLogger().handlers == [handler]
    assert [line["event"] for line in parsed(stream.getvalue())] == ["seen"]


def test_a_hosts_structlog_is_honoured(output: Output) -> None:
    """Where a host has configured structlog, its processors decide, and nothing of them is changed."""
    stream = io.StringIO()
    structlog.configure(
        processors=[structlog.processors.KeyValueRenderer()],
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
    before = structlog.get_config()
    event_logger("a").info("seen", n=1)
    get_logger("a", m=2).info("seen")
    assert structlog.get_config() == before
    assert (stream.getvalue(), output.err) == ("n=1 event='seen'\nm=2 event='seen'\n", "")


def test_a_logger_made_early_takes_the_later_configuration(output: Output) -> None:
    """Loggers made, and bound, before the configuration follow it."""
    logger = get_logger("a", x=1).bind(y=2)
    configure_logging(LoggingConfig(service_name="shop"))
    logger.info("seen")
    (line,) = output.lines()
    assert (line["event"], line["x"], line["y"], line["service.name"]) == ("seen", 1, 2, "shop")


# Levels


def test_an_unconfigured_logger_is_enabled_from_warning_on() -> None:
    """The levels of logging apply."""
    logger = get_logger("a")
    assert [is_enabled(logger, level) for level in (logging.INFO, logging.WARNING)] == [False, True]


def test_a_configured_logger_is_enabled_from_its_level_on() -> None:
    """The level of the configuration applies, to lazily bound loggers too."""
    configure_logging(LoggingConfig(level="ERROR"))
    logger = event_logger("a")
    assert [is_enabled(logger, level) for level in (logging.WARNING, logging.ERROR)] == [False, True]


def test_a_filtering_logger_is_enabled_from_its_own_level_on() -> None:
    """A host's filtering bound logger answers for itself."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logger = event_logger("a")
    assert [is_enabled(logger, level) for level in (logging.WARNING, logging.ERROR)] == [False, True]


def test_a_filtering_logger_over_logging_is_enabled_where_both_are() -> None:
    """A level that either of the two filters out is not enabled."""
    logging.getLogger("a").setLevel(logging.CRITICAL)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    assert [is_enabled(event_logger("a"), level) for level in (logging.ERROR, logging.CRITICAL)] == [False, True]
    logging.getLogger("a").setLevel(logging.NOTSET)


def test_a_logger_that_cannot_tell_is_enabled() -> None:
    """Where nothing filters, everything is wanted, and asking logs nothing."""
    stream = io.StringIO()
    structlog.configure(wrapper_class=structlog.BoundLogger, logger_factory=structlog.PrintLoggerFactory(stream))
    assert (is_enabled(event_logger("a"), logging.DEBUG), stream.getvalue()) == (True, "")


def test_a_plain_logger_of_logging_can_be_asked() -> None:
    """A logger of the standard library answers for itself."""
    assert is_enabled(logging.getLogger("a"), logging.INFO) is False


@pytest.mark.parametrize(
    ("level", "number"), [("debug", 10), (" Warning ", 30), ("15", 15), ("verbose", 20), ("", 20), ("NOTSET", 0)]
)
def test_any_level_is_accepted(level: str, number: int) -> None:
    """Names in any case and numbers are levels; what is neither is INFO."""
    configure_logging(LoggingConfig(level=level))
    assert logging.getLogger().level == number


def test_a_sink_without_a_level_takes_that_of_the_configuration(output: Output) -> None:
    """Asking for DEBUG in one place is enough."""
    configure_logging(LoggingConfig(level="DEBUG", sinks=[LoggingSinkConfig()]))
    get_logger().debug("seen")
    assert [line["event"] for line in output.lines()] == ["seen"]


def test_a_sinks_own_level_applies(output: Output) -> None:
    """A sink can be quieter than the others."""
    configure_logging(LoggingConfig(level="DEBUG", sinks=[LoggingSinkConfig(level="ERROR")]))
    get_logger().warning("not seen")
    get_logger().error("seen")
    assert [line["event"] for line in output.lines()] == ["seen"]


# The line


def test_a_line_holds_the_common_fields(output: Output) -> None:
    """Event, level, logger, instant, service and the caller's fields are there, and nothing else."""
    configure_logging(LoggingConfig(environment="prod", release="1.2", service_name="shop"))
    get_logger("shop.cart", user=7).info("added", n=1)
    (line,) = output.lines()
    instant = line.pop("timestamp")
    assert (instant[-1], datetime.fromisoformat(instant).utcoffset().total_seconds(), len(instant)) == ("Z", 0.0, 27)  # type: ignore[union-attr]
    assert line == {
        "event": "added",
        "level": "info",
        "logger": "shop.cart",
        "user": 7,
        "n": 1,
        "service.name": "shop",
        "service.version": "1.2",
        "deployment.environment": "prod",
    }


@pytest.mark.parametrize(("service", "shown"), [("oneiric", version("oneiric")), ("shop", None)])
def test_the_own_version_is_told_of_the_own_service_only(output: Output, service: str, shown: str | None) -> None:
    """Another service's version is not guessed."""
    configure_logging(LoggingConfig(service_name=service))
    get_logger().info("x")
    assert output.lines()[0].get("service.version") == shown


def test_the_timestamp_takes_another_format(output: Output) -> None:
    """A format of strftime replaces the ISO one."""
    configure_logging(LoggingConfig(timestamper_format="at %Y"))
    get_logger().info("x")
    assert output.lines()[0]["timestamp"][:5] == "at 20"


def test_known_fields_are_copied_under_their_own_prefix(output: Output) -> None:
    """Identity is there under a name that no application uses, bound context included."""
    configure_logging()
    bind_log_context(domain="adapter")
    get_logger().info("x", event_topic="t", run_id="r", **{"oneiric.run_id": "kept"})
    (line,) = output.lines()
    assert {key: value for key, value in line.items() if key.startswith("oneiric.")} == {
        "oneiric.domain": "adapter",
        "oneiric.event.topic": "t",
        "oneiric.run_id": "kept",
    }


def test_fields_that_the_caller_gave_stay(output: Output) -> None:
    """Nothing that is added replaces what was said."""
    configure_logging()
    with TracerProvider().get_tracer("t").start_as_current_span("s"):
        get_logger().info("x", trace_id="mine", **{"service.name": "theirs"})
    (line,) = output.lines()
    assert (line["trace_id"], line["service.name"]) == ("mine", "theirs")


def test_a_line_in_a_span_carries_its_ids(output: Output) -> None:
    """The ids are lower-case hexadecimal of full width, on structlog's and logging's lines."""
    configure_logging()
    with TracerProvider().get_tracer("t").start_as_current_span("s") as span:
        get_logger().info("x")
        logging.getLogger("other").info("y")
    context = span.get_span_context()
    expected = (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert [(line["trace_id"], line["span_id"]) for line in output.lines()] == [expected, expected]


def test_a_line_outside_of_a_span_carries_no_ids(output: Output) -> None:
    """An id is there only where it leads to a trace."""
    configure_logging()
    get_logger().info("x")
    assert {"trace_id", "span_id"} & set(output.lines()[0]) == set()


def test_ids_can_be_turned_off(output: Output) -> None:
    """A configuration can leave them out."""
    configure_logging(LoggingConfig(include_trace_context=False))
    with TracerProvider().get_tracer("t").start_as_current_span("s"):
        get_logger().info("x")
    assert "trace_id" not in output.lines()[0]


def test_a_broken_tracing_library_costs_the_ids_only(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is only half imported does not break a line."""
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", object())
    configure_logging()
    get_logger().info("x")
    assert [line["event"] for line in output.lines()] == ["x"]


def test_an_exception_is_a_field(output: Output) -> None:
    """The traceback is flat text, redacted, and the class of the error stands beside it."""
    configure_logging()
    try:
        int("password=hunter2")
    except ValueError:
        get_logger().exception("failed")
    (line,) = output.lines()
    assert (line["level"], line["error_type"]) == ("error", "ValueError")
    assert line["exception"].splitlines()[0] == "Traceback (most recent call last):"
    assert line["exception"].splitlines()[-1] == "ValueError: invalid literal for int() with base 10: 'password=***"


def test_a_long_traceback_keeps_its_end(output: Output) -> None:
    """What was raised is said at the end, and is kept."""

    def deep(level: int) -> NoReturn:
        if level:
            deep(level - 1)
        raise ValueError("bottom " + "b " * 1_400)

    def shallow() -> NoReturn:
        try:
            deep(100)
        except ValueError as error:
            raise KeyError("top " + "t " * 1_400) from error

    configure_logging()
    try:
        shallow()
    except KeyError as error:
        get_logger().error("failed", exc_info=error)
    text = output.lines()[0]["exception"]
    assert len(text) <= 4_096
    assert text.startswith("…\n")
    assert "KeyError: 'top t t" in text


def test_an_exception_that_cannot_be_printed_is_still_told(output: Output) -> None:
    """An error's own text is foreign code."""

    class Rude(Exception):  # noqa: N818 - an application's name
        def __str__(self) -> NoReturn:
            raise RuntimeError("no")

    configure_logging()
    get_logger().error("failed", exc_info=Rude(), error=Rude())
    (line,) = output.lines()
    assert (line["error_type"], line["error"]) == ("Rude", "<unprintable: RuntimeError>")
    assert "Rude" in line["exception"]


def test_an_error_that_is_a_field_tells_its_class(output: Output) -> None:
    """An error given as a value is text, with its class beside it."""
    configure_logging()
    get_logger().warning("failed", error=OSError("disk"))
    (line,) = output.lines()
    assert (line["error"], line["error_type"]) == ("disk", "OSError")


def test_a_stack_is_a_field(output: Output) -> None:
    """The stack of the caller is flat text, from structlog and from logging."""
    configure_logging()
    get_logger().info("x", stack_info=True)
    logging.getLogger("other").info("y", stack_info=True)
    assert [__file__ in line["stack"] for line in output.lines()] == [True, True]


def test_arguments_are_filled_in(output: Output) -> None:
    """Both ways of logging take the format strings of logging."""
    configure_logging()
    get_logger().info("%s of %d", "one", 2)
    logging.getLogger("other").info("%s of %d", "one", 2)
    logging.getLogger("other").info("%(a)s", {"a": 1})
    assert [line["event"] for line in output.lines()] == ["one of 2", "one of 2", "1"]


def test_arguments_that_do_not_fit_are_shown_beside_the_text(output: Output) -> None:
    """A wrong format costs nobody the line."""
    configure_logging()
    get_logger().info("%d", "one")
    logging.getLogger("other").info("%d", "one")
    assert [(line["event"], line["positional_args"]) for line in output.lines()] == [("%d", '["one"]')] * 2


def test_a_librarys_line_is_rendered_alike(output: Output) -> None:
    """Lines of logging get the same fields, their extra ones too, and their URLs are cut."""
    configure_logging(LoggingConfig(service_name="shop"))
    logging.getLogger("http").warning("GET %s", "https://u:p@h.example/x?token=1", extra={"n": 1})
    (line,) = output.lines()
    del line["timestamp"]
    assert line == {
        "event": "GET https://h.example/…",
        "level": "warning",
        "logger": "http",
        "n": 1,
        "service.name": "shop",
    }


def test_a_record_that_cannot_be_rendered_is_still_a_line(output: Output) -> None:
    """Where rendering fails altogether, what can be said is said, and the failure counted."""

    class Unprintable:
        def __str__(self) -> NoReturn:
            raise RuntimeError("no")

    configure_logging()
    logging.getLogger("other").info(Unprintable())
    (line,) = output.lines()
    assert line == {
        "event": "<unprintable Unprintable: RuntimeError>",
        "level": "info",
        "logger": "other",
        "error": "no",
    }
    assert log_failures() == LogFailures(dropped=0, failed=1, last_error="RuntimeError: no")


def test_console_lines_are_for_humans(output: Output) -> None:
    """Without JSON the line can be read as it stands."""
    configure_logging(LoggingConfig(emit_json=False))
    get_logger("a").info("started", n=1)
    assert output.err[28:] == "info     started  logger=a  n=1\n"


# Processors of the application


def test_extra_processors_see_every_line(output: Output) -> None:
    """A processor named in the configuration is applied to structlog's and logging's lines; a class is called once."""
    configure_logging(LoggingConfig(extra_processors=[f"{__name__}.Tag"]))
    get_logger().info("x")
    logging.getLogger("other").info("y")
    assert [line["tag"] for line in output.lines()] == [1, 1]


def test_a_broken_extra_processor_is_told_in_the_line(output: Output) -> None:
    """What a processor raises reaches the log, not the caller."""
    configure_logging(LoggingConfig(extra_processors=[f"{__name__}:refuse"]))
    get_logger().info("x")
    assert [(line["event"], line["processor_error"]) for line in output.lines()] == [("x", "broken")]


@pytest.mark.parametrize("name", ["nowhere.at_all", "json.nothing", "plain", ""])
def test_an_unknown_extra_processor_is_refused(name: str) -> None:
    """What cannot be imported is named, and nothing is configured."""
    with pytest.raises(ValueError, match=f"extra_processors: cannot import '{name}'"):
        configure_logging(LoggingConfig(extra_processors=[name]))
    assert structlog.is_configured() is False


# Context


def test_context_is_on_every_line(output: Output) -> None:
    """What is bound to the context is on structlog's and logging's lines; None is not bound."""
    configure_logging()
    bind_log_context(run="r", nothing=None)
    get_logger().info("x")
    logging.getLogger("other").info("y")
    assert [(line["run"], "nothing" in line) for line in output.lines()] == [("r", False)] * 2


def test_context_is_structlogs_own() -> None:
    """An application that reads structlog's context variables finds it there."""
    bind_log_context(a=1, b=2)
    clear_log_context("a")
    assert structlog.contextvars.get_contextvars() == {"b": 2}


def test_the_whole_context_can_be_cleared() -> None:
    """Without names everything goes."""
    bind_log_context(a=1, b=2)
    clear_log_context()
    assert structlog.contextvars.get_contextvars() == {}


def test_scoped_context_is_restored() -> None:
    """A block's values go when it ends, however it ends, and what was there before comes back."""
    bind_log_context(a=1)

    def block() -> NoReturn:
        with scoped_log_context(a=2, b=3, c=None):
            assert structlog.contextvars.get_contextvars() == {"a": 2, "b": 3}
            raise KeyError

    with pytest.raises(KeyError):
        block()
    assert structlog.contextvars.get_contextvars() == {"a": 1}


# Loggers


def test_a_logger_can_be_unbound(output: Output) -> None:
    """Bound values can be taken away again, or all be replaced."""
    configure_logging()
    logger = get_logger("a", x=1, y=2)
    logger.unbind("x").info("one")
    logger.try_unbind("x", "z").info("two")
    logger.new(z=3).info("three")
    seen = [{key: line[key] for key in ("x", "y", "z") if key in line} for line in output.lines()]
    assert seen == [{"y": 2}, {"y": 2}, {"z": 3}]


def test_unbinding_what_is_not_bound_is_an_error() -> None:
    """As with structlog, a wrong key is a KeyError."""
    with pytest.raises(KeyError):
        get_logger("a").unbind("x")


def test_a_logger_shows_its_name() -> None:
    """A logger in a debugger can be told from another."""
    assert repr(get_logger("a")) == "<logger 'a'>"


def test_lines_can_be_captured_with_structlogs_own_helper() -> None:
    """An application's tests see the lines, whatever was configured before."""
    configure_logging()
    logger = get_logger("a", x=1)
    with structlog.testing.capture_logs() as captured:
        logger.info("seen")
    assert captured == [{"event": "seen", "log_level": "info", "x": 1}]


# Installing


def test_handlers_are_replaced_not_added(output: Output) -> None:
    """Configuring twice leaves one handler, and each line is written once."""
    configure_logging()
    configure_logging()
    get_logger().info("x")
    assert (len(logging.getLogger().handlers), len(output.lines())) == (1, 1)


def test_a_hosts_handler_is_removed_but_not_closed() -> None:
    """A handler that was not installed here belongs to the host."""
    closed: list[bool] = []

    class Host(logging.Handler):
        def close(self) -> None:
            closed.append(True)
            super().close()

    host = Host()
    logging.getLogger().addHandler(host)
    configure_logging()
    configure_logging()
    assert (closed, host in logging.getLogger().handlers) == ([], False)


@pytest.mark.parametrize("sinks", [[], [LoggingSinkConfig()]])
def test_the_default_sink_is_standard_error(sinks: list[LoggingSinkConfig], output: Output) -> None:
    """Standard output stays clean; an empty list of sinks means the default one."""
    configure_logging(LoggingConfig(sinks=sinks))
    get_logger().info("x")
    assert (len(output.lines()), output.out) == (1, "")


def test_standard_output_is_used_where_asked_for(output: Output) -> None:
    """A sink can name standard output."""
    configure_logging(LoggingConfig(sinks=[LoggingSinkConfig(target="stdout")]))
    get_logger().info("x")
    assert (len(parsed(output.out)), output.err) == (1, "")


def test_wrong_configuration_changes_nothing() -> None:
    """If one sink cannot be had, the handlers that were there stay."""
    configure_logging()
    before = list(logging.getLogger().handlers)
    with pytest.raises(ValueError, match="File sink requires 'path'"):
        configure_logging(LoggingConfig(sinks=[LoggingSinkConfig(), LoggingSinkConfig(target="file")]))
    assert logging.getLogger().handlers == before


def test_early_logging_is_on_standard_error(output: Output) -> None:
    """Lines from before the settings are read are JSON too."""
    configure_early_logging()
    get_logger().info("early")
    assert [line["event"] for line in output.lines()] == ["early"]


@pytest.mark.parametrize("target", ["stdout", "stderr"])
def test_suppressed_events_leave_no_trace(target: Any, output: Output) -> None:
    """Not a single line is emitted, by structlog or logging."""
    configure_logging(LoggingConfig(sinks=[LoggingSinkConfig(target=target)]), suppress_events=True)
    get_logger().critical("hidden")
    logging.getLogger("other").critical("hidden")
    assert (output.out, output.err, is_enabled(get_logger(), logging.CRITICAL)) == ("", "", False)


def test_early_events_can_be_suppressed(output: Output) -> None:
    """Early logging can be silent too."""
    configure_early_logging(suppress_events=True)
    get_logger().critical("hidden")
    assert output.err == ""


def test_the_size_of_a_file_has_its_default() -> None:
    """A log file is rotated at 64 mebibytes unless set otherwise, so that a shipper has time to read it."""
    assert (LoggingSinkConfig().max_bytes, DEFAULT_FILE_SIZE) == (67_108_864, 67_108_864)


def test_threads_do_not_tear_each_others_lines(tmp_path: Path) -> None:
    """Whatever is logged at the same time, each line is whole."""
    path = tmp_path / "log"
    handle = configure_logging(LoggingConfig(sinks=[LoggingSinkConfig(target="file", path=str(path))]))

    def work(name: str) -> None:
        for number in range(200):
            get_logger(name).info("x" * 500, number=number)

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    handle.close()
    assert {(line["logger"], line["number"]) for line in parsed(path.read_text())} == {
        (f"t{thread}", number) for thread in range(4) for number in range(200)
    }


# Handlers of the application


def records(message: str = "%(message)s") -> tuple[io.StringIO, logging.Handler]:
    """Return a stream, and a handler of an application that writes to it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(message))
    return stream, handler


@pytest.mark.parametrize("make", [get_logger, structlog.get_logger])
def test_a_handler_of_the_application_gets_the_line(output: Output, make: Any) -> None:
    """A handler that is added to the root logger writes what the sink writes, with a traceback on the same line."""
    configure_logging()
    stream, handler = records()
    logging.getLogger().addHandler(handler)
    try:
        int("why")
    except ValueError:
        make("a").exception("100% failed", n=1)
    assert stream.getvalue() == output.err
    (line,) = output.lines()
    assert (line["event"], line["n"], line["error_type"]) == ("100% failed", 1, "ValueError")


def test_a_handler_of_the_application_gets_what_a_console_shows(output: Output) -> None:
    """Where lines are for a human to read, the application's handler gets such lines."""
    configure_logging(LoggingConfig(emit_json=False))
    stream, handler = records()
    logging.getLogger().addHandler(handler)
    get_logger("a").info("x", n=1)
    assert stream.getvalue() == output.err
    assert " x  logger=a  n=1" in output.err
