"""A synchronisation that fails: the reason, and that it leaves nothing behind."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from remote_support import SIGNED_AT, Answer, Publisher, Site, entry, leftovers, manifest, page

from oneiric.core.events import (
    ArtifactFetch,
    DigestMismatched,
    EntryRejected,
    ManifestUnsigned,
    Registered,
    RemoteSync,
    SignatureExpired,
    SignatureInvalid,
    SignatureVerified,
)
from oneiric.remote.errors import RemoteSyncError, may_pass
from oneiric.remote.manifest.parsing import MAX_DEPTH, parse_manifest
from oneiric.remote.manifest.reading import MAX_SERIAL, MAX_SIGNATURES
from oneiric.remote.telemetry import load_remote_telemetry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support import Recorder

    from oneiric.core.resolution import Resolver
    from oneiric.remote.source import RemoteSource

    Make = Callable[..., RemoteSource]


@dataclass
class Failing:
    """Synchronises, and expects that to fail without a trace."""

    resolver: Resolver
    recorder: Recorder
    cache_dir: Path

    async def sync(self, source: RemoteSource, reason: str, error: type[Exception] = RemoteSyncError) -> str:
        """Return the text of the error, having checked what was told, registered, remembered and left behind."""
        with pytest.raises(error) as raised:
            await source.sync()
        ended = self.recorder.endings(RemoteSync)[-1]
        assert isinstance(ended.operation, RemoteSync)
        assert (ended.outcome, ended.reason) == ("failed", reason)
        assert ended.operation.consecutive_failures == 1
        assert ended.error_type == type(raised.value).__name__
        assert self.recorder.of(Registered) == []
        assert self.resolver.list_active("adapter") == []
        assert leftovers(self.cache_dir) == []
        assert load_remote_telemetry(self.cache_dir).last_error == ended.error
        return str(raised.value)


@pytest.fixture
def failing(resolver: Resolver, recorder: Recorder, cache_dir: Path) -> Failing:
    """Expect failures."""
    return Failing(resolver, recorder, cache_dir)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{n}: &{n} [*a,*a,*a]\n" for n in "bcdefgh") + "entries: []\n"

MALFORMED = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\t\n", "is empty"),
    "only a comment": (b"# nothing\n", "must be a mapping at the top level"),
    "a list": (b"[]", "must be a mapping at the top level"),
    "a string": (b'"entries"', "must be a mapping at the top level"),
    "not UTF-8": (b'{"entries": ["\xff"]}', "is not valid UTF-8 (byte 14)"),
    "neither JSON nor YAML": (b'{"entries": [}', "is neither JSON (line 1"),
    "no entries": (b'{"source": "demo"}', "has no list of 'entries'"),
    "entries no list": (b'{"entries": {}}', "has no list of 'entries'"),
    "a key twice in JSON": (b'{"entries": [], "entries": []}', "gives the key 'entries' twice"),
    "a key twice in YAML": (b"entries: []\nentries: []\n", "gives the key 'entries' twice"),
    "a key twice deep in YAML": (b"entries: [{key: a, 'key': b}]\n", "gives the key 'key' twice"),
    "NaN in JSON": (b'{"entries": [], "x": NaN}', "holds NaN"),
    "an infinite number in JSON": (b'{"entries": [], "x": 1e999}', "a number that is not finite"),
    "an infinite number in YAML": (b"entries: []\nx: .inf\n", "a number that is not finite"),
    "a number with too many digits": (b'{"entries": [], "x": ' + b"9" * 5000 + b"}", "an unusable value"),
    "half a surrogate pair": (b'{"entries": [], "x": "\\ud800"}', "half of a surrogate pair"),
    "a YAML number with too many digits": (b"entries: []\nx: " + b"9" * 5000, "an unusable value"),
    "a YAML number too large for a float": (b"entries: []\nx: 1e999\n", "a number that is not finite"),
    "a number as a key": (b"entries: []\n1: x\n", "a key that is no string: int"),
    "an explicit tag": (b"entries: !!python/object/apply:os.system [x]\n", "an explicit YAML tag in line 1"),
    "an alias": (b"entries: &e []\nx: *e\n", "a YAML anchor or alias in line 1"),
    "an alias bomb": (BOMB.encode(), "a YAML anchor or alias in line 1"),
    "deep JSON": (b'{"entries": ' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", "nested more than 32 deep"),
    "very deep JSON": (b'{"entries": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested more than 32 deep"),
    "deep YAML": (b"entries: " + b"[" * MAX_DEPTH + b"x" + b"]" * MAX_DEPTH, "nested more than 32 deep"),
    "very deep YAML": (b"entries: " + b"[" * 100_000, "nest"),
    "a wrong type": (b'{"entries": [], "source": 7}', "is invalid: source: Input should be a valid string"),
    "a serial that is text": (b'{"entries": [], "serial": "7"}', "an invalid serial"),
    "a serial that is true": (b'{"entries": [], "serial": true}', "an invalid serial"),
    "a negative serial": (b'{"entries": [], "serial": -1}', "an invalid serial"),
    "too large a serial": (f'{{"entries": [], "serial": {MAX_SERIAL + 1}}}'.encode(), "an invalid serial"),
    "a time that is none": (b'{"entries": [], "expires_at": "soon"}', "Invalid ISO timestamp 'soon'"),
    "a time that is a number": (b'{"entries": [], "signed_at": 7}', "Invalid timestamp value of type int"),
    "too many signatures": (
        json.dumps({"entries": [], "signatures": ["x"] * (MAX_SIGNATURES + 1)}).encode(),
        "33 signatures, more than the 32 allowed",
    ),
}


@pytest.mark.parametrize(("raw", "text"), MALFORMED.values(), ids=MALFORMED.keys())
async def test_refuses_a_malformed_manifest(
    site: Site, source_for: Make, failing: Failing, raw: bytes, text: str
) -> None:
    """A manifest that cannot be understood says what is wrong with it."""
    assert text in await failing.sync(source_for(site.put("/m", Answer(raw))), "parse")


@pytest.mark.parametrize("opening", ['{"entries": ', "entries: "])
async def test_accepts_a_manifest_at_the_greatest_depth(site: Site, source_for: Make, opening: str) -> None:
    """The greatest depth itself is allowed, in JSON and in YAML."""
    depth = MAX_DEPTH - 1
    text = opening + "[" * depth + "]" * depth + ("}" if opening.startswith("{") else "\n")
    assert await source_for(site.put("/m", Answer(text.encode()))).sync() is not None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-12", -12),
        ("1.5", 1.5),
        ("-1e3", -1000.0),
        ("1:30", "1:30"),
        ("1" + ":1" * 150_000, None),
        ("1" + ":1" * 2000 + ".5", None),
        ("0x" + "f" * 5000, None),
        ("0b1", "0b1"),
        ("017", "017"),
        ("1_000", "1_000"),
        ("+1", "+1"),
    ],
)
def test_a_number_in_yaml_is_what_it_is_in_json(text: str, value: object) -> None:
    """YAML's own forms of numbers, some of which take time without bound to read, stay the text that they are."""
    assert parse_manifest(f"x: {text}".encode()) == {"x": text if value is None else value}


async def test_refuses_two_entries_for_the_same_candidate(site: Site, source_for: Make, failing: Failing) -> None:
    """Two entries with the same domain, key and provider are an error, not a race."""
    url = site.put("/m", page(manifest(entries=[entry(), entry(version="2")])))
    text = await failing.sync(source_for(url), "parse")
    assert text == "Remote manifest has two entries for 'adapter'/'demo'/'remote'."


@pytest.mark.parametrize(("spare", "reason"), [(0, None), (-1, "too_large")])
async def test_bounds_the_size_of_a_manifest(
    site: Site, source_for: Make, failing: Failing, spare: int, reason: str | None
) -> None:
    """A manifest of exactly the allowed size is accepted, one byte more is refused."""
    answer = page(manifest())
    source = source_for(site.put("/m", answer), max_manifest_bytes=len(answer.body) + spare)
    if reason is None:
        assert await source.sync() is not None
    else:
        await failing.sync(source, reason)


async def test_bounds_a_manifest_whose_size_is_not_announced(site: Site, source_for: Make, failing: Failing) -> None:
    """The size is bounded while reading, too."""
    answer = page(manifest())
    answer.chunked = True
    await failing.sync(source_for(site.put("/m", answer), max_manifest_bytes=len(answer.body) - 1), "too_large")


@pytest.mark.parametrize(("spare", "reason"), [(0, None), (-1, "too_large")])
async def test_bounds_the_number_of_entries(
    site: Site, source_for: Make, failing: Failing, spare: int, reason: str | None
) -> None:
    """As many entries as allowed are accepted, one more is refused."""
    source = source_for(site.put("/m", page(manifest(entries=[entry(key=k) for k in "abc"]))), max_entries=3 + spare)
    if reason is None:
        assert await source.sync() is not None
    else:
        await failing.sync(source, reason)


@pytest.mark.parametrize(("spare", "reason"), [(0, None), (-1, "too_large")])
@pytest.mark.parametrize("chunked", [False, True])
async def test_bounds_the_size_of_an_artifact(
    site: Site, source_for: Make, failing: Failing, *, spare: int, reason: str | None, chunked: bool
) -> None:
    """An artifact of exactly the allowed size is accepted, one byte more is refused, announced or not."""
    artifact = site.artifact("/a", b"12345")
    site.pages["/a"][0].chunked = chunked
    source = source_for(site.put("/m", page(manifest(entries=[entry(**artifact)]))), max_artifact_bytes=5 + spare)
    if reason is None:
        assert await source.sync() is not None
    else:
        await failing.sync(source, reason)


async def test_refuses_an_unsigned_manifest_where_keys_are_trusted(
    site: Site, publisher: Publisher, source_for: Make, failing: Failing, recorder: Recorder
) -> None:
    """Stripping the signature gains nothing once somebody is trusted."""
    assert publisher.public
    text = await failing.sync(source_for(site.put("/m", page(manifest()))), "signature")
    assert text == "Manifest signature required but not provided."
    assert recorder.of(ManifestUnsigned) == [ManifestUnsigned(source="remote")]


async def test_refuses_an_unsigned_manifest_where_a_signature_is_required(
    site: Site, source_for: Make, failing: Failing
) -> None:
    """A required signature is required whether keys are trusted or not."""
    await failing.sync(source_for(site.put("/m", page(manifest())), signature_required=True), "signature")


async def test_refuses_everything_when_the_trusted_keys_are_unusable(
    site: Site, source_for: Make, failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped key does not turn verification off."""
    monkeypatch.setenv("ONEIRIC_TRUSTED_PUBLIC_KEYS", "mistyped")
    await failing.sync(source_for(site.put("/m", page(manifest()))), "signature")


async def test_refuses_a_signature_by_somebody_else(
    site: Site, publisher: Publisher, source_for: Make, failing: Failing, recorder: Recorder
) -> None:
    """A signature that no trusted key made is told as invalid."""
    assert publisher.public
    text = await failing.sync(source_for(site.put("/m", Publisher().document())), "signature")
    assert text == "Signature verification failed with all 1 trusted keys: key_0: signature mismatch"
    (invalid,) = recorder.of(SignatureInvalid)
    assert (invalid.algorithm, invalid.error) == ("ed25519", text)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"signature": ""}, "Signature is empty"),
        ({"signature": "***"}, "Invalid base64 signature: "),
        ({"signature_algorithm": "none"}, "Unsupported signature algorithm in manifest."),
        ({"source": "changed"}, "Signature verification failed with all 1 trusted keys"),
        ({"expires_at": "2099-01-01T00:00:00Z"}, "Signature verification failed with all 1 trusted keys"),
    ],
)
async def test_refuses_a_manifest_changed_after_signing(
    site: Site, publisher: Publisher, source_for: Make, failing: Failing, *, change: dict[str, Any], text: str
) -> None:
    """Neither the content nor the signature can be changed."""
    url = site.put("/m", page(publisher.sign(manifest()) | change))
    assert (await failing.sync(source_for(url), "signature")).startswith(text)


async def test_a_signature_given_twice_counts_once(
    site: Site, publisher: Publisher, source_for: Make, failing: Failing
) -> None:
    """The threshold counts distinct keys."""
    signature = publisher.sign(manifest())["signature"]
    url = site.put("/m", page(manifest(signatures=[signature, {"signature": signature}])))
    text = await failing.sync(source_for(url, signature_threshold=2), "signature")
    assert text.startswith("Signature threshold not met: 1 of 2 distinct keys")


async def test_two_keys_reach_a_threshold_of_two(
    site: Site, publisher: Publisher, source_for: Make, monkeypatch: pytest.MonkeyPatch, recorder: Recorder
) -> None:
    """Signatures by two trusted keys are two."""
    second = Publisher()
    monkeypatch.setenv("ONEIRIC_TRUSTED_PUBLIC_KEYS", f"{publisher.public},{second.public}")
    signatures = [
        {"signature": publisher.sign(manifest())["signature"], "key_id": "release-1"},
        {"signature": second.sign(manifest())["signature"]},
    ]
    url = site.put("/m", page(manifest(signatures=signatures)))
    assert await source_for(url, signature_threshold=2).sync() is not None
    assert [event.key_id for event in recorder.of(SignatureVerified)] == ["release-1"]


@pytest.mark.parametrize(
    ("content", "settings", "text"),
    [
        ({"expires_at": "2027-01-15T08:00:00Z"}, {}, "Manifest signature has expired."),
        ({"signed_at": "2027-01-15T08:05:01Z"}, {}, "Manifest was signed 301 s in the future"),
        ({}, {"signature_max_age_seconds": 3599.0}, "Manifest signature exceeds maximum age."),
        ({"signed_at": None}, {"signature_max_age_seconds": 1e6}, "Manifest missing signed_at for age enforcement."),
        ({}, {"signature_require_expiry": True}, "Manifest missing expires_at while expiry is required."),
    ],
)
async def test_refuses_a_manifest_outside_its_validity(
    site: Site,
    publisher: Publisher,
    source_for: Make,
    failing: Failing,
    recorder: Recorder,
    *,
    content: dict[str, Any],
    settings: dict[str, Any],
    text: str,
) -> None:
    """A validly signed manifest is refused before and after its time, and that is told instead of a verification."""
    source = source_for(site.put("/m", publisher.document(**content)), **settings)
    assert (await failing.sync(source, "expired")).startswith(text)
    assert len(recorder.of(SignatureExpired)) == 1
    assert recorder.of(SignatureVerified) == []


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        ({"expires_at": "2027-01-15T08:00:01Z"}, {"signature_require_expiry": True}),
        ({"signed_at": "2027-01-15T08:05:00Z"}, {}),
        ({"signed_at": "2027-01-15T07:00:00"}, {"signature_max_age_seconds": 3600.0}),
    ],
)
async def test_accepts_a_manifest_at_the_edge_of_its_validity(
    site: Site, publisher: Publisher, source_for: Make, content: dict[str, Any], settings: dict[str, Any]
) -> None:
    """One second before its end, exactly at the clock skew and at the maximum age, a manifest holds."""
    assert await source_for(site.put("/m", publisher.document(**content)), **settings).sync() is not None


async def test_refuses_an_expired_unsigned_manifest(site: Site, source_for: Make, failing: Failing) -> None:
    """Expiry holds for an unsigned manifest, too."""
    await failing.sync(source_for(site.put("/m", page(manifest(expires_at=SIGNED_AT)))), "expired")


async def test_refuses_an_artifact_that_is_something_else(
    site: Site, source_for: Make, failing: Failing, recorder: Recorder, cache_dir: Path
) -> None:
    """A wrong digest is told, fails everything, is not retried and leaves no file."""
    good, bad = site.artifact("/good", b"good"), site.artifact("/bad", b"expected")
    site.put("/bad", Answer(b"other"))
    entries = [entry(key="good", **good), entry(key="bad", **bad)]
    source = source_for(site.put("/m", page(manifest(entries=entries))), max_retries=3)
    text = await failing.sync(source, "digest")
    assert text.startswith("Digest mismatch for 'http://127.0.0.1")
    actual = hashlib.sha256(b"other").hexdigest()
    (mismatch,) = recorder.of(DigestMismatched)
    assert mismatch.error.startswith(f"SHA256 mismatch: expected {bad['sha256']}, got {actual}")
    assert {"failed", "digest"} <= {
        word for end in recorder.endings(ArtifactFetch) for word in (end.outcome, end.reason)
    }
    assert len(site.asked("/bad")) == 1
    assert {path.name for path in (cache_dir / "artifacts").iterdir()} <= {good["sha256"]}


REJECTED = {
    "a climbing URL": ({"uri": "http://127.0.0.1/a/../b"}, "path"),
    "an encoded climbing URL": ({"uri": "http://127.0.0.1/a/%2e%2e/b"}, "path"),
    "a climbing path": ({"uri": "../b"}, "path"),
    "an absolute path": ({"uri": "/etc/passwd"}, "path"),
    "a NUL": ({"uri": "http://127.0.0.1/a\0b"}, "path"),
    "an encoded NUL": ({"uri": "http://127.0.0.1/a%00b"}, "path"),
    "a backslash": ({"uri": "http://127.0.0.1/..\\b"}, "path"),
    "a line break": ({"uri": "http://127.0.0.1/a\r\nb"}, "path"),
    "another scheme": ({"uri": "ftp://127.0.0.1/a"}, "path"),
    "a bare name": ({"uri": "a.whl"}, "path"),
    "no host": ({"uri": "http:///a"}, "path"),
    "an unfinished host": ({"uri": "http://[::1/a"}, "path"),
    "a file": ({"uri": "file:///etc/passwd"}, "path"),
    "a long URL": ({"uri": "http://127.0.0.1/" + "a" * 2048}, "path"),
    "an empty URL": ({"uri": ""}, "path"),
    "no digest": ({"uri": "http://127.0.0.1/a", "sha256": None}, "missing-digest"),
    "a digest in upper case": ({"sha256": "A" * 64}, "parse"),
    "a short digest": ({"sha256": "a" * 63}, "parse"),
    "a long digest": ({"sha256": "a" * 65}, "parse"),
    "an empty digest": ({"sha256": ""}, "parse"),
    "a digest with a line break": ({"sha256": "a" * 64 + "\n"}, "parse"),
    "an unknown domain": ({"domain": "plugin"}, "unsupported-domain"),
    "an empty key": ({"key": ""}, "missing-key"),
    "an empty provider": ({"provider": ""}, "missing-provider"),
    "an empty factory": ({"factory": ""}, "missing-factory"),
    "a climbing key": ({"key": "../x"}, "invalid-key"),
    "a long key": ({"key": "k" * 257}, "invalid-key"),
    "a provider with a blank": ({"provider": "a b"}, "invalid-provider"),
    "a factory that is not allowed": ({"factory": "evil:run"}, "invalid-factory"),
    "a blocked factory": ({"factory": "os:system"}, "invalid-factory"),
    "too high a priority": ({"priority": 1001}, "out-of-bounds"),
    "too low a stack level": ({"stack_level": -101}, "out-of-bounds"),
    "a priority that is text": ({"priority": "high"}, "invalid-entry"),
    "a capability that is a number": ({"capabilities": [7]}, "invalid-entry"),
    "a capability without a name": ({"capabilities": [{}]}, "invalid-entry"),
}


@pytest.mark.parametrize(("content", "reason"), REJECTED.values(), ids=REJECTED.keys())
async def test_skips_an_entry_that_is_not_fit(
    site: Site,
    source_for: Make,
    resolver: Resolver,
    recorder: Recorder,
    cache_dir: Path,
    *,
    content: dict[str, Any],
    reason: str,
) -> None:
    """An unfit entry is told with its reason, nothing is fetched for it, and nothing is registered."""
    changed = entry(**{"uri": "http://127.0.0.1/a", "sha256": "a" * 64} | content)
    result = await source_for(site.put("/m", page(manifest(entries=[changed])))).sync()
    assert result is not None
    assert (result.registered, result.skipped) == (0, 1)
    (rejected,) = recorder.of(EntryRejected)
    assert rejected.reason == reason
    assert resolver.list_active("adapter") == []
    assert len(site.requests) == 1
    assert recorder.of(ArtifactFetch) == []
    assert leftovers(cache_dir) == []


async def test_an_entry_may_be_no_mapping(site: Site, source_for: Make, recorder: Recorder) -> None:
    """An entry that is something else altogether is skipped like any other unfit one."""
    await source_for(site.put("/m", page(manifest(entries=["x", None, 7])))).sync()
    assert [event.reason for event in recorder.of(EntryRejected)] == ["invalid-entry"] * 3


@pytest.mark.parametrize("content", [{"priority": 1000}, {"priority": -1000}, {"stack_level": 100}, {"key": "k" * 256}])
async def test_accepts_an_entry_at_the_edge(site: Site, source_for: Make, content: dict[str, Any]) -> None:
    """The bounds themselves are allowed."""
    result = await source_for(site.put("/m", page(manifest(entries=[entry(**content)])))).sync()
    assert result is not None
    assert (result.registered, result.skipped) == (1, 0)


async def test_takes_factories_from_the_configured_allowlist(
    site: Site, source_for: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's own modules can be let in by the environment."""
    monkeypatch.setenv("ONEIRIC_FACTORY_ALLOWLIST", "acme")
    result = await source_for(site.put("/m", page(manifest(entries=[entry(factory="acme.adapters:make")])))).sync()
    assert result is not None
    assert result.registered == 1


async def test_fails_when_nobody_listens(source_for: Make, failing: Failing) -> None:
    """A dead server is a network failure."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    text = await failing.sync(source_for(f"http://127.0.0.1:{port}/m"), "network", httpx.ConnectError)
    assert text == f"http://127.0.0.1:{port}: All connection attempts failed"


async def test_fails_when_the_server_hangs_up(site: Site, source_for: Make, failing: Failing) -> None:
    """An answer that breaks off is a network failure."""
    url = site.put("/m", Answer(b"{", headers={"Content-Length": "100"}))
    await failing.sync(source_for(url), "network", httpx.RemoteProtocolError)


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_fails_on_an_http_error(site: Site, source_for: Make, failing: Failing, status: int) -> None:
    """Any status but success is one, and only a server error is tried again."""
    source = source_for(site.put("/m", Answer(status=status)), max_retries=2)
    await failing.sync(source, "http_status", httpx.HTTPStatusError)
    assert len(site.requests) == (2 if status == 500 else 1)


async def test_fails_when_the_server_is_slow(site: Site, source_for: Make, failing: Failing) -> None:
    """A server that says nothing runs into the configured timeout."""
    answer = page(manifest())
    answer.hold = site.held
    await failing.sync(source_for(site.put("/m", answer), timeout=0.2), "timeout", httpx.ReadTimeout)


async def test_fails_when_the_server_is_slow_in_all(site: Site, source_for: Make, failing: Failing) -> None:
    """A server that always says a little more does not keep the source for ever."""
    answer = page(manifest())
    answer.drip = 0.05
    url = site.put("/m", answer)
    text = await failing.sync(source_for(url, timeout=0.3), "timeout", httpx.ReadTimeout)
    assert text == f"{url.removesuffix('/m')}: no complete answer within 0.3 s"


def test_tries_again_only_what_may_pass() -> None:
    """A certificate, a proxy that refuses and a redirect that is no URL are the same a little later."""
    refused = httpx.ConnectError("[SSL]")
    refused.__cause__ = OSError("wrapped")
    refused.__cause__.__cause__ = ssl.SSLCertVerificationError("self-signed")
    errors = [
        refused,
        httpx.ProxyError("407"),
        httpx.RemoteProtocolError("Invalid URL in location header: x."),
        httpx.UnsupportedProtocol("x"),
        httpx.ConnectError("refused"),
        httpx.RemoteProtocolError("disconnected"),
        httpx.ReadTimeout("late"),
    ]
    assert [may_pass(error) for error in errors] == [False, False, False, False, True, True, True]


@pytest.mark.parametrize("location", ["http://[::1/", "http://127.0.0.1:x/"])
async def test_does_not_ask_again_where_a_redirect_is_no_url(site: Site, source_for: Make, location: str) -> None:
    """The client's own verdict on a redirect is final."""
    url = site.put("/m", Answer(status=302, headers={"Location": location}))
    with pytest.raises(httpx.RemoteProtocolError):
        await source_for(url, max_retries=3).sync()
    assert len(site.requests) == 1


async def test_fails_when_an_artifact_cannot_be_had(site: Site, source_for: Make, failing: Failing) -> None:
    """A missing artifact keeps the whole manifest out."""
    missing = {"uri": site.url + "/missing", "sha256": "a" * 64}
    entries = [entry(key="good", **site.artifact("/good", b"good")), entry(key="bad", **missing)]
    source = source_for(site.put("/m", page(manifest(entries=entries))))
    await failing.sync(source, "http_status", httpx.HTTPStatusError)


async def test_a_failure_leaves_what_was_registered(site: Site, source_for: Make, resolver: Resolver) -> None:
    """What an earlier manifest brought stays while a later one is refused."""
    source = source_for(site.put("/m", page(manifest()), Answer(b"[]")))
    await source.sync()
    with pytest.raises(RemoteSyncError):
        await source.sync()
    assert [candidate.key for candidate in resolver.list_active("adapter")] == ["demo"]


async def test_refuses_a_content_coding(site: Site, source_for: Make, failing: Failing) -> None:
    """A compressed answer, which could grow without bound, is not unpacked."""
    url = site.put("/m", Answer(b"x", headers={"Content-Encoding": "gzip"}))
    assert "content coding" in await failing.sync(source_for(url), "other")


@pytest.mark.parametrize(
    ("url", "settings", "text"),
    [
        ("ftp://127.0.0.1/m", {}, "Unsupported manifest URL: 'ftp://127.0.0.1/…'"),
        ("missing.json", {}, "Unsupported manifest URL: 'missing.json'"),
        ("a\0b", {}, "Unsupported manifest URL: "),
        ("http://", {}, "Unsupported manifest URL: "),
        ("{file}", {}, "local manifest paths disabled for remote manifests"),
        ("file://{file}", {}, "file URI access disabled for remote manifests"),
        ("{file}", {"roots": "other"}, "Local path access denied: "),
        ("file://{file}", {"roots": "other"}, "Local path access denied: "),
        ("{root}/other/../m.json", {"roots": "other"}, "Local path access denied: "),
        ("{root}/other/link", {"roots": "other"}, "Local path access denied: "),
        ("file://{root}/other/link", {"roots": "other"}, "Local path access denied: "),
        ("file://elsewhere{file}", {"roots": "."}, "Local path access denied: "),
        ("file://{root}", {"roots": "."}, "Local path access denied: "),
        ("file://{root}/%00", {"roots": "."}, "Local path access denied: "),
    ],
)
async def test_refuses_a_place_that_is_not_allowed(
    source_for: Make, failing: Failing, tmp_path: Path, *, url: str, settings: dict[str, str], text: str
) -> None:
    """Files need permission, and links do not lead out of the allowed roots."""
    (tmp_path / "m.json").write_text(json.dumps(manifest()))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "link").symlink_to(tmp_path / "m.json")
    allowed: dict[str, Any] = {}
    if "roots" in settings:
        allowed = {"allow_file_uris": True, "allowed_file_uri_roots": [str(tmp_path / settings["roots"])]}
    source = source_for(url.format(file=tmp_path / "m.json", root=tmp_path), **allowed)
    assert (await failing.sync(source, "path")).startswith(text)


async def test_a_remote_manifest_names_no_file_without_roots(
    site: Site, source_for: Make, recorder: Recorder, tmp_path: Path
) -> None:
    """Allowing file URIs does not let a manifest from the network read any file there is."""
    (tmp_path / "a").write_bytes(b"x")
    digest = hashlib.sha256(b"x").hexdigest()
    url = site.put("/m", page(manifest(entries=[entry(uri=(tmp_path / "a").as_uri(), sha256=digest)])))
    await source_for(url, allow_file_uris=True).sync()
    assert [event.error for event in recorder.of(EntryRejected)] == ["file URI access disabled for artifacts"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"serial": 7}, {"serial": 6}),
        ({"serial": 7}, {"serial": None}),
        ({"serial": 7, "signed_at": None}, {"signed_at": SIGNED_AT}),
        ({}, {"signed_at": "2027-01-15T06:59:59Z"}),
        ({}, {"signed_at": None}),
        ({}, {"serial": 1}),
        ({}, {"serial": 1, "signed_at": None}),
    ],
)
async def test_refuses_a_replay_after_a_restart(
    site: Site,
    publisher: Publisher,
    source_for: Make,
    recorder: Recorder,
    *,
    before: dict[str, Any],
    after: dict[str, Any],
) -> None:
    """An older signed manifest is refused, and a restart does not forget how far the source had got."""
    after = {"signed_at": "2027-01-15T06:00:00Z"} | after
    url = site.put("/m", publisher.document(**before), publisher.document(**after))
    await source_for(url).sync()
    with pytest.raises(RemoteSyncError, match=r"^Manifest is a replay: "):
        await source_for(url).sync()
    assert recorder.endings(RemoteSync)[-1].reason == "replay"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"serial": 7}, {"serial": 7}),
        ({"serial": 7}, {"serial": 8, "signed_at": None}),
        ({}, {}),
        ({"signed_at": None}, {"signed_at": None}),
        ({"signed_at": None}, {"serial": 0}),
        ({}, {"serial": 0}),
    ],
)
async def test_accepts_what_is_no_replay(
    site: Site, publisher: Publisher, source_for: Make, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """The same manifest again, and a newer one, are accepted."""
    url = site.put("/m", publisher.document(**before), publisher.document(**after))
    source = source_for(url)
    assert await source.sync() is not None
    assert await source.sync() is not None


async def test_a_failed_manifest_does_not_move_the_mark(site: Site, publisher: Publisher, source_for: Make) -> None:
    """A manifest whose artifact is missing does not shut out the one in effect."""
    broken = publisher.document(serial=9, entries=[entry(uri=site.url + "/missing", sha256="a" * 64)])
    source = source_for(site.put("/m", broken, publisher.document(serial=8)))
    with pytest.raises(httpx.HTTPStatusError):
        await source.sync()
    assert await source.sync() is not None
