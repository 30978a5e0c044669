"""What `import oneiric` gives."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import oneiric
from oneiric.runtime.control.protocol import API_VERSION


@pytest.mark.parametrize("name", oneiric.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    """Each name of `__all__` exists."""
    assert getattr(oneiric, name) is not None


def test_the_names_are_sorted() -> None:
    """The list of public names is in order, and `dir` shows it."""
    assert oneiric.__all__ == sorted(oneiric.__all__)
    assert dir(oneiric) == oneiric.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    """What does not exist is refused as in any module."""
    with pytest.raises(AttributeError, match="module 'oneiric' has no attribute 'Reslover'"):
        oneiric.Reslover  # noqa: B018 - the access is the test


def test_the_version_is_that_of_the_distribution() -> None:
    """`__version__` and `oneiric --version` say what is installed, and the command which control API it speaks."""
    printed = subprocess.run([sys.executable, "-m", "oneiric", "--version"], check=True, capture_output=True, text=True)
    assert printed.stdout == f"oneiric {version('oneiric')} (control API {API_VERSION})\n"
    assert oneiric.__version__ == version("oneiric")


def test_importing_the_package_imports_nothing_else() -> None:
    """`import oneiric` loads itself and what importing takes, and no module of its own before a name is used."""
    program = "import importlib, sys; before = set(sys.modules); import oneiric; print(*set(sys.modules) - before)"
    assert set(run(program).split()) - {"__future__"} == {"oneiric"}


def test_the_help_needs_no_runtime() -> None:
    """`oneiric --help` loads the command line alone: no settings, no runtime, no metadata of the installation."""
    program = """
import contextlib, io, sys
from oneiric.cli import main
sys.argv[1:] = ["--help"]
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    main()
print(*(name for name in sys.modules if name.partition(".")[0] == "oneiric"))
"""
    outside = {name for name in run(program).split() if not name.startswith("oneiric.cli")}
    assert outside == {"oneiric"}


def run(program: str) -> str:
    """Return what *program* prints in an interpreter of its own."""
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout


def test_without_arguments_the_command_explains_itself() -> None:
    """`oneiric` alone prints its help and ends with 0."""
    printed = subprocess.run([sys.executable, "-m", "oneiric"], check=True, capture_output=True, text=True)
    assert "demo" in printed.stdout


def test_the_demo_adapter_answers() -> None:
    """The provider to try things with says what it is."""
    assert oneiric.DemoAdapter()() == {"type": "demo"}
