"""A machine for tests: systemd, booted in a container from this machine's own programs, with nothing else running.

Its ``/usr`` and the interpreter of the tests are this machine's, read-only; everything else is a directory of its own,
as is its network. Booting takes two seconds.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path

import pytest
from documents import ROOT
from processes import PROGRAMS, REQUIRED, eventually, executable

PACKAGES = {
    "systemd-nspawn": "systemd-container",
    "nsenter": "util-linux",
    "rsyslogd": "rsyslog",
    "logrotate": "logrotate",
}
PATIENCE = 300.0
"""Seconds that anything may take in the machine."""
CGROUPS = Path("/sys/fs/cgroup")
USERS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
GROUPS = "root:x:0:\nadm:x:4:\nnogroup:x:65534:\n"
DIRECTORIES = (
    "etc/rsyslog.d",
    "opt/python",
    "opt/site",
    "opt/deps",
    "srv",
    "usr/local",
    "var/log/journal",
    "var/lib/logrotate",
    "var/spool/rsyslog",
)
COPIED = (
    "nsswitch.conf",
    "pam.d",
    "alternatives",
    "ld.so.conf.d",
    "ld.so.conf",
    "logrotate.conf",
    "rsyslog.conf",
    "os-release",
)
"""What the machine has of this machine's ``/etc``."""
NOT_INSTALLED = ("oneiric", "__editable__", "_virtualenv", "distutils-precedence", "a1_coverage")
"""What of the tests' own packages the machine's interpreter does not have."""


class Machine:
    """A machine in *directory*, not booted yet.

    Attributes:
        tree: Its root directory.
        source: Where the machine has the files of this repository's ``deploy`` and ``examples``.
    """

    source = "/srv/oneiric"

    def __init__(self, directory: Path) -> None:
        self.tree = directory / "tree"
        self._log = directory / "boot.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._cgroups: list[Path] = []
        self._build()

    def _build(self) -> None:
        for name in DIRECTORIES:
            (self.tree / name).mkdir(parents=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            (self.tree / name).symlink_to(f"usr/{name}")
        etc = self.tree / "etc"
        for name in COPIED:
            source = Path("/etc", name)
            if source.is_dir():
                shutil.copytree(source, etc / name, symlinks=True)
            elif source.exists():
                shutil.copy(source, etc / name)
        (etc / "machine-id").touch()
        (etc / "passwd").write_text(USERS, encoding="utf-8")
        (etc / "group").write_text(GROUPS, encoding="utf-8")
        (etc / "ld.so.conf.d").mkdir(exist_ok=True)
        (etc / "ld.so.conf.d" / "python.conf").write_text("/opt/python/lib\n", encoding="utf-8")
        for name in ("deploy", "examples"):
            shutil.copytree(ROOT / name, self.tree / "srv/oneiric" / name)
        local = self.tree / "usr.local/bin"
        local.mkdir(parents=True)
        shutil.copy(PROGRAMS / "python_of_machine.sh", local / "python3")
        for path in Path(sysconfig.get_paths()["purelib"]).iterdir():
            if not path.name.startswith(NOT_INSTALLED) and path.suffix != ".pth":
                (self.tree / "opt/deps" / path.name).symlink_to(f"/opt/site/{path.name}")

    def boot(self) -> None:
        """Boot it, and return once it runs."""
        binds = [
            "--bind-ro=/usr",
            f"--bind={self.tree / 'usr.local'}:/usr/local",
            f"--bind-ro={sys.base_prefix}:/opt/python",
            f"--bind-ro={sysconfig.get_paths()['purelib']}:/opt/site",
        ]
        options = ["--boot", "--register=no", "--keep-unit", "--private-network", "--console=pipe", "--quiet"]
        command = ["systemd-nspawn", f"--directory={self.tree}", *options, *binds]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", self._entering_cgroups() + 'exec "$@"', "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._leader = eventually(self._find_leader, what="the machine has a first process")
        eventually(lambda: self._state() in {"running", "degraded"}, what="the machine runs", seconds=PATIENCE)
        self.run("ldconfig")

    def _entering_cgroups(self) -> str:
        """Return commands by which a process enters control groups of its own: two machines may run at once."""
        name = f"oneiric-tests-{os.getpid()}-{id(self)}"
        places = [CGROUPS / part for part in ("systemd", "unified")] if (CGROUPS / "systemd").exists() else [CGROUPS]
        self._cgroups = [place / name for place in places if (place / "cgroup.procs").exists()]
        for group in self._cgroups:
            group.mkdir()
        return "".join(f"echo $$ > {group}/cgroup.procs; " for group in self._cgroups)

    def _find_leader(self) -> int:
        assert self._process is not None
        if self._process.poll() is not None:
            pytest.fail(f"systemd-nspawn ended with {self._process.returncode}: {self._log.read_text()[-2000:]}")
        number = self._process.pid
        children = Path(f"/proc/{number}/task/{number}/children").read_text(encoding="ascii").split()
        for child in children:
            with suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text(encoding="ascii").strip() == "systemd":
                    return int(child)
        return 0

    def _state(self) -> str:
        return self.run("systemctl", "is-system-running", check=False).stdout.strip()

    def run(
        self, *command: str, user: str = "", check: bool = True, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run *command* in it, as root or as *user*, and return how it ended; it must end with 0 if *check*."""
        entered = ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-C"]
        environment = ["env", "-i", "PATH=/usr/local/bin:/usr/bin:/usr/sbin", "LANG=C.UTF-8"]
        becoming = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        done = subprocess.run(
            [*entered, *becoming, *environment, *command],
            capture_output=True,
            text=True,
            input=stdin,
            timeout=PATIENCE,
            check=False,
        )
        if check:
            assert done.returncode == 0, (command, done.stdout, done.stderr, self._journal())
        return done

    def shell(self, commands: str) -> str:
        """Run *commands* in a shell and return what they print."""
        return self.run("bash", "-euo", "pipefail", "-c", commands).stdout

    def path(self, name: str) -> Path:
        """Return where the file *name* of the machine is here."""
        return self.tree / name.lstrip("/")

    def property(self, unit: str, name: str) -> str:
        """Return what systemd says of *unit*."""
        return self.run("systemctl", "show", f"--property={name}", "--value", unit).stdout.strip()

    def _journal(self) -> str:
        return self.run("journalctl", "--no-pager", "--lines=30", "--output=cat", check=False).stdout

    def stop(self) -> None:
        """End everything in it, and leave nothing of it behind; idempotent."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()  # systemd-nspawn has it shut down in order
            try:
                process.wait(PATIENCE / 5)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.kill(self._leader, signal.SIGKILL)
                process.kill()
                process.wait()
        for group in self._cgroups:
            for path in sorted(group.rglob("*/"), key=lambda path: len(path.parts), reverse=True):
                path.rmdir()
            group.rmdir()
        self._cgroups = []


def needed() -> None:
    """Skip the test in one line, or fail where servers are required, unless a machine can be booted here."""
    for program, package in PACKAGES.items():
        executable(program, package=package)
    if os.geteuid() != 0 or not CGROUPS.exists():
        if os.environ.get(REQUIRED):
            pytest.fail("needs root, to boot a machine")
        pytest.skip("needs root, to boot a machine")
