"""The command in the tests' own process, and a service for all tests of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from services import running
from typer.testing import CliRunner

from oneiric.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from services import Service


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service that serves adapter/cache, for all tests of a module; what one changes it has to undo."""
    with running(tmp_path_factory.mktemp("service"), runtime={"start": ["adapter/cache"]}) as one:
        yield one


@pytest.fixture
def oneiric(shared: Service) -> Callable[..., Any]:
    """Return what runs a command in this process on the shared service."""

    def run(*arguments: str) -> Any:
        return invoke(shared, *arguments)

    return run


def invoke(service: Service, *arguments: str) -> Any:
    """Run a command in this process with the settings of *service*, and return how it ended."""
    return CliRunner().invoke(app, ["--config", str(service.config), "--import", "components", *arguments])
