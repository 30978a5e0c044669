"""A machine that is booted once, on which Oneiric and the shop are installed and run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from booted import Machine, needed
from units import WHEELS, build_wheels, configure, install, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Yield a machine that runs and has the wheels; nothing is installed."""
    needed()
    one = Machine(tmp_path_factory.mktemp("machine"))
    try:
        wheels = one.path(WHEELS)
        wheels.mkdir()
        build_wheels(wheels, tmp_path_factory.mktemp("newer"))
        one.boot()
        yield one
    finally:
        one.stop()


@pytest.fixture(scope="session")
def installed(machine: Machine) -> Machine:
    """Return the machine with Oneiric and the shop installed, and users beside the service's."""
    install(machine)
    prepare(machine)
    return machine


@pytest.fixture(scope="session")
def started(installed: Machine) -> Machine:
    """Return the machine with the shop running as oneiric.service."""
    configure(installed)
    installed.run("systemctl", "enable", "--now", "oneiric")
    return installed


@pytest.fixture
def service(started: Machine) -> Machine:
    """Return the machine with the service running, whatever the test before did to it."""
    started.run("systemctl", "reset-failed")
    started.run("systemctl", "start", "oneiric")
    return started
