"""Fixtures for every test: a fresh seam, what it told, and a clock; and what undoes a logging configuration."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import settings
from support import Clock, Recorder

from oneiric.core.logging.handlers import SinkHandler
from oneiric.core.observers import Observers

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from postgres import Postgres

pytest_plugins = ["pytester"]
WITHOUT_SLOW = pytest.StashKey[bool]()
MAX_WORKERS = 8
"""Processes that share the tests at the most; beyond it their start costs more than it gains."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that runs the slow tests, too."""
    parser.addoption("--all", action="store_true", help="also run the slow tests, which measure and stress processes")


def pytest_configure(config: pytest.Config) -> None:
    """Decide whether the slow tests are left out: where nothing on the command line chooses among the tests."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what it runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)  # programs that tests start and interrupt inherit it
    chosen = config.option.all or config.option.markexpr or config.option.keyword
    decided: dict[str, bool] = getattr(config, "workerinput", {})
    config.stash[WITHOUT_SLOW] = decided.get("without_slow", _is_whole(config) and not chosen)
    if config.stash[WITHOUT_SLOW] or config.option.markexpr == "not slow":
        settings.register_profile("quick", max_examples=40)
        settings.load_profile("quick")
    _keep_state_apart(config)
    if sys.dont_write_bytecode:
        _keep_bytecode(config.rootpath / ".pytest_cache" / "bytecode")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the decision to a worker, whose own command line names what it runs."""
    node.workerinput["without_slow"] = node.config.stash[WITHOUT_SLOW]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Share the whole among all cores; run what is named on the command line in this process, without their start."""
    return min(os.cpu_count() or 1, MAX_WORKERS) if _is_whole(config) else 0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow tests out where that was decided."""
    if config.stash[WITHOUT_SLOW]:
        slow = [item for item in items if item.get_closest_marker("slow")]
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """Say in the last line how to run what was left out."""
    yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and session.config.stash[WITHOUT_SLOW]:
        reporter.write_line("The slow tests, which measure and stress processes, were left out: uv run pytest --all")


def _keep_state_apart(config: pytest.Config) -> None:
    """Let witnesses be written to a directory that goes with the tests, not to that of whoever runs them."""
    directory = tempfile.TemporaryDirectory(prefix="oneiric-tests-")
    config.add_cleanup(directory.cleanup)
    os.environ["XDG_STATE_HOME"] = directory.name
    os.environ.pop("STATE_DIRECTORY", None)


def _keep_bytecode(directory: Path) -> None:
    """Keep what is compiled with the results, where it may not lie beside its source: tests start many interpreters."""
    sys.dont_write_bytecode = False
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(directory)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def _is_whole(config: pytest.Config) -> bool:
    """Return whether no file or test is named."""
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Leave no handler of ours, no level and no structlog configuration to the tests that follow."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    configured, before = structlog.is_configured(), structlog.get_config()
    yield
    root.setLevel(level)
    for handler in root.handlers[:]:
        if isinstance(handler, SinkHandler) and handler not in handlers:
            root.removeHandler(handler)
            handler.finish(1.0)
    if not configured:
        structlog.reset_defaults()
    elif structlog.get_config() != before:
        structlog.configure(**before)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL that stays up; who stops it starts one of their own."""
    from postgres import Postgres  # noqa: PLC0415 - few tests need it

    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def clock() -> Clock:
    """Seconds that pass only when told to."""
    return Clock()


@pytest.fixture
def observers() -> Observers:
    """A seam that nobody else reports through."""
    return Observers()


@pytest.fixture
def recorder(observers: Observers) -> Recorder:
    """What was told through :func:`observers`."""
    recorder = Recorder()
    observers.add(recorder)
    return recorder
