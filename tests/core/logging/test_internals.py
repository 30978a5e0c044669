"""What rests on private names of structlog and logging is there, so that the fast path is taken."""

from __future__ import annotations

import io
import logging
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog

from oneiric.core import logging as package
from oneiric.core.logging import EventFields, EventLine, LoggingConfig, configure_logging, get_logger
from oneiric.core.logging.fast_path import latest
from oneiric.core.logging.internals import CALL_HANDLERS, HANDLE, record_of, structlog_config, wrapped_logger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOM = Path(package.__file__).parent
PRIVATE = re.compile(
    r"structlog\._|\"_CONFIG\"|\b_record\b|_from_structlog|getattr\(\w+, \"_[a-z]|\._open\("
    r"|_py_warnings|Finalize|__globals__"
)


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    configure_logging(suppress_events=True)
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_an_ordinary_line_takes_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the defaults no line of an application or of an event is made by structlog or as a record of logging."""
    monkeypatch.setattr(sys, "stderr", output := io.StringIO())
    configure_logging(LoggingConfig())
    slow: list[Mapping[str, object]] = []

    def remember(_logger: object, _method: str, event: Mapping[str, object]) -> Mapping[str, object]:
        slow.append(event)
        return event

    processors = structlog.get_config()["processors"]
    assert latest.fast_path is not None
    monkeypatch.setattr(latest.fast_path, "_processors", [remember, *processors])
    structlog.configure(processors=[remember, *processors])
    get_logger("app").info("hello", number=1)
    EventLine("app", "info", "fact", EventFields(("domain",)), slow.append).write(("adapter",))
    assert (slow, output.getvalue().count("\n")) == ([], 2)


def test_structlog_keeps_its_configuration_where_it_is_looked_for() -> None:
    """The object that is looked at for each line follows :func:`structlog.configure`."""
    in_use = structlog_config()
    structlog.configure(processors=[])
    assert (in_use is structlog_config(), in_use.default_processors) == (True, [])


def test_structlog_says_which_logger_a_bound_one_hands_its_events_to() -> None:
    """Whether a level is enabled is asked of the logger that is wrapped."""
    logger = logging.getLogger("app")
    assert wrapped_logger(structlog.stdlib.BoundLogger(logger, processors=[], context={})) is logger


def test_structlog_hands_the_record_of_a_library_to_processors() -> None:
    """The time, the logger and the extra fields of a record are read from the record itself."""
    found: list[logging.LogRecord | None] = []

    def remember(_logger: object, _method: str, event: Mapping[str, object]) -> str:
        found.append(record_of(event))
        return ""

    record = logging.makeLogRecord({"msg": "text"})
    structlog.stdlib.ProcessorFormatter(processors=[remember]).format(record)
    assert [type(one) for one in found] == [logging.LogRecord]


def test_loggings_own_methods_are_known() -> None:
    """A logger whose class replaces one of them does not take the fast path; any other does."""
    assert (logging.Logger.handle, logging.Logger.callHandlers) == (HANDLE, CALL_HANDLERS)


def test_private_names_stand_in_one_file() -> None:
    """No other file of the room says a private name of structlog, logging or multiprocessing."""
    found = {path.name for path in ROOM.glob("*.py") if PRIVATE.search(path.read_text(encoding="utf-8"))}
    assert found == {"internals.py"}
