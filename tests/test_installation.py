"""The package, installed into a project of one's own as the README says."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path) -> str:
    """Run *command* to its end, outside of this environment, and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "requirement", ["{clone}[monitoring,otlp]", "oneiric[otlp] @ git+file://{clone}"], ids=["clone", "address"]
)
def test_it_can_be_installed_from_a_clone_or_an_address(requirement: str, tmp_path: Path) -> None:
    """In a fresh environment it installs with its extras, and the command and what the extras are for work."""
    if not (ROOT / ".git").exists() or shutil.which("uv") is None:
        pytest.skip("needs git's history of this project, and uv")
    clone, environment = tmp_path / "oneiric", tmp_path / "environment"
    run("git", "clone", "--quiet", ROOT, clone, cwd=tmp_path)
    run("uv", "venv", "--quiet", environment, cwd=tmp_path)
    python, command = environment / "bin" / "python", environment / "bin" / "oneiric"
    run("uv", "pip", "install", "--quiet", "--python", python, requirement.format(clone=clone), cwd=tmp_path)
    assert run(command, "--version", cwd=tmp_path).startswith("oneiric ")
    program = "import oneiric, sys; from oneiric.observability.export import otlp; print(oneiric.__file__)"
    assert run(python, "-c", program, cwd=tmp_path).startswith(str(environment))
    if "monitoring" in requirement:
        assert " files in bundle" in run(command, "monitoring", "export", "--out", "bundle", cwd=tmp_path)
