"""The example application: run by the real service, and commanded through its control socket."""

from __future__ import annotations

import json
import os
import tomllib
from typing import TYPE_CHECKING

import pytest
from processes import eventually
from shops import Shop, open_shop

from oneiric.runtime.control.client import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow  # each starts processes

PROVIDERS = {"memory", "file", "bounded"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Return a shop that is open; what a test changes it changes back."""
    with open_shop(tmp_path_factory.mktemp("shop")) as one:
        yield one


def test_what_must_run_is_active(shop: Shop) -> None:
    """All five components of ``runtime.start`` are active when the shop says that it is ready."""
    ready = shop.event("runtime-ready")
    assert (ready["required"], ready["active"]) == (5, 5)


def test_the_manifest_brings_a_provider(shop: Shop) -> None:
    """The provider of the signed manifest is registered beside the two of the package, and wins nothing."""
    cache = shop.client.read("list")["domains"][0]["active"]
    assert (shop.providers(), [entry["provider"] for entry in cache]) == (PROVIDERS, ["memory"])


def test_orders_are_paid_whoever_serves_the_cache(shop: Shop) -> None:
    """An order is priced, paid, announced and reported with each provider, the manifest's too, swapped in."""
    totals = []
    for number, provider in enumerate([*sorted(PROVIDERS), "memory"]):
        answer = shop.client.change("swap", key="cache", provider=provider)
        shop.order(f"whoever-{number}", item="cake", count=2)
        totals.append((answer["provider"], shop.paid(f"whoever-{number}")))
    assert totals == [("bounded", 10), ("file", 10), ("memory", 10), ("memory", 10)]
    report = shop.data / "report.json"
    eventually(lambda: json.loads(report.read_text())["cake"] == 40, what="the report has all four")


def test_an_order_waits_while_the_cache_is_paused(shop: Shop) -> None:
    """A paused cache holds the orders back, and the first turn after it is resumed pays them."""
    shop.client.change("pause", key="cache", note="prices change")
    shop.order("waiting", item="tea")
    blocked = shop.event("domain-activity-blocked")
    held = "waiting" not in shop.receipts()
    shop.client.change("pause", key="cache", resume=True)
    assert (blocked["key"], blocked["reason"], held, shop.paid("waiting")) == ("cache", "paused", True, 3)


def test_an_order_that_cannot_be_understood_is_set_aside(shop: Shop) -> None:
    """An order without a price is refused, and the next one is paid."""
    shop.order("a-refused", item="unicorn")
    shop.order("b-good", item="tea")
    assert shop.paid("b-good") == 3
    assert (shop.directory / "orders" / "a-refused.refused").exists()


def test_a_swap_to_what_cannot_work_is_rolled_back(shop: Shop) -> None:
    """Where the directory of the file cache cannot be made, the swap fails and the cache that served serves on."""
    blocked = shop.data / "cache"
    if blocked.exists():
        blocked.rename(shop.data / "aside")
    blocked.write_text("in the way", encoding="utf-8")
    with pytest.raises(RefusedError, match=r"Swap failed for adapter:cache \(file\): .*File exists"):
        shop.client.change("swap", key="cache", provider="file")
    shop.order("after-rollback", item="tea")
    assert (shop.paid("after-rollback"), shop.event("swap-rollback")["restored_provider"]) == (3, "memory")
    blocked.unlink()


def test_a_reload_swaps_what_the_settings_select(tmp_path: Path) -> None:
    """A selection that is saved is in force after the command ``reload``; then SIGTERM ends the shop cleanly."""
    with open_shop(tmp_path) as shop:
        text = shop.config.read_text(encoding="utf-8")
        shop.config.write_text(text.replace("provider_settings:", "selections: {cache: file}\n  provider_settings:", 1))
        applied = shop.client.change("reload")["applied"]
        swapped = shop.event("swap-complete", count=6)
        assert shop.stop() == 0
    assert (applied, swapped["provider"], swapped["previous_provider"]) == (
        ["adapters.selections.cache"],
        "file",
        "memory",
    )
    assert not [line for line in shop.events() if line["level"] == "error"]


def test_without_its_key_nothing_of_the_manifest_is_taken(tmp_path: Path) -> None:
    """A service that trusts another key refuses the manifest, says so, and runs without what it brings."""
    shop = Shop(tmp_path)
    shop.sign()
    (tmp_path / "signing-key").unlink()
    manifest = (tmp_path / "manifest.json").read_text(encoding="utf-8")
    shop.sign()
    (tmp_path / "manifest.json").write_text(manifest, encoding="utf-8")
    try:
        shop.launch()
        assert shop.event("remote-sync-error")["reason"] == "signature"
        eventually(shop.answers, what="the shop answers")
        assert "bounded" not in shop.providers()
    finally:
        shop.kill()


def test_its_entry_point_is_a_plugin(tmp_path: Path) -> None:
    """Where the package is installed, ``plugins.auto_load`` brings what needs neither settings nor other components."""
    shop = Shop(tmp_path)
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = tmp_path / "oneiric_shop-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups = project["entry-points"].items()
    lines = [f"[{group}]\n{name} = {place}\n" for group, places in groups for name, place in places.items()]
    (metadata / "entry_points.txt").write_text("".join(lines), encoding="utf-8")
    shop.sign()
    paths = f"{tmp_path}{os.pathsep}{shop.environment['PYTHONPATH']}"
    environment = shop.environment | {"PYTHONPATH": paths, "ONEIRIC_PLUGINS__AUTO_LOAD": "true"}
    answer = json.loads(shop.run("plugins", "--json", env=environment).stdout)
    assert (answer["registered"], answer["errors"]) == (2, [])


def test_the_signing_key_is_private_and_kept(tmp_path: Path) -> None:
    """The script makes the key for its owner only, and signs with the same key when it runs again."""
    shop = Shop(tmp_path)
    shop.sign()
    before = (tmp_path / "shop.env").read_text(encoding="utf-8")
    shop.sign()
    mode = (tmp_path / "signing-key").stat().st_mode & 0o777
    assert (mode, (tmp_path / "shop.env").read_text(encoding="utf-8")) == (0o600, before)
