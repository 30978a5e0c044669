"""The control socket of a real service: who may do what, and what is said where nobody answers."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from processes import PROGRAMS, eventually
from services import PATIENCE, Service, running, service

from oneiric.runtime.control.client import NotAnsweringError, NotRunningError, RefusedError, ServiceClient

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # each starts processes

STRANGER, GROUP = 54_321, 54_322
"""A user id and a group id that nobody has."""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to act as another user")


def as_stranger(one: Service, name: str, *, change: bool = False, groups: tuple[int, ...] = ()) -> dict[str, Any]:
    """Ask as another user, and return the answer, or the error with its type."""
    command = [sys.executable, str(PROGRAMS / "ask.py"), str(one.socket), name, str(change).lower()]
    command += map(str, (STRANGER, *groups))
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def open_to_all(directory: Path) -> None:
    """Let everybody reach the socket of a service in *directory*: pytest's directories are private."""
    for place in (directory, *directory.parents):
        if place.owner() == "root" and len(place.parts) > 2:
            place.chmod(place.stat().st_mode | stat.S_IXOTH)


def test_what_was_done_by_whom_is_logged_and_counted(tmp_path: Path) -> None:
    """A change is logged with the user and process that asked for it, and counted."""
    with running(tmp_path, runtime={"start": ["adapter/cache"]}) as one:
        one.client.change("swap", key="cache", provider="second")
        done = one.event("control-request")
        metrics = one.metrics()
    who = {name: done[name] for name in ("command", "domain", "key", "provider", "uid", "pid")}
    assert who == {
        "command": "swap",
        "domain": "adapter",
        "key": "cache",
        "provider": "second",
        "uid": os.geteuid(),
        "pid": os.getpid(),
    }
    assert 'oneiric_control_requests_total{command="swap",outcome="success"} 1.0' in metrics


@as_root
def test_a_stranger_cannot_connect(tmp_path: Path) -> None:
    """Without ``control.group`` another user gets permission denied."""
    with running(tmp_path) as one:
        open_to_all(one.socket.parent)
        assert as_stranger(one, "list")["error"] == "NotAllowedError"


@as_root
@pytest.mark.parametrize(
    ("rights", "change", "error"),
    [
        ("read", False, None),
        ("read", True, "control.group_rights to change"),
        ("change", True, None),
    ],
)
def test_a_group_may_do_what_its_rights_say(
    tmp_path: Path,
    rights: str,
    change: bool,
    error: str | None,
) -> None:
    """A member of ``control.group`` may read, and change only with ``group_rights: change``; a denial names both."""
    with running(tmp_path, control={"group": GROUP, "group_rights": rights}) as one:
        open_to_all(one.socket.parent)
        answer = as_stranger(one, "pause" if change else "list", change=change, groups=(GROUP,))
        denied = one.event("control-denied") if error is not None else {}
    if error is None:
        assert "error" not in answer
    else:
        assert answer["code"] == "denied"
        assert str(STRANGER) in answer["message"]
        assert error in answer["hint"]
        assert (denied["command"], denied["uid"], denied["right"]) == ("pause", STRANGER, "change")


def test_the_socket_is_private(tmp_path: Path) -> None:
    """Without a group the socket is for its user only; with one, for the group too."""
    with running(tmp_path) as one:
        assert stat.S_IMODE(one.socket.stat().st_mode) == 0o600


def test_a_socket_that_was_deleted_comes_back(tmp_path: Path) -> None:
    """Somebody deletes the socket: the service makes it anew."""
    with running(tmp_path) as one:
        one.socket.unlink()
        eventually(one.answers, what="the service answers again")


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    """After kill -9 the socket is there, nobody owns it, and the next service takes its place."""
    with running(tmp_path) as one:
        one.stop(signal.SIGKILL)
        assert one.socket.exists()
        with pytest.raises(NotRunningError):
            one.client.read("list")
        one.start()
        assert one.answers()


def test_a_second_service_names_the_first(tmp_path: Path) -> None:
    """A second service on the same socket ends with exit code 2 and names the process that owns it."""
    with running(tmp_path) as one:
        assert one.process is not None
        second = one.run("orchestrate")
        assert one.answers()
    assert second.returncode == 2
    assert f"is served by process {one.process.pid} already" in second.stderr


def test_a_service_that_hangs_is_no_missing_one(tmp_path: Path) -> None:
    """A stopped process does not answer, which is another error than that none runs, and names it."""
    with running(tmp_path) as one:
        assert one.process is not None
        one.process.send_signal(signal.SIGSTOP)
        with pytest.raises(NotAnsweringError, match=f"process {one.process.pid} owns .* does not answer"):
            ServiceClient(one.socket, silence=0.3).read("list")


def test_slow_work_is_no_silence(tmp_path: Path) -> None:
    """While a swap takes longer than a client would wait in silence, the service gives signs of life."""
    with running(tmp_path, runtime={"start": ["adapter/cache"]}) as one:
        (one.faults / "slow").touch()
        client = ServiceClient(one.socket, silence=2.5)
        with socket.socket(socket.AF_UNIX) as raw:
            raw.settimeout(PATIENCE)
            raw.connect(str(one.socket))
            body = b'{"key": "cache", "provider": "second"}'
            raw.sendall(b"POST /v1/swap HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            assert raw.recv(65_536).startswith(b"HTTP/1.1 102 ")
            assert client.read("list")
            (one.faults / "slow").unlink()
            answer = b""
            while b'"provider": "second"' not in answer:
                answer += raw.recv(65_536)


def test_a_command_that_a_service_does_not_know_is_one_of_another_version(tmp_path: Path) -> None:
    """An unknown command names both versions and what to upgrade."""
    with running(tmp_path) as one, pytest.raises(RefusedError) as error:
        one.client.read("tomorrow")
    assert error.value.code == "unknown-command"
    assert f"the running service is version {one.client.release}" in error.value.hint


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (b"POST /v1/pause HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nnot JSON!", "not JSON"),
        (b"POST /v1/pause HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]", "JSON object"),
        (b"GET /v1/pause HTTP/1.1\r\nHost: x\r\n\r\n", "use POST"),
        (b"PUT /v1/pause HTTP/1.1\r\nHost: x\r\n\r\n", "GET reads"),
        (b"rubbish\r\n\r\n", "not a request"),
        (b"GET /v1/list HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 20_000 + b"\r\n\r\n", "not a request"),
        (b"POST /v1/pause HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n" + b" " * 2000, "max_body_bytes"),
        (b"GET /v1/list HTTP/1.1\r\n", "request_timeout"),
    ],
)
def test_bad_requests_are_refused(tmp_path: Path, request_: bytes, text: str) -> None:
    """What is no request, too long or too slow is answered 400 with the reason, and the service answers on."""
    with running(tmp_path, control={"max_body_bytes": 1024, "request_timeout": 0.5}) as one:
        with socket.socket(socket.AF_UNIX) as raw:
            raw.settimeout(PATIENCE)
            raw.connect(str(one.socket))
            raw.sendall(request_)
            answer = b""
            while chunk := raw.recv(65_536):
                answer += chunk
        assert one.answers()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert text in answer.decode()


def test_a_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """A path of more than 107 bytes is an error of the settings that says what is allowed."""
    with service(tmp_path, control={"socket": f"/tmp/{'x' * 120}"}) as one:
        done = one.run("orchestrate")
    assert done.returncode == 2
    assert "has 125 bytes, and the path of a Unix socket at most 107" in done.stderr


def test_what_is_no_socket_stays(tmp_path: Path) -> None:
    """A file at the socket's place is left alone, and named."""
    with service(tmp_path) as one:
        one.socket.parent.mkdir(parents=True)
        one.socket.write_text("mine")
        done = one.run("orchestrate")
        assert (done.returncode, one.socket.read_text()) == (2, "mine")
    assert "a file that is no socket" in done.stderr
