"""The settings of the metrics server: its bounds, and who may read the metrics."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads it at run time
from typing import Annotated

from pydantic import Field, model_validator

from oneiric.core import limits
from oneiric.core.access_rules import require_whole
from oneiric.core.config.section import Section

_Seconds = Annotated[float, Field(gt=0, le=3600)]


class MetricsServerSettings(Section):
    """What bounds and protects the metrics server; times in seconds, files re-read whenever they change.

    Attributes:
        tls_cert_file: The server's certificate and those it is signed by, in PEM.
        tls_key_file: Its private key, in PEM, without a passphrase.
        tls_client_ca_file: Who signs the certificates that clients must show, in PEM; None asks for none.
        bearer_token_file: Holds the token that a scraper must show, in one line.
        basic_auth_user: The user that a scraper must be; either this or the token suffices.
        basic_auth_password_file: Holds his password, in one line.
        max_connections: Connections at once, a third of them with TLS; a further one closes the one that has waited
            longest. Fewer where the process may not open that many descriptors.
        max_header_bytes: Longest head of a request.
        header_timeout: For a request to arrive, from the connection on.
        write_timeout: For a client to take its response.
        linger_timeout: For a client to stop sending once it is answered.
        render_timeout: For a page to be rendered, before a page without samples is answered.
        page_reuse: For how long a page that eight or more scrapers waited for is answered again; 0 for never.
    """

    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    tls_client_ca_file: Path | None = None
    bearer_token_file: Path | None = None
    basic_auth_user: str | None = None
    basic_auth_password_file: Path | None = None
    max_connections: int = Field(default=limits.MAX_CONNECTIONS, ge=1, le=100_000)
    max_header_bytes: int = Field(default=limits.MAX_HEADER_BYTES, ge=256, le=1024 * 1024)
    header_timeout: _Seconds = limits.HEADER_TIMEOUT
    write_timeout: _Seconds = limits.WRITE_TIMEOUT
    linger_timeout: _Seconds = limits.LINGER_TIMEOUT
    render_timeout: _Seconds = limits.RENDER_TIMEOUT
    page_reuse: Annotated[float, Field(ge=0, le=60)] = limits.PAGE_REUSE

    @model_validator(mode="after")
    def _is_whole(self) -> MetricsServerSettings:
        require_whole(self)
        return self
