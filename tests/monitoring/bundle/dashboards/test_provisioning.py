"""What Grafana reads at its start: data sources that lead to one another, and where the dashboards are."""

from __future__ import annotations

import re
from typing import Any

import yaml

from oneiric.monitoring.bundle import bundle
from oneiric.monitoring.config import configured

SOURCES = "grafana/provisioning/datasources/oneiric.yml"
DASHBOARDS = "grafana/provisioning/dashboards/oneiric.yml"


def sources(*settings: str) -> dict[str, dict[str, Any]]:
    """Return the data sources by their types."""
    found = yaml.safe_load(bundle(configured(settings))[SOURCES])["datasources"]
    return {source["type"]: source for source in found}


def test_the_sources_lead_to_one_another() -> None:
    """An exemplar and a log line lead to the traces, a trace leads to its log lines."""
    found = sources()
    assert found.keys() == {"prometheus", "loki", "tempo", "alertmanager"}
    (exemplars,) = found["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    (field,) = found["loki"]["jsonData"]["derivedFields"]
    assert exemplars["datasourceUid"] == field["datasourceUid"] == found["tempo"]["uid"]
    assert found["tempo"]["jsonData"]["tracesToLogsV2"]["datasourceUid"] == found["loki"]["uid"]


def test_grafana_does_not_take_its_own_variables_for_the_environments() -> None:
    """Each dollar sign that Grafana is to keep is written twice: a single one names a variable of the environment."""
    text = bundle(configured())[SOURCES]
    assert re.findall(r"(?<!\$)\$(?!\$)", text) == []
    assert text.count("$$") == 2


def test_addresses_and_intervals_are_those_set() -> None:
    """Each source has the address set for it, and rates follow the interval at which metrics are scraped."""
    settings = ("prometheus_url=https://p.example", "loki_url=https://l.example/x", "tempo_url=http://t.example:1")
    found = sources(*settings, "alertmanager_url=http://a.example", "scrape_interval_seconds=30")
    assert [source["url"] for source in found.values()] == [
        "https://p.example",
        "https://l.example/x",
        "http://t.example:1",
        "http://a.example",
    ]
    assert found["prometheus"]["jsonData"]["timeInterval"] == "30s"


def test_the_dashboards_are_read_from_the_directory_set() -> None:
    """The provider reads the directory set, into a folder of its own, and lets nobody change what is read."""
    files = bundle(configured(["grafana_dashboards_dir=/srv/dashboards"]))
    (provider,) = yaml.safe_load(files[DASHBOARDS])["providers"]
    assert provider["options"]["path"] == "/srv/dashboards"
    assert (provider["type"], provider["folder"], provider["allowUiUpdates"]) == ("file", "Oneiric", False)
