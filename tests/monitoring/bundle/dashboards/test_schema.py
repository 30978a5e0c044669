"""What Grafana's own types, those of its front end, say of the dashboards."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
from typing import Any

import pytest
from grafana_grammar import INSTALL, NODE
from processes import REQUIRED, executable

from oneiric.monitoring.bundle import bundle
from oneiric.monitoring.config import BundleConfig

KNOWN = {
    # Both data sources read these of a mark; the type has only the fields of Grafana's own annotations.
    ("/annotations/list/N", "expr"),
    ("/annotations/list/N", "titleFormat"),
    # The builder gives every variable what only one of a time has.
    ("/templating/list/N", "auto"),
    ("/templating/list/N", "auto_count"),
    ("/templating/list/N", "auto_min"),
}
"""Fields that Grafana reads, or leaves alone, and its types do not have."""


def objections(*dashboards: dict[str, Any]) -> list[list[tuple[str, str]]]:
    """Return what the types say against each dashboard, where and what; skips where they are absent."""
    node = executable("node", package="nodejs")
    if not (NODE / "node_modules" / "@grafana" / "schema").is_dir():
        reason = f"needs Grafana's types ({INSTALL})"
        if os.environ.get(REQUIRED):
            pytest.fail(reason)
        pytest.skip(reason)
    done = subprocess.run(
        [node, NODE / "dashboards.js"], input=json.dumps(dashboards), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [[(place, sentence) for place, sentence in found] for found in json.loads(done.stdout)]


def unknown(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what of *found* is not known."""
    return [
        (place, sentence)
        for place, sentence in found
        if (re.sub(r"\d+", "N", place), sentence.rpartition(" ")[2]) not in KNOWN
    ]


@pytest.mark.slow
def test_grafanas_types_accept_the_dashboards_and_nothing_else() -> None:
    """The dashboards, every option of their panels included, are of Grafana's types; a wrong name or value is not."""
    files = bundle(BundleConfig())
    ours = [json.loads(text) for path, text in files.items() if path.startswith("grafana/dashboards/")]
    wrong = copy.deepcopy(ours[0])
    stat, graph = wrong["panels"][1], next(panel for panel in wrong["panels"] if panel["type"] == "timeseries")
    stat["options"]["colourMode"] = "value"
    graph["fieldConfig"]["defaults"]["custom"]["drawStyle"] = "curves"
    graph["options"]["legend"]["placement"] = "below"
    wrong["templating"]["list"][2]["refresh"] = 7
    wrong["panels"][2]["datasourc"] = {}
    *found, of_wrong = objections(*ours, wrong)
    assert [unknown(one) for one in found] == [[], [], [], []]
    assert {*unknown(of_wrong)} >= {  # a panel that is none is also judged as a row
        ("/panels/2", "must NOT have additional properties datasourc"),
        ("/templating/list/2/refresh", "must be equal to one of the allowed values"),
        (f"{stat['title']}/options", "must NOT have additional properties colourMode"),
        (f"{graph['title']}/custom/drawStyle", "must be equal to one of the allowed values"),
        (f"{graph['title']}/options/legend/placement", "must be equal to one of the allowed values"),
    }
