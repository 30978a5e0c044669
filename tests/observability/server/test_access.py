"""Who may read the metrics: TLS, certificates of clients, tokens and passwords, and files that are replaced."""

from __future__ import annotations

import base64
import http.client
import os
import socket
import ssl
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from certificates import Identity, make_identity
from prometheus_client import CollectorRegistry, Gauge

from oneiric.core.events import HookFailed
from oneiric.observability import Exposition, MetricsServer, ServerLimits, ServerSecurity
from oneiric.observability.events import MetricsServerExposed, MetricsServerFailed
from oneiric.observability.server.access import Credentials
from oneiric.observability.server.reloading import MAX_FILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support import Recorder

    from oneiric.core.observers import Observers

    Serve = Callable[..., MetricsServer]

LOOPBACK = "127.0.0.1:0"
PATIENCE = 60.0  # seconds after which a test that waits has failed


@pytest.fixture
def serve(observers: Observers) -> Iterator[Serve]:
    """Start a server with some security, to be stopped when the test is over."""
    registry = CollectorRegistry()
    Gauge("large", "x" * 1_000_000, registry=registry)
    servers: list[MetricsServer] = []

    def start(*, address: str = LOOPBACK, limits: ServerLimits | None = None, **files: object) -> MetricsServer:
        security = ServerSecurity(**files)  # type: ignore[arg-type]
        exposition = Exposition(registry, observers=observers)
        servers.append(MetricsServer(exposition, address=address, security=security, limits=limits))
        assert servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def identity() -> Identity:
    """The server's certificate and key."""
    return make_identity("server")


@pytest.fixture
def files(tmp_path: Path, identity: Identity) -> dict[str, Path]:
    """The files of :func:`identity`, as arguments."""
    paths = {"tls_cert_file": tmp_path / "cert.pem", "tls_key_file": tmp_path / "key.pem"}
    identity.write(*paths.values())
    return paths


def trusting(*identities: Identity) -> ssl.SSLContext:
    """Return what a client needs to trust these identities and no others."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata="\n".join(identity.certificate.decode() for identity in identities))
    return context


def fetch(
    server: MetricsServer, path: str = "/metrics", *, tls: ssl.SSLContext | None = None, authorization: str = ""
) -> tuple[int, int, dict[str, str]]:
    """Return the status, the length of the body and the headers of a response."""
    connection = (
        http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        if tls is None
        else http.client.HTTPSConnection("127.0.0.1", server.port, timeout=PATIENCE, context=tls)
    )
    with closing(connection):
        connection.request("GET", path, headers={"Authorization": authorization} if authorization else {})
        response = connection.getresponse()
        return response.status, len(response.read()), dict(response.headers)


def replace(path: Path, content: bytes) -> None:
    """Replace a file as a tool that renews secrets does, atomically."""
    temporary = path.with_suffix(".new")
    temporary.write_bytes(content)
    temporary.replace(path)


def eventually(look: Callable[[], bool]) -> bool:
    """Whether *look* comes true while a test has patience."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if look():
            return True
        time.sleep(0.01)  # for what is told in the background
    return False


def basic(user: str, password: str) -> str:
    """Return the header that shows user and password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_metrics_are_served_over_tls(serve: Serve, files: dict[str, Path], identity: Identity) -> None:
    """A client that trusts the certificate gets the whole page; one that speaks no TLS gets nothing."""
    server = serve(**files)
    status, size, _ = fetch(server, tls=trusting(identity))
    assert (status, size > 1_000_000) == (200, True)
    with pytest.raises(OSError, match=r"."):
        fetch(server)
    assert fetch(server, tls=trusting(identity))[0] == 200


def test_old_tls_is_refused(serve: Serve, files: dict[str, Path], identity: Identity) -> None:
    """Nothing older than TLS 1.2 is spoken."""
    client = trusting(identity)
    client.minimum_version = ssl.TLSVersion.TLSv1_2
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    server = serve(**files)
    assert fetch(server, tls=client)[0] == 200
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        fetch(server, tls=client)


def test_a_client_that_does_not_finish_the_handshake_is_cut_off(serve: Serve, files: dict[str, Path]) -> None:
    """A silent client in the handshake has as much time as any other has for its request."""
    server = serve(**files, limits=ServerLimits(header_timeout=0.2))
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(b"\x16\x03\x01\x02")
        assert connection.recv(1) == b""


def test_a_client_must_show_a_certificate(
    serve: Serve, files: dict[str, Path], tmp_path: Path, identity: Identity
) -> None:
    """With mutual TLS only clients whose certificate is signed by the right authority are served."""
    client, stranger = make_identity("client"), make_identity("stranger")
    authority = tmp_path / "clients.pem"
    authority.write_bytes(client.certificate)
    server = serve(**files, tls_client_ca_file=authority)
    assert fetch(server, tls=showing(client, identity, tmp_path))[0] == 200
    for context in (trusting(identity), showing(stranger, identity, tmp_path)):
        with pytest.raises(OSError, match=r"."):
            fetch(server, tls=context)


def showing(client: Identity, server: Identity, directory: Path) -> ssl.SSLContext:
    """Return what a client needs to show that it is *client*."""
    context = trusting(server)
    path = directory / "client.pem"
    client.write(path, path)
    context.load_cert_chain(path)
    return context


def test_a_new_certificate_is_used_at_once(serve: Serve, files: dict[str, Path], identity: Identity) -> None:
    """When the files are replaced, the next connection gets the new certificate, without a restart."""
    server = serve(**files)
    assert fetch(server, tls=trusting(identity))[0] == 200
    renewed = make_identity("renewed")
    replace(files["tls_key_file"], renewed.key)
    replace(files["tls_cert_file"], renewed.certificate)
    assert fetch(server, tls=trusting(renewed))[0] == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        fetch(server, tls=trusting(identity))


@pytest.mark.parametrize(
    "content", [b"", b"rubbish", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_bad_new_certificate_is_reported_and_the_old_one_stays(
    serve: Serve, files: dict[str, Path], identity: Identity, recorder: Recorder, content: bytes
) -> None:
    """What cannot be used is told once, with the file, and changes nothing until the file changes again."""
    server = serve(**files)
    replace(files["tls_cert_file"], content)
    assert [fetch(server, tls=trusting(identity))[0] for _ in range(3)] == [200] * 3
    assert eventually(lambda: bool(recorder.of(HookFailed)))
    server.stop()
    (failed,) = recorder.of(HookFailed)
    assert failed.sink == "metrics_server"
    assert str(files["tls_cert_file"]) in failed.error


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tls_cert_file", None, "no such file"),
        ("tls_cert_file", b"rubbish", "PEM expected"),
        ("tls_key_file", b"", "PEM expected"),
        ("tls_key_file", make_identity().key, "a certificate and its private key without a passphrase expected"),
        ("tls_key_file", make_identity(passphrase="x").key, "a private key without a passphrase expected"),
        ("tls_client_ca_file", b"-----BEGIN ", "certificates expected"),
        ("tls_client_ca_file", b"x" * (MAX_FILE_BYTES + 1), f"longer than {MAX_FILE_BYTES} bytes"),
        ("bearer_token_file", b"\n", "the file is empty; one line with the secret expected"),
        ("bearer_token_file", b"geheim\nzwei\n", "one line without control characters expected"),
        ("bearer_token_file", b"geheim zwei\n", "one token without blanks expected"),
        ("basic_auth_password_file", None, "no such file"),
    ],
)
def test_a_wrong_file_is_told_at_the_start(  # noqa: PLR0917 - a case is three values
    observers: Observers,
    recorder: Recorder,
    files: dict[str, Path],
    tmp_path: Path,
    name: str,
    content: bytes | None,
    message: str,
) -> None:
    """The server does not start without its protection, says which setting and file it is, and no secret."""
    path = tmp_path / "wrong"
    if content is not None:
        path.write_bytes(content)
    further = {"basic_auth_user": "me"} if name == "basic_auth_password_file" else {}
    security = ServerSecurity(**files | further | {name: path})  # type: ignore[arg-type]
    server = MetricsServer(Exposition(CollectorRegistry(), observers=observers), address=LOOPBACK, security=security)
    assert not server.start()
    (failed,) = recorder.of(MetricsServerFailed)
    assert failed.error_type == "ValueError"
    assert f"{name} (file {str(path)!r})" in failed.error
    assert message.removeprefix("a private key ") in failed.error
    assert "geheim" not in failed.error


ON_A_TERMINAL = """
import sys
from prometheus_client import CollectorRegistry
from oneiric.observability import Exposition, MetricsServer, ServerSecurity
security = ServerSecurity(tls_cert_file=sys.argv[1], tls_key_file=sys.argv[1])
print("started", MetricsServer(Exposition(CollectorRegistry()), address="127.0.0.1:0", security=security).start())
"""


def test_nobody_is_asked_for_a_passphrase(tmp_path: Path) -> None:
    """A key with a passphrase does not make a process with a terminal wait for somebody to type it."""
    path = tmp_path / "both.pem"
    make_identity(passphrase="x").write(path, path)
    command = [sys.executable, "-c", ON_A_TERMINAL, str(path)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"import pty; pty.spawn({command!r})"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.strip() == "started False"


def test_what_is_no_file_is_not_opened(observers: Observers, recorder: Recorder, tmp_path: Path) -> None:
    """A named pipe, which would be waited for, is refused."""
    os.mkfifo(tmp_path / "pipe")
    security = ServerSecurity(bearer_token_file=tmp_path / "pipe")
    server = MetricsServer(Exposition(CollectorRegistry(), observers=observers), address=LOOPBACK, security=security)
    assert not server.start()
    assert "not a file" in recorder.of(MetricsServerFailed)[0].error


def test_the_token_is_asked_for(serve: Serve, tmp_path: Path) -> None:
    """Only who shows the token reads the metrics; probes, and what is not there, are answered to anybody."""
    (tmp_path / "token").write_bytes(b"s3cret\r\n")
    server = serve(bearer_token_file=tmp_path / "token")
    assert fetch(server, authorization="Bearer s3cret")[0] == 200
    assert fetch(server, authorization="bearer  s3cret")[0] == 200
    for wrong in ("", "Bearer", "Bearer s3cre", "Bearer s3crett", "Basic s3cret", "s3cret", "Bearer \xe9"):
        status, _, headers = fetch(server, authorization=wrong)
        assert (status, headers["WWW-Authenticate"]) == (401, 'Bearer realm="metrics"')
    assert [fetch(server, path)[0] for path in ("/livez", "/readyz", "/", "/nothing")] == [200, 200, 200, 404]


def test_the_token_is_asked_for_wherever_the_metrics_are(serve: Serve, tmp_path: Path) -> None:
    """No other way to write the path of the metrics leads past the credentials."""
    (tmp_path / "token").write_bytes(b"s3cret")
    server = serve(bearer_token_file=tmp_path / "token")
    for path in ("/metrics/", "/metrics/?x", "http://x/metrics", "http://x/metrics/"):
        assert [fetch(server, path, authorization=shown)[0] for shown in ("", "Bearer s3cret")] == [401, 200]


def test_user_and_password_are_asked_for(serve: Serve, tmp_path: Path) -> None:
    """Either the token or user and password let a scraper in; any Unicode is fine."""
    (tmp_path / "token").write_bytes(b"s3cret")
    (tmp_path / "password").write_text("pässwort: 1\n", encoding="utf-8")
    server = serve(
        bearer_token_file=tmp_path / "token", basic_auth_user="mé", basic_auth_password_file=tmp_path / "password"
    )
    assert fetch(server, authorization=basic("mé", "pässwort: 1"))[0] == 200
    assert fetch(server, authorization="Bearer s3cret")[0] == 200
    for wrong in (basic("mé", "pässwort"), basic("me", "pässwort: 1"), "Basic !", "Basic s3cret"):
        assert fetch(server, authorization=wrong)[0] == 401


def test_a_new_token_is_in_force_at_once(serve: Serve, tmp_path: Path, recorder: Recorder) -> None:
    """When the file changes so does the token; an empty or missing file is reported and the last one stays."""
    path = tmp_path / "token"
    path.write_bytes(b"first")
    server = serve(bearer_token_file=path)
    replace(path, b"second")
    assert [fetch(server, authorization=f"Bearer {token}")[0] for token in ("first", "second")] == [401, 200]
    path.unlink()
    assert fetch(server, authorization="Bearer second")[0] == 200
    assert eventually(lambda: bool(recorder.of(HookFailed)))
    assert "second" not in recorder.of(HookFailed)[0].error
    replace(path, b"third")
    assert fetch(server, authorization="Bearer third")[0] == 200


def test_without_credentials_anybody_is_let_in() -> None:
    """Nothing to show means nothing is asked for."""
    credentials = Credentials(ServerSecurity(), lambda _error: None)
    assert (credentials.allow(""), credentials.challenges) == (True, ())


@pytest.mark.parametrize(
    ("address", "protected", "missing"),
    [
        ("127.0.0.1:0", (), None),
        ("[::1]:0", (), None),
        ("localhost:0", (), None),
        ("0.0.0.0:0", (), "tls, authentication"),
        ("[::]:0", (), "tls, authentication"),
        ("0.0.0.0:0", ("token",), "tls"),
        ("0.0.0.0:0", ("tls",), "authentication"),
        ("0.0.0.0:0", ("tls", "token"), None),
        ("0.0.0.0:0", ("tls", "clients"), None),
    ],
)
def test_a_server_that_others_can_reach_unprotected_is_told(  # noqa: PLR0917 - a case is three values
    serve: Serve,
    recorder: Recorder,
    files: dict[str, Path],
    tmp_path: Path,
    address: str,
    protected: tuple[str, ...],
    missing: str | None,
) -> None:
    """Whoever listens beyond the loopback without TLS or without authentication is warned of what is missing."""
    (tmp_path / "token").write_bytes(b"s3cret")
    chosen: dict[str, Path] = files if "tls" in protected else {}
    if "token" in protected:
        chosen = chosen | {"bearer_token_file": tmp_path / "token"}
    if "clients" in protected:
        chosen = chosen | {"tls_client_ca_file": files["tls_cert_file"]}
    server = serve(address=address, **chosen)
    told = [(event.address, event.port, event.missing) for event in recorder.of(MetricsServerExposed)]
    assert told == ([] if missing is None else [(server.address, server.port, missing)])
