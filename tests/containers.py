"""A container engine for tests: dockerd started here, with a base image of this machine's own packages."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from base_image import ENVIRONMENT, write_base
from documents import ROOT
from processes import REQUIRED, eventually, executable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Done = subprocess.CompletedProcess[str]

BASE = "python:3.13-slim-bookworm"
"""What the Dockerfile begins with; here it is made of Debian's own Python."""
IMAGE, BUILDER, SHOP = "oneiric:0.1.0", "oneiric:0.1.0-builder", "shop:0.1.0"
SECOND = "oneiric:second"
"""The image built a second time, by the classic builder."""
DOCKERFILE = "deploy/docker/Dockerfile"
RUNTIME = "/run/oneiric:mode=0770,uid=10001,gid=0"
HARDENED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp", f"--tmpfs={RUNTIME}")
"""How the guide runs the image."""
SECONDS = 600.0
"""What anything may take, a build on a loaded machine too."""


class Engine:
    """A dockerd of its own in *directory*: it publishes ports, but changes no rule of this machine's firewall."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = os.environ | {"DOCKER_HOST": f"unix://{directory}/socket", "DOCKER_BUILDKIT": "1"}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return once it answers; what it keeps is in memory, where this machine lets root do that."""
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6g", "tmpfs", self.directory], check=False)
        places = {"data-root": "data", "exec-root": "exec", "pidfile": "pid", "host": "socket"}
        options = [f"--{name}={self.directory / place}" for name, place in places.items() if name != "host"]
        network = ["--bridge=none", "--iptables=false", "--default-address-pool=base=10.213.0.0/16,size=24"]
        command = ["dockerd", *options, f"--host={self.environment['DOCKER_HOST']}", *network]
        with (self.directory / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        eventually(lambda: self.docker("version", check=False).returncode == 0, what="dockerd answers", seconds=SECONDS)
        self.docker("network", "create", "tests")

    def stop(self) -> None:
        """End every container, network and dockerd itself, by its process."""
        if self._process is None:
            return
        containers = self.docker("ps", "--all", "--quiet", check=False).stdout.split()
        if containers:
            self.docker("rm", "--force", "--volumes", *containers, check=False)
        self.docker("network", "prune", "--force", check=False)  # with their bridges
        self._process.terminate()
        self._process.wait(timeout=SECONDS)
        for mounted in (self.directory / "exec" / "netns" / "default", self.directory):
            subprocess.run(["umount", "--lazy", mounted], check=False, stderr=subprocess.DEVNULL)

    def docker(self, *arguments: str, check: bool = True, **options: Any) -> Done:
        """Run a command of docker; where it fails, so does the test, with what it printed."""
        settings: dict[str, Any] = {"env": self.environment, "cwd": ROOT, "timeout": SECONDS} | options
        done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, **settings)
        if check and done.returncode:
            pytest.fail(f"docker {' '.join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def build(self, tag: str, *options: str, context: str = ".", buildkit: bool = True) -> None:
        """Build an image with the network of this machine, by BuildKit or by the classic builder."""
        environment = self.environment | {"DOCKER_BUILDKIT": str(int(buildkit))}
        self.docker("build", "--network=host", f"--tag={tag}", *options, context, env=environment)

    def inspect(self, name: str) -> Any:
        """Return what docker knows of an image or a container."""
        (found,) = json.loads(self.docker("inspect", name).stdout)
        return found

    def once(self, image: str, *options: str, command: tuple[str, ...] = ()) -> Done:
        """Run a container as the guide does until it ends by itself."""
        return self.docker(
            "run", "--rm", "--network=none", *HARDENED, *options, image, *command, check=False, timeout=120.0
        )

    def python(self, image: str, program: Path) -> Any:
        """Return the JSON that *program* prints, run by root with the Python of *image*."""
        options = ("--rm", "--interactive", "--network=none", "--user=0", "--entrypoint=python3")
        text = program.read_text(encoding="utf-8")
        return json.loads(self.docker("run", *options, image, "-", input=text).stdout)

    @contextmanager
    def container(self, image: str, *options: str) -> Iterator[Container]:
        """Yield a container of *image* that runs as the guide does; it is removed at the end, with its volumes."""
        often = "--health-interval=1s"
        done = self.docker("run", "--detach", "--network=tests", often, *HARDENED, *options, image)
        container = Container(self, done.stdout.strip())
        try:
            yield container
        finally:
            self.docker("rm", "--force", "--volumes", container.name)


class Container:
    """A container of *engine*."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        self.name = name

    @property
    def state(self) -> Any:
        """How docker says that it stands."""
        return self.engine.inspect(self.name)["State"]

    def run(self, *command: str) -> Done:
        """Run *command* within it."""
        return self.engine.docker("exec", self.name, *command, check=False)

    def log(self) -> str:
        """Return what it wrote to standard error."""
        return self.engine.docker("logs", self.name).stderr

    def wait_healthy(self) -> None:
        """Return once its health check says that it is well."""

        def is_well() -> bool:
            state = self.state
            if not state["Running"]:
                pytest.fail(f"the container ended with {state['ExitCode']}: {self.log()[-2000:]}")
            return bool(state["Health"]["Status"] == "healthy")

        eventually(is_well, what="the container is healthy", seconds=SECONDS)

    def wait_logged(self, text: str) -> None:
        """Return once *text* is in its log."""
        eventually(lambda: text in self.log(), what=f"{text} is logged", seconds=SECONDS)

    def address(self) -> str:
        """Return where its metrics are published on this machine."""
        return self.engine.docker("port", self.name, "9464/tcp").stdout.split()[0]


def missing(reason: str) -> None:
    """Skip the test for *reason*, or fail where servers are required."""
    if os.environ.get(REQUIRED):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def engine(directory: Path) -> Iterator[Engine]:
    """Yield an engine with the base image, which ends with the tests."""
    for program in ("docker", "dockerd", "runc"):
        executable(program, package="docker.io")
    if os.geteuid() != 0:
        missing("needs root, to run containers")
    for plugin in ("buildx", "compose"):
        if subprocess.run(["docker", plugin, "version"], capture_output=True, check=False).returncode:
            missing(f"needs Docker's plugin {plugin}, below $DOCKER_CONFIG/cli-plugins")
    made = Engine(directory)
    try:
        made.start()
        archive = directory / "base.tar"
        write_base(archive)
        changes = [f"--change=ENV {name}={value}" for name, value in ENVIRONMENT.items()]
        made.docker("import", *changes, str(archive), BASE)
        archive.unlink()
        yield made
    finally:
        made.stop()
