"""The completion of the `oneiric` command, by the shells themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # each starts processes

PROGRAM = Path(sys.executable).with_name("oneiric")
DRIVERS = {
    "bash": 'eval "$(oneiric --show-completion bash)"; COMP_WORDS=(oneiric monitoring ""); COMP_CWORD=2; '
    '_oneiric_completion oneiric; printf "%s\\n" "${COMPREPLY[@]}"',
    "fish": 'oneiric --show-completion fish | source; complete -C "oneiric monitoring "',
}
"""What makes a shell complete `oneiric monitoring ` and print the words."""


def run(*command: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run *command* as a user whose home directory is *home*."""
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "PATH": path}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("shell", DRIVERS)
def test_a_shell_completes_the_commands(shell: str, tmp_path: Path) -> None:
    """After `oneiric monitoring ` the shell offers the three commands below it."""
    if shutil.which(shell) is None:
        pytest.skip(f"needs the shell {shell} (Debian package {shell})")
    done = run(shell, "-c", DRIVERS[shell], home=tmp_path)
    assert {line.split("\t")[0] for line in done.stdout.splitlines()} == {"export", "check", "drill"}, done.stderr


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("bash", ".bash_completions/oneiric.sh"),
        ("zsh", ".zfunc/_oneiric"),
        ("fish", ".config/fish/completions/oneiric.fish"),
    ],
)
def test_the_completion_of_a_named_shell_is_installed(shell: str, file: str, tmp_path: Path) -> None:
    """`--install-completion SHELL` writes what `--show-completion SHELL` shows, whichever shell runs it."""
    shown = run(str(PROGRAM), "--show-completion", shell, home=tmp_path)
    installed = run(str(PROGRAM), "--install-completion", shell, home=tmp_path)
    assert (shown.returncode, installed.returncode) == (0, 0)
    assert (tmp_path / file).read_text(encoding="utf-8").strip() == shown.stdout.strip()


def test_a_shell_that_cannot_be_completed_is_refused(tmp_path: Path) -> None:
    """The name of another shell ends it with 2 and a list of those that can be named."""
    done = run(str(PROGRAM), "--show-completion", "tcsh", home=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "fish" in done.stderr
