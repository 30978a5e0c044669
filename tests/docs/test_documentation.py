"""What the documents say is so: programs run, commands are ones that CI runs, links and settings exist."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from documents import (
    APPLICATIONS,
    COMMANDS,
    DOCKER,
    DOCUMENTS,
    FIRST_SERVICE,
    FOLLOWED,
    INCIDENT_RESPONSE,
    KUBERNETES,
    REPLICAS,
    ROOT,
    STATE,
    SYSTEMD,
    fences,
)
from pydantic import BaseModel

from oneiric.core.config import OneiricSettings

if TYPE_CHECKING:
    from pathlib import Path

RUN_ELSEWHERE = {
    "pip install uv": ".ci/run",
    "pip install '/path/to/oneiric[monitoring,otlp]'": "tests/test_installation.py",
    "pip install 'oneiric[otlp] @ git+https://git.example.org/oneiric.git'": "tests/test_installation.py",
    "uv run oneiric demo": "tests/e2e/test_demo.py",
    "uv run oneiric monitoring check": "tests/monitoring/drift/test_command.py",
    "uv run oneiric monitoring check --complete": ".ci/run",
    "uv run oneiric monitoring drill --list": "tests/rehearsal/test_drill.py",
    "uv run oneiric monitoring drill swap-failures": "tests/rehearsal/test_drill.py",
    "uv run oneiric monitoring drill swap-failures --service": "tests/rehearsal/test_drill.py",
    "uv run --group bench python -m benchmarks": "tests/test_benchmarks.py",
    "uv run --group bench python -m benchmarks.soak --minutes 60": "tests/test_benchmarks.py",
    "uv run pytest": ".ci/run",
    "uv run pytest --all": ".ci/run",
    "uv run pytest tests/core": "tests/test_running.py",
    'uv run pytest tests/core/lifecycle -m "not slow"': "tests/test_running.py",
    "uv run ruff check .": ".ci/run",
    "uv run ruff format .": ".ci/run",
    "uv run mypy": ".ci/run",
    "uv run lint-imports": ".ci/run",
    "uv run python scripts/measures.py": ".ci/run",
}
"""Every command that a document shows, and where it is run."""

PROGRAMS = [fence for fence in fences("python") if "def test_" not in fence[1]]
TESTS = [fence for fence in fences("python") if "def test_" in fence[1]]


@pytest.mark.slow
@pytest.mark.parametrize(("document", "program"), PROGRAMS)
def test_a_program_runs(document: str, program: str, tmp_path: Path) -> None:
    """Each Python fence without tests runs as it stands, without a warning."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), document
    assert done.stdout


@pytest.mark.slow
def test_the_tests_shown_pass(tmp_path: Path) -> None:
    """Each Python fence with tests passes under pytest, as a module of its own and without a warning."""
    assert TESTS
    for number, (_, text) in enumerate(TESTS):
        (tmp_path / f"test_shown_{number}.py").write_text(text, encoding="utf-8")
    options = ["-W", "error", "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, tmp_path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shown = sum(text.count("def test_") for _, text in TESTS)
    assert f"{shown} passed" in done.stdout


WALKED = {
    *FOLLOWED,
    APPLICATIONS,
    COMMANDS,
    DOCKER,
    FIRST_SERVICE,
    INCIDENT_RESPONSE,
    KUBERNETES,
    REPLICAS,
    STATE,
    SYSTEMD,
}
"""The documents whose commands tests of their own run."""


def test_every_command_is_run_somewhere() -> None:
    """Each command shown in a shell fence is one that a test or CI runs, and nothing else is listed here."""
    shown = {
        command.strip()
        for document, text in fences("sh")
        if document not in WALKED
        for line in text.splitlines()
        for command in line.partition("#")[0].split("&&")
    }
    assert shown - {""} == RUN_ELSEWHERE.keys()
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for words in (
        "pip install",
        "pytest",
        "pytest --all",
        "ruff check .",
        "ruff format --check .",
        "mypy",
        "lint-imports",
        "python scripts/measures.py",
    ):
        assert words in ci


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Each relative link of a document names a file of the repository."""
    targets = re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (path.parent / target).exists()]
    assert missing == []


def test_settings_named_in_documents_exist() -> None:
    """Each setting that the table of bounds names is a field of the settings."""
    table = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## Bounds")[2]
    named = re.findall(r"`([a-z_]+(?:\.[a-z_*]+)+)`", table)
    assert named
    for setting in named:
        model: object = OneiricSettings
        for name in setting.split("."):
            assert isinstance(model, type)
            assert issubclass(model, BaseModel)
            fields = [field for field in model.model_fields if re.fullmatch(name.replace("*", ".*"), field)]
            assert fields, setting
            model = model.model_fields[fields[0]].annotation


def test_paths_in_the_architecture_exist() -> None:
    """Each path of the package or the repository that the description of the rooms names is there."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.(?:py|md))?)`", text))
    assert len(named) > 30
    assert [
        path for path in sorted(named) if not any((root / path).exists() for root in (ROOT, ROOT / "oneiric"))
    ] == []
