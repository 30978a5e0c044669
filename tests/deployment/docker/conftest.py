"""One engine and one build for every question to the image."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import containers
import pytest
from containers import BUILDER, DOCKERFILE, IMAGE, SECOND, SHOP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from containers import Engine


@pytest.fixture(scope="session")
def bare() -> Iterator[Engine]:
    """Return an engine that has the base image only; the path of its socket must be short."""
    with tempfile.TemporaryDirectory(prefix="engine-") as directory, containers.engine(Path(directory)) as engine:
        yield engine


@pytest.fixture(scope="session")
def engine(bare: Engine) -> Engine:
    """Return an engine that has built the image, twice at the same time, what it is built in, and the shop."""
    with ThreadPoolExecutor() as pool:
        second = pool.submit(bare.build, SECOND, f"--file={DOCKERFILE}", "--no-cache", buildkit=False)
        bare.build(IMAGE, f"--file={DOCKERFILE}")
        second.result()
    bare.build(BUILDER, f"--file={DOCKERFILE}", "--target=builder")
    bare.build(SHOP, context="examples/shop")
    return bare
