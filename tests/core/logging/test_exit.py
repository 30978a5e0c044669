"""The end of a process: what was logged before is written, for a bounded time, and nothing is printed about it."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import structlog

from oneiric.core.logging import LoggingConfig, LogQueueConfig, configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow  # each starts processes

PREAMBLE = """
import asyncio, atexit, builtins, multiprocessing, os, signal, sys, threading, time
import oneiric.core.logging as l

def log_some(count=200):
    for n in range(count):
        log.info("x", n=n, pad="y" * 900)

log = l.get_logger()
"""
CONFIGURED = PREAMBLE + "handle = l.configure_logging()\n"
READY = "signal.signal(signal.SIGURG, lambda *_: None); log_some(); print('ready', flush=True)\n"
DEADLINE = 120.0  # seconds after which a process that hangs has failed


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Whatever a test configures is put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    configure_logging(suppress_events=True)  # closes what the test installed
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


class Unread:
    """A process whose standard error is a pipe, which nobody reads until told to."""

    def __init__(self, script: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def ended(self) -> int:
        """Wait for the end without reading, and return the exit status."""
        for _ in range(int(DEADLINE)):
            with suppress(subprocess.TimeoutExpired):
                return self.process.wait(1.0)
            self._wake()
        pytest.fail("the process did not end")

    def finish(self) -> tuple[int, list[int]]:
        """Read everything, and return the exit status and the numbers in the lines, in order."""
        for _ in range(int(DEADLINE)):
            with suppress(subprocess.TimeoutExpired):
                _, errors = self.process.communicate(timeout=1.0)
                return self.process.returncode, [json.loads(line)["n"] for line in errors.splitlines()]
            self._wake()
        self.process.kill()
        pytest.fail("the process did not end")

    def _wake(self) -> None:
        """Interrupt what it waits in: a signal that came just before it began to wait is handled only then.

        Without a handler of its own this one does nothing, as at the end of the interpreter.
        """
        self.process.send_signal(signal.SIGURG)


def finished(script: str) -> tuple[int, list[str], str]:
    """Run *script* and return its exit status, the events it logged, and what it printed."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=DEADLINE)
    return done.returncode, [json.loads(line)["event"] for line in done.stderr.splitlines()], done.stdout


@pytest.mark.parametrize(
    "waiting",
    [
        "time.sleep(600)",
        "signal.pause(); print('went on')",
        "threading.Thread(target=time.sleep, args=(600,)).start()",
        "asyncio.run(asyncio.sleep(600))",
    ],
)
def test_sigterm_ends_the_process_after_what_was_queued(waiting: str) -> None:
    """Lines that wait for a slow reader when the signal comes are all written; then it ends as it would have."""
    unread = Unread(CONFIGURED + READY + waiting)
    unread.process.send_signal(signal.SIGTERM)
    assert unread.finish() == (-signal.SIGTERM, list(range(200)))


def test_sigterm_waits_no_longer_than_its_deadline() -> None:
    """A reader that never reads does not keep the process alive."""
    script = PREAMBLE + "l.configure_logging(l.LoggingConfig(queue=l.LogQueueConfig(flush_seconds=0.3)))\n"
    unread = Unread(script + READY + "time.sleep(600)")
    unread.process.send_signal(signal.SIGTERM)
    assert unread.ended() == -signal.SIGTERM
    assert unread.finish()[0] == -signal.SIGTERM


def test_a_second_sigterm_does_not_wait() -> None:
    """Whoever asks twice is not made to wait."""
    script = PREAMBLE + "l.configure_logging(l.LoggingConfig(queue=l.LogQueueConfig(flush_seconds=300)))\n"
    unread = Unread(script + READY + "time.sleep(600)")
    for _ in range(int(DEADLINE / 0.05)):
        unread.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):  # signals of a kind that are pending at once are one
            unread.process.wait(0.05)
            break
    assert unread.finish()[0] == -signal.SIGTERM


@pytest.mark.parametrize(
    ("handler", "status"), [("signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))", 7), ("", -signal.SIGTERM)]
)
def test_a_handler_of_the_host_stays(handler: str, status: int) -> None:
    """Whoever handles SIGTERM decides about it; its lines are written at exit."""
    unread = Unread(PREAMBLE + handler + "\nl.configure_logging()\n" + READY + "time.sleep(600)")
    unread.process.send_signal(signal.SIGTERM)
    assert unread.finish() == (status, list(range(200)))


def test_sigterm_can_be_left_alone() -> None:
    """A setting turns the handling off, and nothing is done about the signal at import."""
    config = LoggingConfig(queue=LogQueueConfig(flush_on_sigterm=False))
    before = signal.getsignal(signal.SIGTERM)
    configure_logging(config)
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_handling_of_sigterm_is_taken_back() -> None:
    """Where logging is suppressed, the signal has its default again; another thread never touches it."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    thread = threading.Thread(target=configure_logging)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    configure_logging()
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    configure_logging(suppress_events=True)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_lines_of_the_last_moments_are_written() -> None:
    """What exit handlers, threads that outlive the main one and finalisers log is there, flushed or written by them."""
    script = f"""{PREAMBLE}
atexit.register(lambda: log.info("exit handler registered before"))
l.configure_logging()
atexit.register(lambda: log.info("exit handler registered after"))
class Late:
    def __del__(self):
        log.info("finaliser")
builtins.kept = Late()
def outlive():
    threading.main_thread().join()
    log.info("thread")
threading.Thread(target=outlive).start()
log.info("main")
"""
    status, events, printed = finished(script)
    assert (status, printed) == (0, "")
    assert events == [
        "main",
        "thread",
        "exit handler registered after",
        "exit handler registered before",
        "finaliser",
    ]


def test_daemon_threads_that_log_to_the_last_disturb_nobody() -> None:
    """The interpreter goes down while threads log, without an error and without a torn line."""
    script = f"""{CONFIGURED}
for _ in range(3):
    threading.Thread(target=log_some, args=(10**9,), daemon=True).start()
log_some()
"""
    status, events, printed = finished(script)
    assert (status, printed, {*events}) == (0, "", {"x"})


def test_workers_of_multiprocessing_write_their_lines() -> None:
    """A worker process, which runs no exit handler, writes what it logged before it ends."""
    script = f"""{CONFIGURED}
def work():
    log_some(50)
worker = multiprocessing.get_context("fork").Process(target=work)
worker.start()
worker.join()
log.info("parent", status=worker.exitcode)
"""
    status, events, _ = finished(script)
    assert (status, events) == (0, ["x"] * 50 + ["parent"])


def test_a_stream_that_hangs_does_not_hold_up_the_end() -> None:
    """A stream object whose write never returns costs its lines and the deadline, once."""
    script = f"""{PREAMBLE}
class Hanging:
    def write(self, text):
        time.sleep(3600)
    def flush(self):
        pass
sys.stderr = Hanging()
l.configure_logging(l.LoggingConfig(queue=l.LogQueueConfig(flush_seconds=0.2)))
log_some()
print("logged", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "logged\n"
    process.communicate(timeout=DEADLINE)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("moment", "stream"),
    [
        ("before", "sys.stderr = None"),
        ("before", "os.close(2)"),
        ("before", "sys.stderr = open('/dev/full', 'w')"),
        ("after", "sys.stderr.close()"),
        ("after", "os.close(2)"),
        ("after", "kept = sys.stderr.detach()"),
        *(
            pytest.param(*both, marks=pytest.mark.slow)
            for both in (
                ("before", "sys.stderr.close()"),
                ("before", "kept = sys.stderr.detach()"),
                ("before", "sys.stderr = object()"),
                ("after", "sys.stderr = None"),
                ("after", "sys.stderr = open('/dev/full', 'w')"),
                ("after", "sys.stderr = object()"),
            )
        ),
    ],
)
def test_a_stream_that_takes_nothing_stops_nobody(stream: str, moment: str) -> None:
    """Closed, missing, full and broken streams cost lines that are counted, and print no traceback."""
    steps = [stream, "handle = l.configure_logging()"]
    if moment == "after":
        steps.reverse()
    steps += ["log_some(5)", "handle.flush()", "print(handle.failed > 0, flush=True)"]
    script = PREAMBLE + "\n".join([*steps, "sys.stderr = None  # or the interpreter complains at its end"])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=DEADLINE)
    replaced = moment == "after" and stream.startswith("sys.stderr =")  # the handler has the one from before
    assert (done.returncode, done.stdout) == (0, f"{not replaced}\n")
    assert [line for line in done.stderr.splitlines() if not line.startswith("{")] == []


@pytest.mark.parametrize(
    ("end", "which", "expected", "target"),
    [
        ("os._exit(1)", "errors", 151, "file"),
        ("os._exit(1)", "all", 200, "stderr"),
        ("os.abort()", "errors", 151, "stderr"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "all", 200, "file"),
    ],
)
def test_what_is_written_at_once_survives_a_sudden_end(
    end: str, which: str, expected: int, target: str, tmp_path: Path
) -> None:
    """Each error, and what was logged before it, or each line, is written although nothing is done at the end."""
    path = tmp_path / "log"
    script = f"""{PREAMBLE}
sinks = [l.LoggingSinkConfig(target={target!r}, path={str(path)!r})]
l.configure_logging(l.LoggingConfig(sinks=sinks, queue=l.LogQueueConfig(write_at_once={which!r})))
for n in range(200):
    (log.error if n == 150 else log.info)("x", n=n)
{end}
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE)
    text = path.read_text() if target == "file" else done.stderr
    numbers = [json.loads(line)["n"] for line in text.splitlines() if line.startswith("{")]
    assert numbers[:expected] == list(range(expected))


def test_writing_at_once_waits_for_nobody_for_long() -> None:
    """A reader that never reads costs the deadline once, not for each line."""
    script = f"""{PREAMBLE}
queue = l.LogQueueConfig(write_at_once="all", flush_seconds=0.2)
handle = l.configure_logging(l.LoggingConfig(queue=queue))
waited = []
put = handle.handlers[0].queue._write_some
handle.handlers[0].queue._write_some = lambda wait: waited.append(wait) or put(wait)
log_some(200)
late = waited.index(0.0)
print({{*waited[late:]}}, flush=True)
time.sleep(60)
"""
    unread = Unread(script.replace("print(", "print('ready', flush=True); print("))
    try:
        assert unread.process.stdout is not None
        assert unread.process.stdout.readline() == "{0.0}\n"
    finally:
        unread.process.kill()
        unread.process.communicate(timeout=DEADLINE)
