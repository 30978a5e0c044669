"""A base image of this machine's own packages: for tests of containers where no registry can be reached."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("python3", "python3-pip", "ca-certificates")
"""Debian packages of the image, beside those that every system has."""
LEFT_OUT = ("/usr/share/doc", "/usr/share/man", "/usr/share/locale")
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
ENVIRONMENT = {
    "PIP_BREAK_SYSTEM_PACKAGES": "1",  # Debian's pip asks for it, that of the published image does not
    **{name: os.environ[name] for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX") if name in os.environ},
    "PIP_CERT": AUTHORITIES,
    "SSL_CERT_FILE": AUTHORITIES,
}
"""The environment of the image: packages come from where they come from on this machine."""


def write_base(archive: Path) -> None:
    """Write the file system of the image to *archive*, `/usr` first and no path twice."""
    seen: set[str] = set()
    with tarfile.open(archive, "w") as tar:
        for path in _paths():
            for one in (*reversed([str(parent) for parent in Path(path).parents][:-1]), path):
                if one not in seen and os.path.lexists(one):
                    seen.add(one)
                    tar.add(one, arcname=one.lstrip("/"), recursive=False)
        for name in ("passwd", "group"):  # without this machine's own users
            tar.add(f"/usr/share/base-passwd/{name}.master", arcname=f"etc/{name}")


def _paths() -> Iterator[str]:
    """Yield every path of the packages, with no link in it but its last part."""
    named = _output("dpkg", "-L", *_packages()).splitlines()
    for path in sorted({AUTHORITIES, "/bin", "/lib", "/lib64", "/sbin", *named} - {"/."}, key=_usr_first):
        if not path.startswith(LEFT_OUT):
            yield str(Path(path).parent.resolve() / Path(path).name)


def _usr_first(path: str) -> tuple[bool, str]:
    return not path.startswith("/usr"), path


def _packages() -> set[str]:
    """Return the packages that are needed and installed: the essential ones, `PACKAGES`, and what they depend on."""
    shown = _output("dpkg-query", "--show", "--showformat", "${Package} ${Essential}\n").splitlines()
    installed = dict(line.split(" ") for line in shown)
    essential = [name for name, answer in installed.items() if answer == "yes"]
    kinds = ("recommends", "suggests", "enhances", "conflicts", "breaks", "replaces")
    options = ["--recurse", "--installed", *(f"--no-{kind}" for kind in kinds)]
    needed = _output("apt-cache", "depends", *options, *PACKAGES, *essential).splitlines()
    return installed.keys() & set(needed)


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
