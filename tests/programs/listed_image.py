"""Print as JSON what an image consists of: the owner, mode and content of every file, by its path."""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

OUTSIDE = {Path(path) for path in ("/proc", "/sys", "/dev")}
OUTSIDE |= {Path(path) for path in ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/.dockerenv")}
"""What docker puts there, not the image."""


def content(path: Path) -> str:
    """Return what is to be the same: where a link leads, or the digest of a file."""
    if path.is_symlink():
        return str(path.readlink())
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def below(directory: Path) -> Iterator[Path]:
    """Yield everything that the image has below *directory*."""
    for path in directory.iterdir():
        if path not in OUTSIDE:
            yield path
            if path.is_dir() and not path.is_symlink():
                yield from below(path)


def main() -> None:
    """List every file."""
    found = {}
    for path in below(Path("/")):
        status = path.lstat()
        found[str(path)] = f"{status.st_uid}:{status.st_gid} {status.st_mode:o} {content(path)}"
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
