"""Who is at the other end of a connection, and what he may do."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from oneiric.core.config import SettingsError
from oneiric.runtime.control.errors import denied

if TYPE_CHECKING:
    from oneiric.core.config import ControlConfig

Right = Literal["read", "change"]

_CREDENTIALS = struct.Struct("3i")
_SO_PEERGROUPS = 59  # socket(7); not in the module socket
_ID_BYTES = 4
_MAX_GROUPS = 256  # getsockopt of Python returns no more than 1,024 bytes


@dataclass(frozen=True)
class Peer:
    """The process that connected, as the kernel says (SO_PEERCRED, unix(7)).

    Attributes:
        groups: The ids of all its groups.
    """

    pid: int
    uid: int
    gid: int
    groups: frozenset[int]

    @classmethod
    def of(cls, connection: socket.socket) -> Peer:
        """Return the peer of *connection*; OSError where the kernel does not say."""
        size = _CREDENTIALS.size
        pid, uid, gid = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        return cls(pid, uid, gid, _groups(connection) | {gid})

    @property
    def user(self) -> str:
        """The name of the user, or its number where it has none."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)


@dataclass(frozen=True)
class Rights:
    """Who may do what.

    Attributes:
        uid: The user of the service, who may do everything, as root may.
        group: The id of the group whose members may have *group_rights*; None: no group.
    """

    uid: int
    group: int | None
    group_rights: Right

    @classmethod
    def of(cls, settings: ControlConfig) -> Rights:
        """Return the rights that *settings* give; SettingsError for a group that does not exist."""
        return cls(os.geteuid(), _group_id(settings.group), settings.group_rights)

    def require(self, peer: Peer, right: Right) -> None:
        """Raise a ControlError that says which user lacks which right, and which setting gives it."""
        if peer.uid in {0, self.uid}:
            return
        setting = "control.group, a group that the user is a member of"
        if self.group is not None and self.group in peer.groups:
            if right == "read" or self.group_rights == "change":
                return
            setting = "control.group_rights to change"
        raise denied(
            f"user {peer.user} ({peer.uid}) has no right to {right} this service",
            f"run it as root or as user {_name(self.uid)}, or set {setting}",
        )


def _groups(connection: socket.socket) -> frozenset[int]:
    """Return the further groups of the peer; none of one that has too many to be read."""
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MAX_GROUPS * _ID_BYTES)
    except OSError:
        return frozenset()
    return frozenset(struct.unpack(f"{len(raw) // _ID_BYTES}I", raw))


def _group_id(group: str | int | None) -> int | None:
    if group is None or isinstance(group, int):
        return group
    if group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise SettingsError(
            f"control.group: there is no group {group!r}; make it with groupadd, or name another"
        ) from None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
