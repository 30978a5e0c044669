"""The configurations of Loki, Alloy and Promtail: their names exist, their parts are joined, their labels are few."""

from __future__ import annotations

from typing import TYPE_CHECKING

import alloy
import pytest
import yaml
from bundles import exported
from log_pipeline_kinds import faults_of_alloy, faults_of_yaml
from log_pipeline_names import ALLOY, ALLOY_CONSTANTS, ALLOY_REQUIRED, LOKI, PROMTAIL

from oneiric.monitoring.bundle import bundle
from oneiric.monitoring.bundle.loki import METADATA
from oneiric.monitoring.config import ConfigError, configured
from oneiric.monitoring.logql import COMMON_FIELDS, STREAM_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
ALLOYS_WAYS = (*WAYS, "docker")
"""Promtail is out of support: no way to read lines is added to it."""


def files(settings: str) -> Mapping[str, str]:
    """Return the files of the bundle for one of the *settings*."""
    return exported(SETTINGS[settings])


def blocks(tree: list[alloy.Block], owner: str = "") -> Iterator[tuple[str, alloy.Block]]:
    """Yield each block of *tree* with the name that the documentation has it under."""
    for block in tree:
        name = f"{owner}/{block.name}" if owner else block.name
        yield name, block
        yield from blocks(block.blocks, name)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("way", ALLOYS_WAYS)
def test_alloy_knows_every_name(way: str, settings: str) -> None:
    """Each component, argument, value and block is as it is documented, and none that is required is missing."""
    assert faults_of_alloy(alloy.read(files(settings)[f"alloy/{way}.alloy"]), ALLOY, ALLOY_REQUIRED) == []


@pytest.mark.parametrize("way", ALLOYS_WAYS)
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
    """Names and values are as documented for Promtail, and the file says that Promtail is out of support."""
    text = files(settings)[f"promtail/{way}.yml"]
    assert faults_of_yaml(yaml.safe_load(text), PROMTAIL) == []
    assert "out of support since 2026-03-02" in text


@pytest.mark.parametrize("settings", SETTINGS)
def test_loki_knows_every_name(settings: str) -> None:
    """Each name in the configuration of Loki, and each value, is as it is documented."""
    assert faults_of_yaml(yaml.safe_load(files(settings)["loki/loki.yml"]), LOKI) == []


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


@pytest.mark.parametrize(("way", "kept"), [("file", "fudge"), *((way, "skip") for way in ALLOYS_WAYS[1:])])
def test_a_line_that_is_not_json_keeps_the_time_that_it_came_with(way: str, kept: str) -> None:
    """A traceback is not dated back to the last line before it, unless it comes without a time, from a file."""
    process = next(
        block for block in alloy.read(files("defaults")[f"alloy/{way}.alloy"]) if block.name == "loki.process"
    )
    (stage,) = (stage for stage in process.blocks if stage.name == "stage.timestamp")
    assert stage.attributes["action_on_failure"] == kept


@pytest.mark.parametrize("way", ALLOYS_WAYS)
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


@pytest.mark.parametrize("way", ALLOYS_WAYS)
def test_every_label_of_the_stream_is_set(way: str) -> None:
    """Whichever way lines come, each label has a value, and the application's is what queries ask for."""
    text = files("a user's own")[f"alloy/{way}.alloy"]
    tree = alloy.read(text)
    given: set[str] = set()
    for _, block in blocks(tree):
        given |= {block.attributes["target_label"]} if "target_label" in block.attributes else set()
        given |= block.attributes.get("labels", {}).keys()
        given |= block.attributes["values"].keys() if block.name == "stage.static_labels" else set()
    assert given == {*STREAM_LABELS}
    for value in ("shop", "test", "https://logs.example:443/loki/loki/api/v1/push", "/etc/alloy/token"):
        assert f'"{value}"' in text


def test_alloy_goes_on_where_promtail_was() -> None:
    """With its positions file Alloy ships no line twice; they are of use only where targets have no labels yet."""
    tree = alloy.read(bundle(configured(["legacy_positions_file=/var/lib/promtail/p.yml"]))["alloy/file.alloy"])
    assert faults_of_alloy(tree, ALLOY, ALLOY_REQUIRED) == []
    found = {block.name: block.attributes for block in tree}
    assert found["loki.source.file"]["legacy_positions_file"] == "/var/lib/promtail/p.yml"
    assert found["local.file_match"]["path_targets"] == [{"__path__": "/var/log/oneiric/*.jsonl"}]
    assert "legacy" not in files("defaults")["alloy/file.alloy"]


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


@pytest.mark.parametrize(
    ("way", "old", "new", "fault"),
    [
        ("file", "targets    =", "target    =", "loki.source.file.target: not known"),
        ("file", "\ttargets    = local.file_match.oneiric.targets\n", "", "loki.source.file.targets: missing"),
        ("file", "stage.label_keep {", "stage.labelallow {", "loki.process: no block stage.labelallow"),
        ("file", "loki.source.file", "loki.source.files", "loki.source.files: not known"),
        ("file", '["app", "env", "host"]', '"app"', "loki.process/stage.label_keep.values: 'app'"),
        ("file", "[loki.process.oneiric.receiver]", "loki.process.oneiric.receiver", "loki.source.file.forward_to: "),
        ("file", '"RFC3339Nano"', '"RFC3339nano"', "loki.process/stage.timestamp.format: 'RFC3339nano'"),
        ("file", "\t\turl =", "\t\turi =", "loki.write/endpoint.url: missing"),
        ("journal", '"12h"', '"1d"', "loki.source.journal.max_age: '1d'"),
        ("journal", '"12h"', "12", "loki.source.journal.max_age: 12"),
        ("journal", '"skip"', '"drop"', "loki.process/stage.timestamp.action_on_failure: 'drop'"),
        ("kubernetes", '"pod"', '"pods"', "discovery.kubernetes.role: 'pods'"),
        ("kubernetes", "selectors {", "selector {", "discovery.kubernetes: no block selector"),
        ("kubernetes", '["__meta_kubernetes_pod_name"]', '"a"', "discovery.relabel/rule.source_labels: 'a'"),
        ("docker", '"label"\n', "1\n", "discovery.docker/filter.name: 1"),
        ("docker", "filter {", "filters {", "discovery.docker: no block filters"),
        ("docker", '"5s"', '"5d"', "discovery.docker.refresh_interval: '5d'"),
    ],
)
def test_what_alloy_would_refuse_is_found_out(way: str, old: str, new: str, fault: str) -> None:
    """The tables that these tests rely on refuse wrong names, values, parents and what is missing."""
    text = files("defaults")[f"alloy/{way}.alloy"]
    assert old in text
    found = faults_of_alloy(alloy.read(text.replace(old, new, 1)), ALLOY, ALLOY_REQUIRED)
    assert any(one.startswith(fault) for one in found), found


@pytest.mark.parametrize(
    ("path", "old", "new", "fault"),
    [
        ("promtail/file.yml", "clients:", "client:", ".clients: missing"),
        ("promtail/file.yml", "http_listen_port: 9080", "http_listen_port: '9080'", ".server.http_listen_port: '9080'"),
        ("promtail/file.yml", "labelallow", "label_keep", ".scrape_configs[].pipeline_stages[].label_keep: not known"),
        ("promtail/journal.yml", "max_age: 12h", "max_age: 1d", ".scrape_configs[].journal.max_age: '1d'"),
        (
            "promtail/kubernetes.yml",
            "role: pod",
            "rule: pod",
            ".scrape_configs[].kubernetes_sd_configs[].role: missing",
        ),
        ("loki/loki.yml", "  delete_request_store: filesystem\n", "", ".compactor.delete_request_store: missing"),
        (
            "loki/loki.yml",
            "retention_delete_delay: 2h",
            "retention_delete_delay: 1d",
            ".compactor.retention_delete_delay: ",
        ),
        ("loki/loki.yml", "retention_period: 30d", "retention_period: 30", ".limits_config.retention_period: 30"),
        (
            "loki/loki.yml",
            "retention_enabled: true",
            "retention_enabled: 'true'",
            ".compactor.retention_enabled: 'true'",
        ),
        ("loki/loki.yml", "schema: v13", "schema: v12", ".schema_config.configs[].schema: 'v12'"),
        (
            "loki/loki.yml",
            "discover_service_name: []",
            "discover_service_name: ''",
            ".limits_config.discover_service_name",
        ),
        ("loki/loki.yml", "  storage:\n    filesystem:", "  storage:\n    files:", ".common.storage.files: not known"),
    ],
)
def test_what_loki_or_promtail_would_refuse_is_found_out(path: str, old: str, new: str, fault: str) -> None:
    """The forms that these tests rely on refuse wrong names, values, and what is missing, at any depth."""
    text = files("defaults")[path]
    assert old in text
    found = faults_of_yaml(yaml.safe_load(text.replace(old, new, 1)), LOKI if path.startswith("loki") else PROMTAIL)
    assert any(one.startswith(fault) for one in found), found
