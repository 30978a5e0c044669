"""Who may read the metrics: TLS, and the credentials that a scraper must show."""

from __future__ import annotations

import hmac
import ssl
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from oneiric.core.access_rules import require_whole
from oneiric.observability.server.reloading import Reloaded, read_file, read_secret

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

_PEM_MARK: Final = b"-----BEGIN "


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSecurity:
    """Files that protect a server which others than this machine can reach; ValueError where one is missing.

    Each is read when the server starts, and again whenever it has changed; a bad one is then reported and the last good
    one stays in force. ``/livez``, ``/readyz`` and ``/`` ask for no credentials, but TLS holds for them too.

    Attributes:
        tls_cert_file: The certificate and those it is signed by, in PEM.
        tls_key_file: Its private key, in PEM, without a passphrase.
        tls_client_ca_file: Who signs the certificates that clients must show, in PEM.
        bearer_token_file: The token that ``Authorization: Bearer`` must have, in one line.
        basic_auth_user: The user that ``Authorization: Basic`` must have; either this or the token suffices.
        basic_auth_password_file: His password, in one line.
    """

    tls_cert_file: str | os.PathLike[str] | None = None
    tls_key_file: str | os.PathLike[str] | None = None
    tls_client_ca_file: str | os.PathLike[str] | None = None
    bearer_token_file: str | os.PathLike[str] | None = None
    basic_auth_user: str | None = None
    basic_auth_password_file: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        """Refuse half a configuration."""
        require_whole(self)

    @property
    def missing(self) -> str:
        """What keeps it from being safe beyond this machine: ``tls``, ``authentication``, both, or nothing."""
        authenticated = self.tls_client_ca_file or self.bearer_token_file or self.basic_auth_user is not None
        found = {"tls": self.tls_cert_file is not None, "authentication": bool(authenticated)}
        return ", ".join(name for name, there in found.items() if not there)


def tls_of(security: ServerSecurity, failed: Callable[[Exception], object]) -> Reloaded[ssl.SSLContext] | None:
    """Return the TLS context that *security* describes, None for none; ValueError for a file that is no good."""
    if security.tls_cert_file is None or security.tls_key_file is None:
        return None
    cert, key = Path(security.tls_cert_file), Path(security.tls_key_file)
    authority = None if security.tls_client_ca_file is None else Path(security.tls_client_ca_file)
    paths = tuple(path for path in (cert, key, authority) if path is not None)
    return Reloaded(paths, lambda: _context(cert, key, authority), failed)


class Credentials:
    """Whatever a scraper may show to be let in; for one thread."""

    def __init__(self, security: ServerSecurity, failed: Callable[[Exception], object]) -> None:
        self._accepted: list[tuple[str, Reloaded[bytes]]] = []
        if security.bearer_token_file is not None:
            token_path = Path(security.bearer_token_file)
            self._accepted.append(("bearer", Reloaded((token_path,), lambda: _token(token_path), failed)))
        if security.basic_auth_password_file is not None:
            user, password_path = (security.basic_auth_user or "").encode(), Path(security.basic_auth_password_file)
            self._accepted.append(("basic", Reloaded((password_path,), lambda: _pair(user, password_path), failed)))

    @property
    def challenges(self) -> tuple[tuple[str, str], ...]:
        """The headers that show a client how to show who it is; empty where nobody has to."""
        return tuple(("WWW-Authenticate", f'{scheme.title()} realm="metrics"') for scheme, _ in self._accepted)

    def allow(self, authorization: str) -> bool:
        """Whether a client with this Authorization header may read the metrics; takes the same time for any secret."""
        scheme, _, shown = authorization.partition(" ")
        secret = shown.strip(" ").encode("latin-1", "replace")
        # Every one is compared, so that the time says nothing of which are there.
        results = [
            hmac.compare_digest(secret, expected.get()) & (scheme.lower() == name) for name, expected in self._accepted
        ]
        return any(results) or not results


def _token(path: Path) -> bytes:
    token = read_secret(path, setting="bearer_token_file")
    if b" " in token:
        raise ValueError(f"bearer_token_file (file {str(path)!r}): one token without blanks expected")
    return token


def _pair(user: bytes, path: Path) -> bytes:
    return b64encode(user + b":" + read_secret(path, setting="basic_auth_password_file"))


def _context(cert: Path, key: Path, authority: Path | None) -> ssl.SSLContext:
    for path, setting in ((cert, "tls_cert_file"), (key, "tls_key_file"), (authority, "tls_client_ca_file")):
        if path is not None and _PEM_MARK not in read_file(path, setting=setting):
            raise ValueError(f"{setting} (file {str(path)!r}): PEM expected")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # it would let one connection keep the server computing
    try:
        context.load_cert_chain(cert, key, password=_no_passphrase)
    except (ssl.SSLError, OSError) as error:
        names = f"tls_cert_file (file {str(cert)!r}) and tls_key_file (file {str(key)!r})"
        raise ValueError(
            f"{names}: a certificate and its private key without a passphrase expected: {_reason(error)}"
        ) from error
    if authority is not None:
        _require_clients_of(context, authority)
    return context


def _require_clients_of(context: ssl.SSLContext, authority: Path) -> None:
    try:
        context.load_verify_locations(authority)
    except (ssl.SSLError, OSError) as error:
        raise ValueError(
            f"tls_client_ca_file (file {str(authority)!r}): certificates expected: {_reason(error)}"
        ) from error
    context.verify_mode = ssl.CERT_REQUIRED


def _no_passphrase() -> str:
    return ""  # without this, OpenSSL would ask for one on the terminal, and wait


def _reason(error: OSError) -> str:
    return getattr(error, "reason", None) or error.strerror or type(error).__name__
