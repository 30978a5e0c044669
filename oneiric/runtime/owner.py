"""Root's commands act as the user whose files they are, so that they leave none that the service cannot write."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def act_as_owner(directory: Path) -> None:
    """Let this process, if it is root's, go on as the owner of *directory*, or of the nearest above it that exists.

    For good: with that user's id, groups and home.
    """
    if os.geteuid() != 0:
        return
    place = directory.absolute()
    while not place.exists():
        place = place.parent
    status = place.stat()
    if status.st_uid == 0:
        return
    try:
        user = pwd.getpwuid(status.st_uid)
    except KeyError:  # a user without a name, in a container say
        os.setgroups([])
        os.setgid(status.st_gid)
    else:
        os.initgroups(user.pw_name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.environ["HOME"] = user.pw_dir
    os.setuid(status.st_uid)
