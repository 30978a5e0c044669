"""The `oneiric` command as a whole: help, exit codes, interruptions, and what it says where it fails."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import untraced
from typer.testing import CliRunner

from oneiric.cli import app as cli
from oneiric.cli.app import app
from oneiric.core.activity import ActivityStoreError
from oneiric.rehearsal.drills import DrillError, session

INTERRUPTED = Path(__file__).parents[1] / "programs" / "interrupted_command.py"
COMMANDS = [(), ("demo",), ("monitoring",), ("monitoring", "export"), ("monitoring", "check"), ("monitoring", "drill")]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    """`-h` is `--help`, everywhere."""
    short, long = (CliRunner().invoke(app, [*command, option]) for option in ("-h", "--help"))
    assert (short.exit_code, short.stdout) == (0, long.stdout)
    assert "Usage: " in short.stdout


@pytest.mark.parametrize("command", [(), ("monitoring",)], ids=["oneiric", "monitoring"])
def test_a_command_of_commands_alone_prints_its_help(command: tuple[str, ...]) -> None:
    """Without a subcommand it ends with 0 after its help, on standard output."""
    bare, helped = (CliRunner().invoke(app, [*command, *more]) for more in ((), ("--help",)))
    assert (bare.exit_code, bare.stdout.strip(), bare.stderr) == (0, helped.stdout.strip(), "")


@pytest.mark.parametrize("at", [1, *(pytest.param(at, marks=pytest.mark.slow) for at in (10, 100)), 300])
@pytest.mark.parametrize("command", [("demo", "--port", "0", "--seconds", "1"), ("monitoring", "drill", "--list")])
def test_an_interrupt_while_it_imports_leaves_no_traceback(command: tuple[str, ...], at: int, tmp_path: Path) -> None:
    """Whichever import Ctrl-C hits, the process ends by the signal and prints nothing."""
    arguments = [sys.executable, str(INTERRUPTED), str(at + 3), *command]  # 3: those up to the command's entry
    done = subprocess.run(
        arguments, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path, env=untraced()
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("export", "--out", ""), "--out"),
        (("check", ""), "paths"),
        (("check", "--against", ""), "--against"),
        (("drill", ""), "drill --list"),
    ],
    ids=["export", "check", "against", "drill"],
)
def test_an_empty_argument_is_refused(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty text, of a variable that is not set say, is an error and never the current directory."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["monitoring", *arguments])
    assert (done.exit_code, done.stdout, list(tmp_path.iterdir())) == (2, "", [])
    assert said in done.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "the drill failed: [Errno 24] Too many open files"),
        (OSError(errno.ENOSPC, "No space left on device"), "the sandbox cannot be written: "),
        (ActivityStoreError("state.db: full"), "the sandbox cannot be written: state.db: full; TMPDIR"),
    ],
    ids=["too many files", "full disk", "full store"],
)
def test_only_what_is_wrong_with_the_sandbox_is_called_so(error: Exception, said: str) -> None:
    """An error within a drill is one of the sandbox where that cannot be written, and else what it says itself."""
    with pytest.raises(DrillError) as refused, session._directory() as directory:
        raise error
    assert str(refused.value).startswith(said)
    assert ("TMPDIR" in str(refused.value)) == said.startswith("the sandbox")
    assert not directory.exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "the command failed: Too many open files"),
        (OSError(errno.EACCES, "Permission denied", "/etc/shadow"), "/etc/shadow: Permission denied"),
        (OSError("nobody answers"), "the command failed: nobody answers"),
    ],
)
def test_only_what_is_wrong_with_the_output_is_called_so(
    error: OSError, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error of the system that no command handles is reported in one line, which is about its own subject."""
    cli._report(error)
    assert capsys.readouterr() == ("", f"oneiric: {said}\n")
