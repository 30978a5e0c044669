"""What an error's text may show."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, strategies

from oneiric.core.redaction import MAX_ERROR_CHARS, describe, host_of, redact

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET https://user:hunter2@example.org:8443/a?token=hunter2 failed", "GET https://example.org:8443/… failed"),
        ("see https://example.org", "see https://example.org"),
        ("Authorization: Bearer hunter2", "Authorization: ***"),
        ("Authorization: Token hunter2, x", "Authorization: ***"),
        ("Cookie: session=hunter2; theme=hunter2\nnext line", "Cookie: ***\nnext line"),
        ("passphrase=hunter2 pwd: hunter2", "passphrase=*** pwd: ***"),
        ("?X-Amz-Signature=hunter2&x=1 sig=hunter2", "?X-Amz-Signature=***&x=1 sig=***"),
        ("Invalid base64 signature: wrong padding", "Invalid base64 signature: wrong padding"),
        ("run --db-password hunter2 --fast", "run --db-password *** --fast"),
        ("https://user:p'hunter2@example.org", "https://example.org/…"),
        ("連接https://user:hunter2@example.org", "連接https://example.org/…"),
        ("url_https://user:hunter2@example.org", "url_https://example.org/…"),
        ("postgresql://app:pa#hunter2@db", "postgresql://…"),
        ("clone //user:hunter2@example.org", "clone //***@example.org"),
        ("password='hunter2\\'hunter2' left", "password=*** left"),
        ("password='hunter2 hunter2", "password=***"),
        ('password="a\\\nhunter2"', "password=***"),
        ("expected digest abc, got def", "expected digest abc, got def"),
        ("sent Bearer hunter2 to host", "sent Bearer *** to host"),
        ('{"api_key": "hunter2", "n": 1}', '{"api_key": ***, "n": 1}'),
        ("password='hunter2 hunter2'", "password=***"),
        ("db_password=hunter2&x=1", "db_password=***&x=1"),
        ("redis://:hunter2@cache/0", "redis://cache/…"),
        ("No candidate registered for adapter:cache", "No candidate registered for adapter:cache"),
        ("cannot reach admin:hunter2@db.example.org:5432", "cannot reach ***@db.example.org:5432"),
        ("exceeded with url: /path?code=hunter2&x=1 (Caused", "exceeded with url: /path?… (Caused"),
        ("got [('x-api-key', 'hunter2'), (b'token', b'hunter2')]", "got [('x-api-key', ***), (b'token', b***)]"),
        ("password%3Dhunter2 pass=hunter2", "password%3D*** pass=***"),
        ("AccountKey=hunter2==;EndpointSuffix=x", "AccountKey=***;EndpointSuffix=x"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.hunter2", "jwt ***"),
        ("with ghp_hunter2hunter2hunter2 or sk-hunter2hunter2hunter2", "with *** or ***"),
        ("-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY----- left", "*** left"),
        ("-----BEGIN PRIVATE KEY-----\nhunter2", "***"),
        ("skip_permission_checks_everywhere bypass: fine", "skip_permission_checks_everywhere bypass: fine"),
        ("at 12:30:45 user@example.org said what?", "at 12:30:45 user@example.org said what?"),
    ],
)
def test_secrets_and_urls_are_cut(text: str, expected: str) -> None:
    """Credentials become ``***`` and URLs keep scheme and host only; other text stays."""
    assert redact(text) == expected


@pytest.mark.parametrize("before", ["Basic", "bearer", "BASIC  ", "token=", "password:", "Bearer token="])
@pytest.mark.parametrize(
    "named",
    [
        'api_key="{}"',
        "x_api_key: '{}'",
        "Password: '{}'",
        "password={}",
        "--db-password {}",
        "('access-token', '{}')",
        '{{"client_secret": "{}"}}',
    ],
)
def test_what_names_a_credential_is_not_taken_for_one(before: str, named: str) -> None:
    """A name that stands where a credential could is left its meaning: what it names is gone."""
    assert SECRET not in redact(f"{before}\n{named.format(SECRET)}")


def test_text_is_bounded_at_its_edge() -> None:
    """A text of exactly the limit stays whole, one more character is cut to the limit."""
    assert redact("x" * MAX_ERROR_CHARS) == "x" * MAX_ERROR_CHARS
    assert redact("x" * (MAX_ERROR_CHARS + 1)) == "x" * (MAX_ERROR_CHARS - 1) + "…"


@given(strategies.text(max_size=300), strategies.text(max_size=300))
def test_a_token_after_its_name_never_shows(before: str, after: str) -> None:
    """Whatever stands around it, the value of a token is gone."""
    assert SECRET not in redact(f"{before} token={SECRET} {after}".replace("\x00", "")) or SECRET in before + after


SECRETS = strategies.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=20, max_size=40)
AROUND = strategies.text(strategies.characters(codec=None, exclude_categories=()), max_size=200)


@pytest.mark.parametrize(
    "template",
    [
        "https://user:{}@host/path",
        "https://{}@host",
        "amqp://user:{}@host:1/vhost?x=y",
        "https://host/path?anything={}&more=1",
        "//user:{}@host",
        "user:{}@host",
        "/path?anything={}",
        "Authorization: Bearer {}",
        "authorization=Basic {}",
        "Bearer {}",
        "Cookie: a={}; b=c",
        "password={}",
        "Password: '{}'",
        'api_key="{}"',
        '{{"client_secret": "{}"}}',
        "('access-token', '{}')",
        "--db-password {}",
        "X-Amz-Signature={}",
        "ghp_{}",
        "eyJhbGciOiJIUzI1NiJ9.{}.x",
    ],
)
@given(secret=SECRETS, before=AROUND, after=AROUND)
def test_no_secret_shows_wherever_it_stands(template: str, secret: str, before: str, after: str) -> None:
    """Whatever hostile text stands around a credential in one of its usual forms, it is not seen."""
    text = f"{before}\n{template.format(secret)}\n{after}"
    assume(secret not in before + after)
    shown = redact(text)
    assert secret not in shown
    assert len(shown) <= MAX_ERROR_CHARS


def test_a_long_text_keeps_its_beginning() -> None:
    """Of a text over the bound only the last word that is looked at is left out, whatever separates words."""
    assert redact("first line\n" * 1000, limit=20).startswith("first line\nfirst")
    assert redact("x" * 100_000) == "…"


def test_a_credential_torn_by_the_bound_does_not_show() -> None:
    """A URL of which only the beginning is looked at is left out whole, since its credentials cannot be told."""
    text = "x" * (8 * MAX_ERROR_CHARS - 20) + " https://user:hunter2hunter2@example.org"
    assert SECRET not in redact(text, limit=10_000)


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "token",
        "token=",
        "token ",
        "-",
        "bearer ",
        "a://",
        "'\"",
        "api_",
        "://a@",
        'token="',
        "//a",
        "sig",
        "--pwd",
        "cookie:",
        "a-",
        "sk-",
        "a:a@",
        "/?a=",
        "eyJ",
        "eyJaaaaaaaa.",
        "-----BEGIN PRIVATE KEY-----",
        "-----END ",
        "'token', ",
        "token%3D",
        "a:",
        "b'",
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    """A hostile text of repeated pieces is done with at once; catastrophic backtracking would take minutes."""
    assert len(redact(piece * 100_000)) <= MAX_ERROR_CHARS


def test_an_error_that_cannot_be_printed_is_described() -> None:
    """An error whose own __str__ raises has a description all the same."""

    class Rude(Exception):  # noqa: N818 - its name is not the point
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert describe(Rude()) == ("Rude", "<unprintable: RuntimeError>")


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://u:p@example.org:1/x?y", "example.org"), ("/a/path", ""), ("http://[::1", ""), ("", "")],
)
def test_the_host_of_a_url(url: str, host: str) -> None:
    """Only the host name is left of a URL; what has none, or is malformed, has the empty one."""
    assert host_of(url) == host
