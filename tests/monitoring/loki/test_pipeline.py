"""The configurations of Loki, Alloy and Promtail: their names exist, their parts are joined, their labels are few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import alloy
import pytest
import yaml
from log_pipeline_names import ALLOY, ALLOY_CONSTANTS, ALLOY_REQUIRED, LOKI, PROMTAIL, unknown

from oneiric.monitoring.bundle import bundle
from oneiric.monitoring.config import ConfigError, configured
from oneiric.monitoring.logql import COMMON_FIELDS, STREAM_LABELS
from oneiric.monitoring.loki.shipping import METADATA

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = {
    "defaults": (),
    "a user's own": (
        "app=shop",
        "environment=test",
        "loki_url=https://logs.example:443/loki",
        "loki_token_file=/etc/alloy/token",
        "log_files=/srv/shop/*.log",
        "systemd_unit=shop@1.service",
        "log_retention_seconds=604800",
    ),
}
WAYS = ("file", "journal", "kubernetes")


def files(settings: str) -> dict[str, str]:
    """Return the files of the bundle for one of the *settings*."""
    return bundle(configured(SETTINGS[settings]))


def blocks(tree: list[alloy.Block], owner: str = "") -> Iterator[tuple[str, alloy.Block]]:
    """Yield each block of *tree* with the name that the documentation has it under."""
    for block in tree:
        name = f"{owner}/{block.name}" if owner else block.name
        yield name, block
        yield from blocks(block.blocks, name)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("way", WAYS)
def test_alloy_knows_every_name(way: str, settings: str) -> None:
    """Each component, argument and block of a configuration is documented, and none that is required is missing."""
    for name, block in blocks(alloy.read(files(settings)[f"alloy/{way}.alloy"])):
        arguments, inner, _ = ALLOY[name]
        assert block.attributes.keys() <= arguments, name
        assert {part.name for part in block.blocks} <= inner, name
        assert ALLOY_REQUIRED.get(name, set()) <= block.attributes.keys(), name


@pytest.mark.parametrize("way", WAYS)
def test_alloys_components_are_joined(way: str) -> None:
    """Each reference is to what a component of the file exports, and lines reach Loki from their source."""
    tree = alloy.read(files("defaults")[f"alloy/{way}.alloy"])
    exports = {f"{block.name}.{block.label}.{name}" for block in tree for name in ALLOY[block.name][2]}
    used = [reference for block in tree for reference in alloy.references(block)]
    assert {*used} <= exports | ALLOY_CONSTANTS
    sources = {f"{block.name}.{block.label}" for block in tree if block.name.startswith("loki.source.")}
    unused = {f"{block.name}.{block.label}" for block in tree} - {name.rpartition(".")[0] for name in used}
    assert unused == sources
    assert len({(block.name, block.label) for block in tree}) == len(tree)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("way", WAYS)
def test_promtail_knows_every_name(way: str, settings: str) -> None:
    """Each name in a configuration of Promtail is documented, and the file says that Promtail is out of support."""
    text = files(settings)[f"promtail/{way}.yml"]
    assert unknown(yaml.safe_load(text), PROMTAIL) == []
    assert "out of support since 2026-03-02" in text


@pytest.mark.parametrize("settings", SETTINGS)
def test_loki_knows_every_name(settings: str) -> None:
    """Each name in the configuration of Loki is documented."""
    assert unknown(yaml.safe_load(files(settings)["loki/loki.yml"]), LOKI) == []


def test_loki_keeps_metadata_and_forgets_in_time() -> None:
    """The schema is one that has structured metadata, retention is on, and only what is asked for is added to lines."""
    document = yaml.safe_load(files("a user's own")["loki/loki.yml"])
    schema = document["schema_config"]["configs"][0]
    limits = document["limits_config"]
    assert (schema["schema"], schema["store"], schema["index"]["period"]) == ("v13", "tsdb", "24h")
    assert limits["allow_structured_metadata"] is True
    assert (limits["retention_period"], document["compactor"]["retention_enabled"]) == ("1w", True)
    assert limits["discover_service_name"] == []
    assert document["ruler"]["remote_write"]["clients"]["prometheus"]["url"].endswith("/api/v1/write")


@pytest.mark.parametrize(
    ("url", "address", "port"), [("http://localhost:3100", "127.0.0.1", 3100), ("http://l:1", "0.0.0.0", 1)]
)
def test_loki_listens_to_others_only_if_told(url: str, address: str, port: int) -> None:
    """Loki, which asks nobody who they are, listens on the loopback address unless it is asked for from elsewhere."""
    server = yaml.safe_load(bundle(configured([f"loki_url={url}"]))["loki/loki.yml"])["server"]
    assert (server["http_listen_address"], server["http_listen_port"]) == (address, port)


@pytest.mark.parametrize("settings", SETTINGS)
def test_lokis_parts_call_each_other_where_they_listen(settings: str) -> None:
    """The address that all parts of Loki give to each other, its front end too, is the one that it listens at."""
    document = yaml.safe_load(files(settings)["loki/loki.yml"])
    assert document["common"]["instance_addr"] == document["server"]["grpc_listen_address"] == "127.0.0.1"
    assert "instance_addr" not in document["common"]["ring"]


@pytest.mark.parametrize("way", WAYS)
def test_a_line_has_three_labels_and_its_metadata(way: str) -> None:
    """Streams differ by application, environment and host alone; fields are metadata, and ones that lines have."""
    made = files("defaults")
    process = next(block for block in alloy.read(made[f"alloy/{way}.alloy"]) if block.name == "loki.process")
    stages = {stage.name: stage.attributes for stage in process.blocks}
    promtail = {
        name: value
        for stage in yaml.safe_load(made[f"promtail/{way}.yml"])["scrape_configs"][0]["pipeline_stages"]
        for name, value in stage.items()
    }
    assert stages["stage.label_keep"]["values"] == promtail["labelallow"] == list(STREAM_LABELS)
    assert stages["stage.structured_metadata"]["values"] == promtail["structured_metadata"]
    assert stages["stage.structured_metadata"]["values"].keys() == {*METADATA}
    assert stages["stage.json"]["expressions"] == promtail["json"]["expressions"]
    assert stages["stage.json"]["expressions"].keys() <= COMMON_FIELDS
    assert stages["stage.timestamp"] == promtail["timestamp"]


@pytest.mark.parametrize(("way", "kept"), [("file", None), ("journal", "skip"), ("kubernetes", "skip")])
def test_a_line_that_is_not_json_keeps_the_time_that_it_came_with(way: str, kept: str | None) -> None:
    """A traceback is not dated back to the last line before it, unless it comes without a time, from a file."""
    process = next(
        block for block in alloy.read(files("defaults")[f"alloy/{way}.alloy"]) if block.name == "loki.process"
    )
    (stage,) = (stage for stage in process.blocks if stage.name == "stage.timestamp")
    assert stage.attributes.get("action_on_failure") == kept


@pytest.mark.parametrize("way", WAYS)
def test_alloy_configurations_are_formatted(way: str) -> None:
    """Lines are indented with a tab for each block they are in, which is what `alloy fmt --test` asks for."""
    depth = 0
    for line in files("defaults")[f"alloy/{way}.alloy"].splitlines():
        depth -= line.strip() == "}"
        assert len(line) - len(line.lstrip()) == line.count("\t") == (depth if line else 0), line
        depth += line.endswith("{")


def test_promtail_names_the_host() -> None:
    """The journal and pods say which host they are of; only for files is the environment asked."""
    made = {way: files("defaults")[f"promtail/{way}.yml"] for way in WAYS}
    assert ["HOSTNAME" in made[way] for way in WAYS] == [True, False, False]
    assert made["file"].count("HOSTNAME") == 2
    for way, source in (("journal", "__journal__hostname"), ("kubernetes", "__meta_kubernetes_pod_name")):
        rules = yaml.safe_load(made[way])["scrape_configs"][0]["relabel_configs"]
        assert {"source_labels": [source], "target_label": "host"} in rules


def test_promtail_finds_the_files_of_pods() -> None:
    """The path is made of what the rule matches, whether variables of the environment are filled in or not."""
    rules = yaml.safe_load(files("defaults")["promtail/kubernetes.yml"])["scrape_configs"][0]["relabel_configs"]
    (path,) = (rule for rule in rules if rule.get("target_label") == "__path__")
    assert path["replacement"] == "/var/log/pods/*$1/*.log"


@pytest.mark.parametrize("way", WAYS)
def test_every_label_of_the_stream_is_set(way: str) -> None:
    """Whichever way lines come, each label has a value, and the application's is what queries ask for."""
    text = files("a user's own")[f"alloy/{way}.alloy"]
    tree = alloy.read(text)
    given: set[str] = set()
    for _, block in blocks(tree):
        given |= {block.attributes["target_label"]} if "target_label" in block.attributes else set()
        given |= block.attributes.get("labels", {}).keys()
        for target in block.attributes.get("path_targets", []):
            given |= target.keys() - {"__path__"}
    assert given == {*STREAM_LABELS}
    for value in ("shop", "test", "https://logs.example:443/loki/loki/api/v1/push", "/etc/alloy/token"):
        assert f'"{value}"' in text


@pytest.mark.parametrize(
    "setting",
    ["log_files=relative.log", "log_files=/a b", "systemd_unit=oneiric", 'systemd_unit=a".service', "loki_dir=/a'b"],
)
def test_a_setting_that_would_break_a_configuration_is_refused(setting: str) -> None:
    """A path or a unit that needs quotes, or is none, is an error that names the setting."""
    with pytest.raises(ConfigError, match=setting.partition("=")[0]):
        configured([setting])


@pytest.mark.parametrize(
    "text",
    ['a "b" {', "a = 1", 'a "b" { c = }', 'a "b" { c = 1 c = 2 }', 'a "b" { c = [1 2] }', "a { ? }", "1 {}"],
)
def test_what_is_no_configuration_of_alloy_is_found_out(text: str) -> None:
    """The reader that these tests rely on refuses what Alloy would."""
    with pytest.raises(alloy.AlloyError):
        alloy.read(text)


def test_a_name_that_is_not_documented_is_found_out() -> None:
    """The form that these tests rely on refuses what it does not have, at any depth."""
    document: Any = {"server": {"http_port": 1}, "clients": [{"uri": "x"}], "other": 1, "positions": []}
    assert unknown(document, PROMTAIL) == [".other", ".server.http_port", ".clients[].uri", ".positions"]
