"""What a drill makes of the answers of a Prometheus, and of what is none."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from oneiric.monitoring.config import BundleConfig
from oneiric.rehearsal.drills.prometheus import PrometheusError, PrometheusWatch

URL = "http://prometheus.example"
NAME = "OneiricSwapFailures"


def watch(answer: httpx.Response) -> PrometheusWatch:
    """Return what asks a server that always gives *answer* for one alert."""
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _request: answer))
    return PrometheusWatch(client, URL, BundleConfig(), [NAME])


def rules(*alerts: Any, name: str = NAME) -> httpx.Response:
    """Return the answer that the rule *name* has *alerts*."""
    return httpx.Response(200, json={"data": {"groups": [{"rules": [{"name": name, "alerts": alerts}]}]}})


def alert(state: str, **labels: str) -> dict[str, Any]:
    """Return an alert of the default job in *state*."""
    return {"state": state, "labels": {"job": "oneiric"} | labels}


@pytest.mark.parametrize(
    ("alerts", "state"),
    [
        ((), "inactive"),
        ((alert("pending"),), "pending"),
        ((alert("firing"), alert("pending")), "firing"),
        ((alert("firing", instance="a:1"),), "firing"),
        ((alert("firing", instance="b:1"),), "inactive"),
        ((alert("firing", job="other"),), "inactive"),
        ((alert("unheard-of"), {}, "?", {"state": "firing", "labels": 7}), "inactive"),
    ],
)
async def test_the_state_is_that_of_the_sandbox(alerts: tuple[Any, ...], state: str) -> None:
    """The most urgent state of the alerts of the job counts, those of other instances left out."""
    assert await watch(rules(*alerts)).states("a:1") == {NAME: state}


async def test_rules_that_are_missing_are_named() -> None:
    """A rule of another name is none of those that are needed."""
    assert await watch(rules()).missing_rules() == []
    assert await watch(rules(name="Other")).missing_rules() == [NAME]


@pytest.mark.parametrize("data", [{}, {"result": None}, {"result": [3, {"metric": {}}]}, 7, None])
async def test_an_answer_without_the_sandbox_is_no_instance(data: Any) -> None:
    """Where nothing is found, or something that is no series, there is no instance yet."""
    assert await watch(httpx.Response(200, json={"data": data})).instance("drill-1") is None


async def test_the_instance_is_that_of_the_series() -> None:
    """The instance is read from the series with the sandbox's key."""
    found = {"data": {"result": [{"metric": {"instance": "a:1"}, "value": [0, "1"]}]}}
    assert await watch(httpx.Response(200, json=found)).instance("drill-1") == "a:1"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (httpx.Response(503), "answers with status 503"),
        (httpx.Response(200, text="<html>"), "does not answer as Prometheus does"),
        (httpx.Response(200, json=[]), "does not answer as Prometheus does"),
        (httpx.Response(200, json={"status": "error"}), "does not answer as Prometheus does"),
    ],
)
async def test_who_is_no_prometheus_is_an_error(answer: httpx.Response, text: str) -> None:
    """A status or a body that is not Prometheus' is one clear sentence."""
    with pytest.raises(PrometheusError, match=f"^{URL} {text}$"):
        await watch(answer).states("a:1")
