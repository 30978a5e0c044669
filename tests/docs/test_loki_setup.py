"""The guide to Loki: its commands run, its files and settings exist, its links ask what stands beside them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from oneiric.monitoring.bundle import bundle
from oneiric.monitoring.bundle.loki import with_queries
from oneiric.monitoring.bundle.loki.explore import explore_url
from oneiric.monitoring.bundle.loki.queries import plan_searches, searches
from oneiric.monitoring.bundle.loki.rules import log_rules
from oneiric.monitoring.config import BundleConfig

GUIDE = Path(__file__).parents[2] / "docs" / "monitoring" / "LOKI_SETUP.md"
CONFIG = BundleConfig()


def test_every_query_stands_in_the_guide() -> None:
    """The guide shows each query of the bundle word for word, each with its link, and each recorded series."""
    text = GUIDE.read_text(encoding="utf-8")
    assert re.findall(r"```logql\n(.*)\n```", text) == [search.query for search in searches(CONFIG)]
    shown = re.findall(r"\[Explore\]\((\S+?)\)", text)
    assert shown == [explore_url(CONFIG, search.query) for search in searches(CONFIG)]
    assert [name for name in log_rules(CONFIG) if f"| `{name}` |" not in text] == []


def test_a_link_asks_its_query() -> None:
    """A link opens Explore with the data source of the bundle, the query and the time it is for."""
    query = plan_searches(CONFIG)[0].query
    url = urlsplit(explore_url(CONFIG, query, since="6h"))
    parameters = parse_qs(url.query)
    pane = json.loads(parameters["panes"][0])["logs"]
    assert (url.netloc, url.path, parameters["schemaVersion"]) == ("localhost:3000", "/explore", ["1"])
    assert [(target["expr"], target["datasource"]["uid"]) for target in pane["queries"]] == [(query, "oneiric-loki")]
    assert pane["range"] == {"from": "now-6h", "to": "now"}
    sources = bundle(CONFIG)["grafana/provisioning/datasources/oneiric.yml"]
    assert f"uid: {pane['datasource']}" in sources


def test_settings_and_files_named_exist() -> None:
    """Each setting that the guide sets is one of the bundle, and each file that it names is in it."""
    text = GUIDE.read_text(encoding="utf-8")
    assert {*re.findall(r"--set (\w+)=", text)} <= BundleConfig.model_fields.keys()
    named = set(re.findall(r"`((?:loki|alloy|promtail)/\w+\.\w+)`", text))
    assert {"loki/loki.yml", "alloy/file.alloy", "promtail/file.yml"} <= named <= bundle(CONFIG).keys()


@pytest.mark.slow
def test_commands_run(tmp_path: Path) -> None:
    """Each of the project's own commands runs as shown, the demonstration for a second and into another file."""
    fences = re.findall(r"```bash\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    commands = [line for fence in fences for line in fence.splitlines()]
    assert len(commands) == 2
    for line in commands:
        command = shlex.split(line.replace("/var/log/oneiric", str(tmp_path)))
        assert command[0] == "oneiric"
        extra = ["--seconds", "1", "--port", "0"] if command[1] == "demo" else []
        done = subprocess.run(
            [sys.executable, "-m", *command, *extra], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        said = [line for line in done.stderr.splitlines() if not line.startswith("oneiric: warning: ")]
        assert (done.returncode, said) == (0, [])
    assert (tmp_path / "monitoring" / "loki" / "loki.yml").is_file()
    assert (tmp_path / "demo.jsonl").read_text(encoding="utf-8").startswith("{")


def test_a_guide_without_a_place_for_queries_is_refused() -> None:
    """Without the markers the queries have no place, which is an error and not a guide without queries."""
    with pytest.raises(ValueError, match="no place for the queries"):
        with_queries("# Loki\n", CONFIG)
