"""Certificates for tests: short-lived, and for the loopback only."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Identity:
    """A certificate that has signed itself, and its private key."""

    certificate: bytes
    key: bytes

    def write(self, certificate: Path, key: Path) -> None:
        """Write both, in PEM; to one file if it is the same."""
        if certificate == key:
            certificate.write_bytes(self.key + self.certificate)
            return
        key.write_bytes(self.key)
        certificate.write_bytes(self.certificate)


def make_identity(name: str = "oneiric test", *, passphrase: str = "") -> Identity:
    """Return a new identity for 127.0.0.1, its key encrypted if there is a passphrase."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return Identity(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM), private)


def write_certificate(path: Path, *, name: str = "oneiric test") -> Path:
    """Write a new identity, certificate and key, to *path* and return it."""
    make_identity(name).write(path, path)
    return path
