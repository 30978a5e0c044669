"""The walk from an empty directory to a running service: every command is typed, and what is printed is compared."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from documents import FENCE, FIRST_SERVICE, ROOT
from processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTALL = "python3 -m venv .venv && . .venv/bin/activate && pip install /path/to/oneiric\n"
"""The first step, which is not done again: what is tested is installed."""
START = "oneiric --import shop orchestrate\n"
SECONDS = 120
SEEN = {
    "oneiric status cache": "from the memory cache",
    "oneiric swap cache --provider file": "from the file cache",
    'oneiric pause cache --note "new prices"': "not paid: adapter:cache is paused",
}
"""What whoever types a command sees in the first terminal, within a second on an idle machine."""


def steps() -> Iterator[tuple[str, str]]:
    """Yield the commands of each step, and what they print, "" where the page does not say."""
    fences = FENCE.findall((ROOT / FIRST_SERVICE).read_text(encoding="utf-8"))
    for number, (language, text) in enumerate(fences):
        if language == "sh":
            after = fences[number + 1] if number + 1 < len(fences) else ("", "")
            yield text, after[1] if after[0] == "text" else ""


class Walk:
    """Somebody who follows the page in *directory*."""

    def __init__(self, directory: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ONEIRIC_", "XDG_"))}
        path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"  # noqa: PTH120 - of a link
        own = {"PATH": path, "HOME": str(directory), "ONEIRIC_METRICS_ADDRESS": "127.0.0.1:0"}
        self.environment = kept | own
        self.directory = directory
        self.service: subprocess.Popen[bytes] | None = None
        self.log = directory / "first-terminal"

    def start(self) -> None:
        """Start the service in the first terminal, and return when it is well."""
        with self.log.open("wb") as output:
            command = ["bash", "-c", f"exec {START}"]
            self.service = subprocess.Popen(
                command, cwd=self.directory, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )
        eventually(lambda: self.type("oneiric health")[0] == 0, what="the service is well", seconds=SECONDS)

    def see(self, line: str) -> None:
        """Wait until *line* is in the first terminal."""
        eventually(lambda: line in self.log.read_text(encoding="utf-8"), what=line, seconds=SECONDS)

    def type(self, commands: str) -> tuple[int, str]:
        """Type *commands* in the second terminal, and return the exit code and what was printed."""
        place = self.directory / ".place"
        script = f"set -euo pipefail\n{commands}\npwd > '{place}'"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode == 0:
            self.directory = Path(place.read_text(encoding="utf-8").strip())
        return done.returncode, done.stdout

    def stop(self) -> int:
        """Press Ctrl-C in the first terminal, and return the exit code."""
        assert self.service is not None
        self.service.send_signal(signal.SIGINT)
        return self.service.wait(SECONDS)


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a directory whose path is as short as a person's: that of a socket in it must not have 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="walk-") as directory:
        yield Path(directory)


@pytest.mark.slow
def test_who_follows_the_page_has_a_service(place: Path) -> None:
    """Every command of the page succeeds in its order and prints what the page shows; Ctrl-C ends the service well."""
    walk = Walk(place)
    (install, _), *rest = steps()
    assert install == INSTALL
    try:
        for commands, printed in rest:
            if commands == START:
                walk.start()
                continue
            follow(walk, commands, printed)
            for command in SEEN.keys() & set(commands.splitlines()):
                walk.see(SEEN[command])
        assert walk.stop() == 0
    finally:
        if walk.service is not None:
            walk.service.kill()
            walk.service.wait()


def follow(walk: Walk, commands: str, printed: str) -> None:
    """Type the commands of one step, those that only read the log until it has what is awaited."""

    def found() -> bool:
        status, output = walk.type(commands)
        assert status == 0, f"{commands}\n{output}"
        complete = shows(output, printed)
        assert complete or "oneiric logs" in commands, f"{commands}\n{output}"
        return complete

    eventually(found, what=f"{commands} shows {printed}", seconds=SECONDS)


def shows(output: str, printed: str) -> bool:
    """Return whether *output* has the lines *printed* in their order; an ellipsis stands for anything."""
    lines = (re.escape(line).replace("…", ".*") for line in printed.splitlines())
    return re.search(r"(?:.*\n)*?".join(f"^{line}$\n?" for line in lines), output, re.MULTILINE) is not None


def test_the_page_says_how_each_step_ends() -> None:
    """A line that is not printed is noticed, in whatever order the others are."""
    assert shows("a 1\nb\nc\n", "a …\nc\n")
    assert not shows("c\na 1\n", "a …\nc\n")
    assert not shows("ab\nba\n", "a\n")
