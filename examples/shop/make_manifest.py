"""Sign a manifest that brings a third cache, with a key that is made where there is none.

python make_manifest.py [DIRECTORY]    # the current one by default

Writes manifest.json, signing-key (for its owner only; keep it off the machine that runs the service) and shop.env, the
environment with which the service trusts the key and takes factories of the shop: a service manager reads it as an
environment file, a shell with ``set -a; . ./shop.env``.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from oneiric.core.security import FACTORY_ALLOWLIST_ENV
from oneiric.remote.security import ENV_TRUSTED_PUBLIC_KEYS, generate_signing_key, sign_manifest_for_publishing

VALIDITY = timedelta(days=30)
ENTRY = {
    "domain": "adapter",
    "key": "cache",
    "provider": "bounded",
    "factory": "shop.remote:bounded_cache",
    "priority": -1,  # it is there to be swapped in; nothing is swapped because it arrives
    "version": "1.0.0",
}


def main(directory: Path) -> None:
    """Write the manifest, and the key and the environment where they are missing."""
    private, public = keys(directory / "signing-key")
    now = datetime.now(UTC)
    manifest = {
        "source": "shop",
        "signed_at": now.isoformat(),
        "expires_at": (now + VALIDITY).isoformat(),
        "entries": [ENTRY],
    }
    signed = manifest | {"signature": sign_manifest_for_publishing(manifest, private)}
    replace(directory / "manifest.json", json.dumps(signed, indent=2))
    replace(directory / "shop.env", f"{ENV_TRUSTED_PUBLIC_KEYS}={public}\n{FACTORY_ALLOWLIST_ENV}=oneiric.,shop.")


def keys(path: Path) -> tuple[str, str]:
    """Return the private and the public key, base64; the private one is kept at *path*, and made if need be."""
    if path.exists():
        private = path.read_text(encoding="ascii").strip()
        key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(private))
        return private, base64.b64encode(key.public_key().public_bytes_raw()).decode()
    private, public = generate_signing_key()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(f"{private}\n")
    return private, public


def replace(path: Path, text: str) -> None:
    """Write *text* so that a reader finds the old or the new file."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(f"{text}\n", encoding="utf-8")
    new.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
