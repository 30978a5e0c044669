"""Signing and verifying: what is signed, by whom, and that nothing can be changed afterwards."""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from remote_support import Publisher, entry, manifest

from oneiric.remote.errors import RemoteSyncError
from oneiric.remote.manifest import (
    ENV_TRUSTED_PUBLIC_KEYS,
    generate_signing_key,
    read_manifest,
    sign_manifest_for_publishing,
)
from oneiric.remote.manifest.signatures import (
    SignatureVerificationError,
    fingerprint_of,
    get_canonical_manifest_for_signing,
    load_trusted_public_keys,
    sanitize_filename,
    verify_manifest_signature,
    verify_manifest_signatures,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(content=st.dictionaries(st.text(max_size=8), JSON, max_size=5))
@settings(deadline=None, max_examples=100)
def test_what_is_signed_verifies_after_a_round_trip(content: dict[str, Any]) -> None:
    """Any manifest verifies after it was written as JSON and read again, in whatever order of keys."""
    private, public = generate_signing_key()
    signature = sign_manifest_for_publishing(content, private)
    again = json.loads(json.dumps(dict(reversed(content.items()))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ENV_TRUSTED_PUBLIC_KEYS, public)
        text = get_canonical_manifest_for_signing({**again, "signature": signature})
        assert verify_manifest_signature(text, signature) == (True, None)
        assert verify_manifest_signatures(text, [signature]) == (True, None, 1)


DOCUMENT = manifest(serial=7, expires_at="2028-01-01T00:00:00Z", entries=[entry(metadata={"title": "Grüße", "n": 1.5})])
PUBLISHER = Publisher()
SIGNED = json.dumps(PUBLISHER.sign(DOCUMENT), separators=(",", ":")).encode()
UNCHANGED = read_manifest(SIGNED, max_entries=10)


@given(position=st.integers(0, len(SIGNED) - 1), byte=st.integers(0, 255))
@settings(deadline=None, max_examples=600)
def test_any_change_of_one_byte_is_refused(position: int, byte: int) -> None:
    """Changing a byte either leaves the same content, as another spelling may, or no longer verifies."""
    changed = SIGNED[:position] + bytes([byte]) + SIGNED[position + 1 :]
    try:
        read = read_manifest(changed, max_entries=10)
    except RemoteSyncError:
        return
    if (read.canonical, read.signatures) == (UNCHANGED.canonical, UNCHANGED.signatures):
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ENV_TRUSTED_PUBLIC_KEYS, PUBLISHER.public)
        signatures = [item.signature for item in read.signatures if item.algorithm == "ed25519"]
        assert verify_manifest_signatures(read.canonical, signatures)[0] is False


@given(content=st.binary(max_size=300))
@settings(deadline=None, max_examples=300)
def test_reading_anything_raises_nothing_else(content: bytes) -> None:
    """Whatever the bytes are, reading them gives a manifest or the one kind of error."""
    with suppress(RemoteSyncError):
        read_manifest(content, max_entries=10)


@given(text=st.text(alphabet="{}[]:,-?&*!|>'\"%@` \n\tab0.~#", max_size=60))
@settings(deadline=None, max_examples=400)
def test_reading_anything_like_yaml_raises_nothing_else(text: str) -> None:
    """Nor does anything made of what YAML is made of."""
    with suppress(RemoteSyncError):
        read_manifest(f"entries: []\nx: {text}".encode(), max_entries=10)


def test_the_canonical_text_is_what_it_is_documented_to_be() -> None:
    """Sorted keys, no blanks, ASCII escapes, and no signatures."""
    document = {
        "b": "é",
        "a": [1, {"d": None, "c": True}],
        "signature": "x",
        "signatures": [],
        "signature_algorithm": "",
    }
    assert get_canonical_manifest_for_signing(document) == '{"a":[1,{"c":true,"d":null}],"b":"\\u00e9"}'


def test_a_fingerprint_is_the_beginning_of_the_keys_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen hexadecimal digits of the SHA-256 of the raw key."""
    _private, public = generate_signing_key()
    monkeypatch.setenv(ENV_TRUSTED_PUBLIC_KEYS, public)
    (key,) = load_trusted_public_keys()
    assert fingerprint_of(key) == hashlib.sha256(base64.b64decode(public)).hexdigest()[:16]


def test_unusable_trusted_keys_are_told_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad key does not spoil the good ones, a key given twice counts once, and blanks do not matter."""
    _private, public = generate_signing_key()
    short = base64.b64encode(b"short").decode()
    monkeypatch.setenv(ENV_TRUSTED_PUBLIC_KEYS, f" {public} ,, ***,{short},{public}")
    problems: list[ValueError] = []
    assert len(load_trusted_public_keys(on_invalid=problems.append)) == 1
    assert [str(problem).split(":")[0] for problem in problems] == ["invalid-public-key"] * 2


def test_nothing_verifies_without_trusted_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without keys the answer names the variable to set."""
    monkeypatch.delenv(ENV_TRUSTED_PUBLIC_KEYS, raising=False)
    expected = f"No trusted public keys configured (set {ENV_TRUSTED_PUBLIC_KEYS})"
    assert verify_manifest_signature("{}", "x") == (False, expected)
    assert verify_manifest_signatures("{}", ["x"]) == (False, expected, 0)


def test_a_threshold_below_one_is_refused() -> None:
    """A threshold of nobody is no threshold."""
    assert verify_manifest_signatures("{}", [], threshold=0) == (False, "Signature threshold must be >= 1", 0)


@pytest.mark.parametrize(
    ("signature", "text"),
    [("", "Signature is empty"), (" ", "Signature is empty"), ("*", "Invalid base64 signature: ")],
)
def test_an_unusable_signature_is_explained(monkeypatch: pytest.MonkeyPatch, signature: str, text: str) -> None:
    """What is no signature at all is told apart from one that does not fit."""
    monkeypatch.setenv(ENV_TRUSTED_PUBLIC_KEYS, generate_signing_key()[1])
    ok, error = verify_manifest_signature("{}", signature)
    assert not ok
    assert error is not None
    assert error.startswith(text)


def test_base64_has_one_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bits that base64 leaves unused cannot be played with."""
    private, public = generate_signing_key()
    monkeypatch.setenv(ENV_TRUSTED_PUBLIC_KEYS, public)
    signature = sign_manifest_for_publishing({}, private)
    last = signature[-3]
    twin = next(
        c
        for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        if c != last and _same(signature, c)
    )
    assert verify_manifest_signature("{}", f"{signature[:-3]}{twin}==")[0] is False


def _same(signature: str, last: str) -> bool:
    return base64.b64decode(f"{signature[:-3]}{last}==") == base64.b64decode(signature)


def test_the_error_of_verification_is_a_refusal() -> None:
    """It says why in the same way as every other refusal."""
    assert SignatureVerificationError("x").reason == "signature"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("demo.whl", "demo.whl"),
        ("../../etc/passwd", "etc_passwd"),
        ("a\\b\0c", "a_bc"),
        ("/./..", "sanitized_file"),
        ("", "sanitized_file"),
    ],
)
def test_a_sanitized_name_stays_in_its_directory(name: str, expected: str) -> None:
    """No part of a name leads anywhere."""
    assert sanitize_filename(name) == expected
