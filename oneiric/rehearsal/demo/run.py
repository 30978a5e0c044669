"""The demonstration: the real runtime, on real input that it makes and serves to itself."""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live

from oneiric.core.config import (
    LoggingConfig,
    LoggingSinkConfig,
    LogQueueConfig,
    OneiricSettings,
    PushSettings,
    SettingsError,
    load_settings,
)
from oneiric.core.logging import configure_logging
from oneiric.observability.catalogue import HOOK_ERRORS
from oneiric.rehearsal.demo.view import line, measured, table
from oneiric.rehearsal.demo.workload import Workload, candidates
from oneiric.rehearsal.demo.world import DemoWorld
from oneiric.rehearsal.interruption import Interruption
from oneiric.rehearsal.listening import ANY_PORT, ListeningWatch
from oneiric.rehearsal.screen import Screen, signals_handled
from oneiric.remote.manifest import ENV_TRUSTED_PUBLIC_KEYS
from oneiric.runtime.orchestrator import RuntimeOrchestrator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.observability import Telemetry

REFRESH_SECONDS = 0.5
LINE_SECONDS = 5.0
PROBE_SECONDS = 2.0
STEP_SECONDS = 5.0
"""How long the end waits for the step that is under way."""
FLUSH_SECONDS = 0.5
"""How long the end waits for log lines that nobody takes."""


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What the command line asks for.

    Attributes:
        seconds: How long to run; 0 runs until interrupted.
        rate: Steps of the workload a second.
        port: Port of the metrics; 0 picks a free one, None leaves the address to the settings.
        faults: Let some of the operations fail.
        logs: Write the log lines to standard error instead of a file.
        log_file: The file they are written to; None: one in a temporary directory.
        log_level: The level from which on they are written.
        seed: Makes two runs take the same steps.
        push_gateway: Where to push the metrics at the end; None leaves it to the settings.
        textfile: The file to write them to at the end; None leaves it to the settings.
    """

    seconds: float = 60.0
    rate: float = 20.0
    port: int | None = None
    faults: bool = True
    logs: bool = False
    log_file: Path | None = None
    log_level: str = "INFO"
    seed: int = 0
    push_gateway: str | None = None
    textfile: Path | None = None


_DELIBERATE = "[bold]faults[/]     deliberate: some resolutions, swaps and syncs are meant to fail (--no-faults: none)"
_NEXT = "next: oneiric monitoring drill swap-failures rehearses an incident and its alert (drill --list: all of them)"
_NOT_PUSHED = "[bold red]the metrics could not be pushed or written: the log lines say why[/]"


def run_demo(options: DemoOptions) -> None:
    """Run the demonstration until its time is over or it is interrupted.

    SettingsError for what cannot be used, an address for the metrics that cannot be listened on for example.
    Where nobody takes what it prints it goes on without, and ends the process itself: the interpreter would wait.
    """
    console = Console(highlight=False, soft_wrap=True)
    screen = Screen(console)
    interruption = Interruption()
    with signals_handled(interruption.happen):
        try:
            pushed = _run(options, console, screen, interruption)
        except SettingsError:
            screen.drain()
            raise
        screen.print(f"stopped cleanly\n{_NEXT}" if pushed else _NOT_PUSHED)
        if not screen.drain():
            os._exit(0 if pushed else 1)
    if not pushed:
        raise SystemExit(1)


def _run(options: DemoOptions, console: Console, screen: Screen, interruption: Interruption) -> bool:
    with tempfile.TemporaryDirectory(prefix="oneiric-demo-", ignore_cleanup_errors=True) as name:
        manifests = Path(name) / "manifests"
        manifests.mkdir()
        settings = _settings(options, Path(name) / "cache")
        with _logging(options) as log_target, _world(manifests, options) as world:
            screen.print(f"[bold]log lines[/]  {log_target}")
            view = _View(console, screen)
            return asyncio.run(_demonstrate(options, settings, world, view, interruption))


@dataclass(frozen=True)
class _View:
    """Where things are shown: a table that is redrawn on a terminal, lines elsewhere."""

    console: Console
    screen: Screen


async def _demonstrate(
    options: DemoOptions, settings: OneiricSettings, world: DemoWorld, view: _View, interruption: Interruption
) -> bool:
    """Return whether the metrics were left where the settings say, if they do."""
    runtime, listening = RuntimeOrchestrator(settings), ListeningWatch()
    runtime.observers.add(listening)
    for candidate in candidates():
        runtime.resolver.register(candidate)
    for source in world.sources.values():
        runtime.remotes.add(source)
    try:
        if await _start(runtime, interruption):
            if listening.problem:
                raise SettingsError(f"{listening.problem}; {ANY_PORT}")
            view.screen.print(f"[bold]metrics[/]    {_metrics_url(runtime)}")
            view.screen.print(_duration(options))
            if options.faults:
                view.screen.print(_DELIBERATE)
            await _drive(runtime, options, view, interruption)
    finally:
        await runtime.stop()
    samples = runtime.telemetry.samples() if runtime.telemetry is not None else {}
    errors = samples.get(HOOK_ERRORS.name, [])
    return not any(value for labels, value in errors if labels["sink"] == "push")


async def _start(runtime: RuntimeOrchestrator, interruption: Interruption) -> bool:
    """Start *runtime* and return True; where somebody interrupts, give that up and return False."""
    start, stop = asyncio.create_task(runtime.start()), asyncio.create_task(interruption.wait())
    await asyncio.wait([start, stop], return_when=asyncio.FIRST_COMPLETED)
    interrupted = stop.done()
    (start if interrupted else stop).cancel()
    await asyncio.wait([start, stop])
    if not start.cancelled():
        start.result()
    return not interrupted


async def _drive(runtime: RuntimeOrchestrator, options: DemoOptions, view: _View, interruption: Interruption) -> None:
    """Work and show until time is up, somebody interrupts, or either of the two fails, which is then raised."""
    workload = Workload(runtime, Random(options.seed), faults=options.faults)  # noqa: S311 - no secret
    over = asyncio.Event()
    work = asyncio.create_task(_work(workload, options.rate, over))
    show = asyncio.create_task(_show(runtime, view))
    stop = asyncio.create_task(interruption.wait())
    tasks: tuple[asyncio.Task[Any], ...] = (work, show, stop)
    done, _ = await asyncio.wait(tasks, timeout=options.seconds or None, return_when=asyncio.FIRST_COMPLETED)
    over.set()
    await asyncio.wait([work], timeout=STEP_SECONDS)  # a step that is cut off would be a failure in the figures
    for task in tasks:  # one after another, so that what is shown last has what the last step did
        task.cancel()
        await asyncio.wait([task])
    for task in done:
        task.result()


async def _work(workload: Workload, rate: float, over: asyncio.Event) -> None:
    """Take *rate* steps a second until it is *over*."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while not over.is_set():
        await workload.step()
        due = max(due + 1.0 / rate, loop.time())
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), due - loop.time())


async def _show(runtime: RuntimeOrchestrator, view: _View) -> None:
    if runtime.telemetry is None:
        await asyncio.Event().wait()
    elif view.console.is_terminal:
        await _show_table(runtime.telemetry, view.console)
    else:
        await _show_lines(runtime.telemetry, view.screen)


async def _show_table(telemetry: Telemetry, console: Console) -> None:
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(table(measured(telemetry), title="measured"), refresh=True)
            await asyncio.sleep(REFRESH_SECONDS)


async def _show_lines(telemetry: Telemetry, screen: Screen) -> None:
    try:
        while True:
            await asyncio.sleep(LINE_SECONDS)
            screen.print(line(measured(telemetry)))
    finally:
        screen.print(line(measured(telemetry)))


def _metrics_url(runtime: RuntimeOrchestrator) -> str:
    server = runtime.metrics_server
    if server is None:
        return "not served: the settings say so"
    host = f"[{server.address}]" if ":" in server.address else server.address
    return f"http://{host}:{server.port}/metrics"


def _duration(options: DemoOptions) -> str:
    if options.seconds == 0:
        return "runs until interrupted with Ctrl-C"
    return f"runs for {options.seconds:g} s (--seconds 0: until interrupted with Ctrl-C)"


def _settings(options: DemoOptions, cache: Path) -> OneiricSettings:
    """Return the settings of the demonstration: its own, but for what the user says of its telemetry."""
    observability = load_settings().observability.model_copy(update={"probe_interval": PROBE_SECONDS})
    if options.port is not None:
        observability.metrics_address = f"127.0.0.1:{options.port}"
    observability.push = _push_settings(options, observability.push)
    return OneiricSettings.exactly(cache_dir=str(cache), observability=observability)


def _push_settings(options: DemoOptions, settings: PushSettings) -> PushSettings:
    asked = {"pushgateway": options.push_gateway, "textfile": options.textfile}
    update = {name: value for name, value in asked.items() if value is not None}
    try:
        return PushSettings.model_validate(settings.model_dump() | update)
    except ValueError:
        raise SettingsError("--push-gateway: must be http://host:port or https://host:port, perhaps a path") from None


@contextmanager
def _logging(options: DemoOptions) -> Iterator[str]:
    """Configure logging as *options* say, and yield where the lines go."""
    if options.logs:
        sink, target = LoggingSinkConfig(target="stderr", level=options.log_level), "standard error"
    else:
        path = options.log_file or _new_log_file()
        sink, target = LoggingSinkConfig(target="file", path=path, level=options.log_level), str(path)
    try:
        queue = LogQueueConfig(flush_seconds=FLUSH_SECONDS)
        config = LoggingConfig(level=options.log_level, sinks=[sink], queue=queue)
        handle = configure_logging(OneiricSettings.exactly(logging=config).logging)
    except OSError as error:
        raise SettingsError(f"--log-file {target}: cannot be written: {error.strerror}") from error
    try:
        yield target
    finally:
        handle.close()


def _new_log_file() -> Path:
    descriptor, name = tempfile.mkstemp(prefix="oneiric-demo-", suffix=".jsonl")
    os.close(descriptor)
    return Path(name)


@contextmanager
def _world(manifests: Path, options: DemoOptions) -> Iterator[DemoWorld]:
    """Serve the manifests from below *manifests*, and trust them."""
    with DemoWorld(manifests, faults=options.faults) as world, _trusting(world.public_key):
        yield world


@contextmanager
def _trusting(public_key: str) -> Iterator[None]:
    """Trust *public_key*, and no other, in this process."""
    before = os.environ.get(ENV_TRUSTED_PUBLIC_KEYS)
    os.environ[ENV_TRUSTED_PUBLIC_KEYS] = public_key
    try:
        yield
    finally:
        if before is None:
            del os.environ[ENV_TRUSTED_PUBLIC_KEYS]
        else:
            os.environ[ENV_TRUSTED_PUBLIC_KEYS] = before
