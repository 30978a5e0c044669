"""What makes the protection of a server whole: rules for its settings and for its arguments alike."""

from __future__ import annotations

from typing import Protocol


class Access(Protocol):
    """The files and names that protect a server; None where there is none."""

    @property
    def tls_cert_file(self) -> object:
        """The certificate."""

    @property
    def tls_key_file(self) -> object:
        """Its private key."""

    @property
    def tls_client_ca_file(self) -> object:
        """Who signs the certificates of clients."""

    @property
    def basic_auth_user(self) -> str | None:
        """The user of basic authentication."""

    @property
    def basic_auth_password_file(self) -> object:
        """His password."""


def require_whole(access: Access) -> None:
    """Raise ValueError, naming what is wrong and what is expected, where *access* is half of a configuration."""
    if (access.tls_cert_file is None) != (access.tls_key_file is None):
        raise ValueError("tls_cert_file and tls_key_file: either both or none expected")
    if access.tls_client_ca_file is not None and access.tls_cert_file is None:
        raise ValueError("tls_client_ca_file: expected together with tls_cert_file and tls_key_file")
    user = access.basic_auth_user
    if (user is None) != (access.basic_auth_password_file is None):
        raise ValueError("basic_auth_user and basic_auth_password_file: either both or none expected")
    if user is not None and not is_user(user):
        raise ValueError(f"basic_auth_user = {user[:80]!r}: printable text without a colon expected")


def is_user(name: str) -> bool:
    """Whether *name* can be the user of basic authentication (RFC 7617)."""
    return bool(name) and name.isprintable() and ":" not in name
