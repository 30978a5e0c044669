"""One service with three replicas: three processes, one PostgreSQL, one Prometheus that sees all of them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from incidents import exported, pace
from postgres import Line, Postgres, tables
from processes import Prometheus, eventually
from services import Service, service

from oneiric.monitoring.bundle import write
from oneiric.monitoring.config import configured

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.postgres, pytest.mark.prometheus, pytest.mark.slow]
KEY = "cache"
LAGS = 'ALERTS{alertname="OneiricReplicaLags", alertstate="firing"}'


class Replicas:
    """Three services and what watches them; the way of the last one to the database can be cut.

    Attributes:
        services: The services.
        line: The way of the last one to the database.
        prometheus: Scrapes all, by the rules of the bundle.
    """

    def __init__(self, services: list[Service], line: Line, prometheus: Prometheus) -> None:
        self.services = services
        self.line = line
        self.prometheus = prometheus

    def instance(self, number: int) -> str:
        """Return the address that the metrics of a replica have as their label."""
        return f"127.0.0.1:{self.services[number].events('metrics-server-started')[-1]['port']}"

    def values(self, query: str) -> dict[str, float]:
        """Return what *query* finds, by instance."""
        found = self.prometheus.query(query)
        return {sample["metric"].get("instance", ""): float(sample["value"][1]) for sample in found}

    def paused(self, number: int, key: str) -> bool:
        """Whether the component *key* is paused in a replica, as it says itself."""
        domains = self.services[number].client.read("activity")["domains"]
        return bool(domains.get("adapter", {}).get(key, {}).get("paused"))


@pytest.fixture(scope="module")
def replicas(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    """Three replicas that run, and are scraped."""
    directory = tmp_path_factory.mktemp("replicas")
    server = tables(postgres)
    with ExitStack() as stack:
        line = Line(postgres.socket)
        stack.callback(line.close)
        urls = [server.url, server.url, f"postgresql://postgres@127.0.0.1:{line.port}/postgres"]
        services = []
        for number, url in enumerate(urls):
            place = directory / f"{number}"
            place.mkdir()
            activity = {"url": url, "database_schema": server.schema, "poll_interval": 0.5}
            services.append(stack.enter_context(service(place, activity=activity)))
        for one in services:
            one.start()
        ports = [one.event("metrics-server-started")["port"] for one in services]
        targets = ",".join(f"127.0.0.1:{port}" for port in ports)
        write(exported(configured((f"targets={targets}", *pace(1)))), directory / "bundle")
        prometheus = Prometheus.configured(directory, directory / "bundle" / "prometheus" / "prometheus.yml")
        stack.callback(prometheus.stop)
        eventually(lambda: len(prometheus.query("oneiric_activity_revision")) == 3, what="all are scraped")
        yield Replicas(services, line, prometheus)


def test_a_pause_through_one_replica_is_in_force_in_all(replicas: Replicas) -> None:
    """It is paused and resumed in every process, whichever was told."""
    replicas.services[0].client.change("pause", domain="adapter", key=KEY, note="moves")
    eventually(lambda: all(replicas.paused(number, KEY) for number in range(3)), what="it is paused in all")
    replicas.services[2].client.change("resume", domain="adapter", key=KEY)
    eventually(lambda: not any(replicas.paused(number, KEY) for number in range(3)), what="it is resumed in all")


def test_transitions_add_up_and_states_are_the_same_everywhere(replicas: Replicas) -> None:
    """Each transition is counted once over all replicas, and each replica has the same revision and pauses."""
    one, two, three = (one.client for one in replicas.services)
    for client in (one, two, three):
        client.change("pause", domain="task", key="queue")
    two.change("resume", domain="task", key="queue")
    three.change("pause", domain="task", key="lasting")

    def agrees() -> bool:
        transitions = replicas.values('sum(oneiric_activity_pause_events_total{domain="task"})')
        paused = replicas.values('oneiric_activity_paused_components{domain="task"}')
        revisions = replicas.values("oneiric_activity_revision")
        return (*transitions.values(), *paused.values(), len(set(revisions.values()))) == (3, 1, 1, 1, 1)

    eventually(agrees, what="three transitions are counted, and all replicas agree")


def test_a_replica_that_lags_sets_off_the_alert_until_it_follows_again(replicas: Replicas) -> None:
    """A replica whose line is cut works by what it knew, is named by the alert, and then knows what it missed."""
    replicas.line.cut()
    replicas.services[0].client.change("pause", domain="adapter", key="missed")
    eventually(lambda: list(replicas.values(LAGS)) == [replicas.instance(2)], what="the alert names it, and no other")
    assert (replicas.paused(1, "missed"), replicas.paused(2, "missed")) == (True, False)
    degraded = 'oneiric_activity_store_degraded{problem="unwritable"} == 1'
    eventually(lambda: list(replicas.values(degraded)) == [replicas.instance(2)], what="it says that it cannot follow")
    assert replicas.services[0].client.read("health")["service"]["ready"]
    replicas.line.mend()
    eventually(lambda: replicas.paused(2, "missed"), what="it knows what it missed")
    eventually(lambda: replicas.values(LAGS) == {}, what="the alert ends")
