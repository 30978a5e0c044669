"""All alerts together on the days of a service: nobody is called without need, and no fault is missed."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from operations import selector
from processes import executable
from stories import STORIES, Story

from oneiric.monitoring.bundle import prometheus
from oneiric.monitoring.config import configured

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.prometheus, pytest.mark.slow]


def judged(story: Story, directory: Path) -> str:
    """Return what `promtool test rules` finds wrong with what fires in *story*."""
    rules = prometheus.files(configured(story.settings))["prometheus/rules/oneiric-alerts.yml"]
    (directory / "rules.yml").write_text(rules, encoding="utf-8")
    samples = len(next(iter(story.series.values())).split())
    span = (samples - 1 - story.calm) * story.interval
    firing = f'max_over_time(ALERTS{{alertstate="firing", alertname!="OneiricWatchdog"}}[{span}s])'
    labels = [{"alertname": name} | ({"instance": own} if own else {}) for name, own in sorted(story.fires)]
    asked = {
        "expr": f"group by (alertname, instance) ({firing})",
        "eval_time": f"{(samples - 1) * story.interval}s",
        "exp_samples": [{"labels": selector("", own), "value": 1} for own in labels],
    }
    inputs = [{"series": name, "values": values} for name, values in story.series.items()]
    every = f"{story.interval}s"
    test = {"interval": every, "input_series": inputs, "promql_expr_test": [asked]}
    document = {"rule_files": ["rules.yml"], "evaluation_interval": every, "tests": [test]}
    (directory / "test.json").write_text(json.dumps(document), encoding="utf-8")
    command = [executable("promtool", package="prometheus"), "test", "rules", str(directory / "test.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("what", STORIES)
def test_just_the_alerts_that_are_due_fire(what: str, tmp_path: Path) -> None:
    """On an ordinary day nothing fires, and of a fault just its alerts do."""
    assert judged(STORIES[what], tmp_path) == ""
