"""The bounds of the metrics server."""

from __future__ import annotations

from dataclasses import dataclass, fields

from oneiric.core import limits


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What a server open to a network must bound; ValueError for a bound that is not positive.

    Attributes:
        max_connections: Connections at once; for a further one, the one that has waited longest for its client is
            closed. A third of them with TLS, which holds some 50 KiB for each, and fewer where the process may not
            open that many descriptors.
        max_header_bytes: Longest request, up to the empty line after its headers; a longer one is answered 431.
        header_timeout: Seconds from a connection's first to its request's last byte, a TLS handshake included.
        write_timeout: Seconds for a client to take the whole response.
        linger_timeout: Seconds for a client to stop sending what nobody reads.
    """

    max_connections: int = limits.MAX_CONNECTIONS
    max_header_bytes: int = limits.MAX_HEADER_BYTES
    header_timeout: float = limits.HEADER_TIMEOUT
    write_timeout: float = limits.WRITE_TIMEOUT
    linger_timeout: float = limits.LINGER_TIMEOUT

    def __post_init__(self) -> None:
        """Refuse a bound that would refuse everything."""
        wrong = [f"{field.name}={value!r}" for field in fields(self) if not (value := getattr(self, field.name)) > 0]
        if wrong:
            raise ValueError(f"must be positive: {', '.join(wrong)}")
