"""The socket itself: who owns it, and how it comes to be and stays where it is."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.core.concurrency import renew_after_fork
from oneiric.core.config import SettingsError
from oneiric.core.descriptors import Descriptor
from oneiric.core.files import make_private_directory
from oneiric.runtime.control.ownership import lock_path, owner_of

if TYPE_CHECKING:
    from oneiric.runtime.control.peers import Rights

_BACKLOG = 64


class AlreadyOwnedError(SettingsError):
    """Another process serves this socket."""


class ControlSocket:
    """The listening socket at *path*, owned by one process at a time.

    The lock beside it ends with its process, however that ends: a socket whose lock is free is stale and is replaced.

    Args:
        path: Where it is.
        rights: Whether a group may connect.
    """

    def __init__(self, path: Path, rights: Rights) -> None:
        self.path = path
        self._rights = rights
        self._lock: Descriptor | None = None
        self._identity: tuple[int, int] | None = None
        renew_after_fork(self._forget)

    def open(self) -> socket.socket:
        """Own the socket and listen; AlreadyOwnedError where another process does, SettingsError for a bad place."""
        try:
            self._own()
            return self._listen()
        except AlreadyOwnedError:
            raise
        except OSError as error:
            self.close()
            raise SettingsError(
                f"control.socket: {self.path} cannot be listened on: {error.strerror or error}; its directory must "
                "belong to the user of the service, see control.socket (ONEIRIC_CONTROL__SOCKET)"
            ) from error

    def reopen_if_gone(self) -> socket.socket | None:
        """Return a new listening socket where somebody removed or replaced the file, else None; OSError as it comes."""
        return None if self._identity is not None and _identity(self.path) == self._identity else self._listen()

    def close(self) -> None:
        """Remove the socket if it still is ours, and let go of the lock; idempotent."""
        if self._identity is not None and _identity(self.path) == self._identity:
            with suppress(OSError):
                self.path.unlink()
        self._forget()

    def _own(self) -> None:
        self._make_directory()
        path = lock_path(self.path)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = Descriptor(os.open(path, flags, 0o644))  # who may not command may see who owns it
        try:
            fcntl.flock(lock.number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise AlreadyOwnedError(
                f"control.socket: {self.path} is served by process {owner_of(self.path) or 'unknown'} already; stop "
                "it, or give this service a state_dir and a control.socket of its own"
            ) from None
        self._lock = lock
        os.ftruncate(lock.number, 0)
        try:
            lock.write(f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            if error.errno != errno.ENOSPC:  # the lock holds on a full disk too; only the owner's name is unknown
                raise

    def _make_directory(self) -> None:
        """Make the directory where it is missing; one of a group's socket can be entered by the group."""
        directory, group = self.path.parent, self._rights.group
        is_new = not directory.exists()
        make_private_directory(directory)
        if is_new and group is not None:
            os.chown(directory, -1, group)
            directory.chmod(0o710)

    def _listen(self) -> socket.socket:
        """Make the socket under a temporary name in a private directory, and give it its name once it is ready."""
        if _is_no_socket(self.path):
            raise FileExistsError(errno.EEXIST, f"there is {_kind(self.path)} at its place")
        directory = Path(tempfile.mkdtemp(prefix=".", dir=self.path.parent))
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            made = directory / "s"
            _bind(listener, made)
            if self._rights.group is not None:
                os.chown(made, -1, self._rights.group)
            made.chmod(0o600 if self._rights.group is None else 0o660)
            listener.listen(_BACKLOG)
            self._identity = _identity(made)
            made.replace(self.path)
        except BaseException:
            listener.close()
            raise
        finally:
            with suppress(OSError):
                (directory / "s").unlink(missing_ok=True)
                directory.rmdir()
        return listener

    def _forget(self) -> None:
        """Have nothing to do with the lock any more: it ends when no other process has it either."""
        self._identity = None
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()


def _bind(listener: socket.socket, path: Path) -> None:
    """Bind *listener* to *path*, by way of its directory's descriptor: that path is short however long *path* is."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        listener.bind(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_no_socket(path: Path) -> bool:
    try:
        return not stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _kind(path: Path) -> str:
    return "a directory" if path.is_dir() else "a file that is no socket"
