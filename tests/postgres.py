"""A PostgreSQL of their own for tests: Debian's server on a free port, with a pooler and a line that can be cut."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from processes import REQUIRED, eventually, executable, free_port

from oneiric.adapters.activity import Server, migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 120.0
"""Seconds that a server may take for anything."""
_numbers = itertools.count()
_CONFIG = """
listen_addresses = '{addresses}'
port = {port}
unix_socket_directories = '{directory}'
max_connections = 50
shared_buffers = 16MB
fsync = off
"""
_HBA = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
_PGBOUNCER = """
[databases]
* = host={directory} port={port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
auth_type = any
pool_mode = {mode}
unix_socket_dir =
ignore_startup_parameters = extra_float_digits
"""


class Postgres:
    """A server of its own; everybody may do everything through its Unix socket.

    Args:
        tcp: Whether it listens on 127.0.0.1, too; one that is stopped and started may find its port taken then.

    Attributes:
        directory: Its files.
        port: Where it listens on 127.0.0.1, for whoever has a password.
    """

    def __init__(self, *, tcp: bool = True) -> None:
        self._programs = _programs()
        self.directory = Path(tempfile.mkdtemp(prefix="oneiric-postgres-"))
        self.port = free_port()
        self._user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
        self._process: subprocess.Popen[bytes] | None = None
        if self._user is not None:
            shutil.chown(self.directory, self._user)
        self._data = self.directory / "data"
        subprocess.run(
            [self._programs / "initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"],
            user=self._user,
            cwd=self.directory,
            check=True,
            capture_output=True,
            env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]},
        )
        (self._data / "pg_hba.conf").write_text(_HBA, encoding="utf-8")
        config = _CONFIG.format(port=self.port, directory=self.directory, addresses="127.0.0.1" if tcp else "")
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(config)

    @property
    def socket(self) -> Path:
        """Its Unix socket."""
        return self.directory / f".s.PGSQL.{self.port}"

    def start(self) -> None:
        """Start it, and return once it answers."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data],
                user=self._user,
                cwd=self.directory,
                stderr=log,
                stdout=log,
                env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]},
            )
        eventually(self.answers, what="PostgreSQL answers", seconds=PATIENCE)

    def stop(self, number: int = signal.SIGINT) -> None:
        """Stop it as the signal says, by default at once but in order; idempotent."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE)
            self._process = None

    def kill(self) -> None:
        """Kill every process of it, as if the machine had lost its power."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.stop(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop every process of it with SIGSTOP: its connections stay, and nothing answers."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let every process of it go on; idempotent."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def pids(self) -> list[int]:
        """Return its processes, the first one first."""
        if self._process is None:
            return []
        first = self._process.pid
        children = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii").split()
        return [first, *map(int, children)]

    def answers(self) -> bool:
        """Whether it answers."""
        assert self._process is not None
        if self._process.poll() is not None:
            pytest.fail(f"PostgreSQL ended: {(self.directory / 'log').read_text()[-2000:]}")
        with suppress(psycopg.OperationalError), self.connected():
            return True
        return False

    def remove(self) -> None:
        """Stop it and remove its files."""
        self.thaw()
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @contextmanager
    def connected(self, database: str = "postgres") -> Iterator[psycopg.Connection]:
        """Yield a connection of the superuser."""
        url = f"postgresql://postgres@/{database}?host={self.directory}&port={self.port}"
        with psycopg.connect(url, autocommit=True, connect_timeout=int(PATIENCE)) as connection:
            yield connection

    def run(self, *statements: str, database: str = "postgres") -> None:
        """Execute *statements* as the superuser."""
        with self.connected(database) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def url(self, database: str, user: str = "postgres") -> str:
        """Return the connection string of *user* through the Unix socket."""
        return f"postgresql://{user}@/{database}?host={self.directory}&port={self.port}"


class Line:
    """A line to the Unix socket *target* that can be cut without a word to either end, and mended.

    Attributes:
        port: Where it begins, on 127.0.0.1.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._whole = threading.Event()
        self._whole.set()
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._begin(self._accept)

    def cut(self) -> None:
        """Let nothing through any more."""
        self._whole.clear()

    def mend(self) -> None:
        """Let through what waits."""
        self._whole.set()

    def close(self) -> None:
        """Close both ends of every connection, and take no more."""
        self.mend()
        for one in (self._listening, *self._ends):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        for one in (self._listening, *self._ends):
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                self._ends.append(near)
                far = socket.socket(socket.AF_UNIX)
                self._ends.append(far)
                far.connect(str(self._target))
                self._begin(self._carry, near, far)
                self._begin(self._carry, far, near)

    def _begin(self, work: Callable[..., None], *args: socket.socket) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._whole.wait()
                sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextmanager
def pgbouncer(postgres: Postgres, directory: Path, *, mode: str) -> Iterator[int]:
    """Yield the port of a pgbouncer before *postgres*, with *mode* as its pool_mode."""
    program = executable("pgbouncer", package="pgbouncer")
    port = free_port()
    place = Path(tempfile.mkdtemp(prefix="oneiric-pgbouncer-"))
    config = place / "pgbouncer.ini"
    config.write_text(
        _PGBOUNCER.format(directory=postgres.directory, port=postgres.port, own_port=port, mode=mode), encoding="utf-8"
    )
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(place, user)
    with (directory / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen([program, config], user=user, stderr=log, stdout=log, cwd=place)
    try:
        eventually(lambda: _accepts(port), what="pgbouncer listens", seconds=PATIENCE)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)
        shutil.rmtree(place)


def tables(postgres: Postgres, **options: Any) -> Server:
    """Return a server with tables in a schema of their own, whose answers may take their time."""
    server = Server(postgres.url("postgres"), f"test_{next(_numbers)}", **{"timeout": PATIENCE / 4} | options)
    migrate(server)
    return server


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def _programs() -> Path:
    """Return the directory of the newest server's programs; without them the test is skipped, or fails."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    has_user = os.geteuid() != 0 or any(entry.pw_name == "postgres" for entry in pwd.getpwall())
    if found and has_user:
        return found[-1].parent
    reason = "needs the program postgres (Debian package postgresql)"
    if os.environ.get(REQUIRED):
        pytest.fail(reason)
    pytest.skip(reason)
