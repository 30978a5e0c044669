"""A live endpoint, a runtime's or that of a Prometheus that scrapes it, against what exists and what is asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from oneiric.monitoring.drift.documents.responses import LiveError, StatusError, get, shown
from oneiric.monitoring.drift.findings import one_of
from oneiric.monitoring.notation.exposition import ExpositionError, Family, families
from oneiric.monitoring.notation.text import Place
from oneiric.monitoring.promql import TARGET_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.monitoring.drift.queries import Context
    from oneiric.observability.model import Metric


@dataclass(frozen=True, slots=True)
class Live:
    """What an endpoint has: families, and names that are there besides, such as those of recording rules.

    *is_scraped* says that the series have passed through a scrape, which gave them the labels of their target.
    """

    families: dict[str, Family]
    names: frozenset[str] = field(default_factory=frozenset)
    is_scraped: bool = False


def judge_live(url: str, context: Context) -> None:
    """Report how what *url* has differs from the catalogue, and what files ask for that it does not have.

    *url* is that of an exposition, such as ``http://host:9464/metrics``, or the base of a Prometheus' API.
    """
    place = Place(shown(url), 1, 1)
    try:
        live = read(url, context.vocabulary.prefix + "_")
    except LiveError as error:
        context.report.add(place, "ON901", f"cannot be used: {error}")
        return
    # A Pushgateway exposes job and instance itself.
    further = context.vocabulary.target_labels if live.is_scraped else TARGET_LABELS
    for name, family in live.families.items():
        _judge_family(name, family, place, context, further)
    missing = sorted(context.usage.metrics - live.families.keys())
    for name in missing:
        where = context.usage.places.get(name, place)
        context.report.add(where, "ON902", f"{place.path} does not expose {name}, which is asked for here")


def _judge_family(name: str, family: Family, place: Place, context: Context, further: frozenset[str]) -> None:
    metric = context.vocabulary.metrics.get(name)
    if metric is None:
        if name.startswith(context.vocabulary.prefix + "_"):
            context.report.add(place, "ON904", f"{name} is not in the catalogue of this version")
        return
    if family.type not in {metric.type, "unknown", "untyped"}:
        context.report.add(place, "ON903", f"{name} is exposed as a {family.type}, and should be a {metric.type}")
        return
    known = {*metric.label_names, *further} | ({"le"} if metric.type == "histogram" else set())
    for label in sorted(family.labels.keys() - known):
        context.report.add(place, "ON903", f"{name} is exposed with a label {label}", one_of(metric.label_names))
    for label in metric.label_names:
        if family.has_samples and label not in family.labels:
            context.report.add(place, "ON903", f"{name} is exposed without its label {label}")
        _judge_values(metric, label, family, place, context)
    _judge_buckets(metric, family, place, context)


def _judge_values(metric: Metric, label: str, family: Family, place: Place, context: Context) -> None:
    allowed = context.vocabulary.values(metric, label)
    for value in sorted(family.labels.get(label, set()) - {*allowed}) if allowed else ():
        message = f"{metric.name} is exposed with {label} {value}"
        context.report.add(place, "ON903", message, one_of(allowed, value))


def _judge_buckets(metric: Metric, family: Family, place: Place, context: Context) -> None:
    exposed = {_number(text) for text in family.labels.get("le", ())}
    if exposed and (wrong := exposed ^ {*metric.buckets, float("inf")}):
        bounds = ", ".join(f"{bound:g}" for bound in sorted(wrong))
        context.report.add(place, "ON903", f"{metric.name} is exposed with other buckets: {bounds}")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def read(url: str, prefix: str) -> Live:
    """Return the metrics of *url*, with labels where a name begins with *prefix*.

    Raises:
        LiveError: It does not answer, or with neither metrics nor a Prometheus' API.
    """
    if not _is_http(url):
        raise LiveError("it must be http://HOST or https://HOST")
    if not urlsplit(url).path.rstrip("/").endswith("metrics"):
        try:
            return _from_api(url.rstrip("/"), prefix)
        except _NotAnApiError:
            pass
    try:
        return Live(families(get(url)))
    except StatusError as error:
        raise LiveError(f"it answers {error.status}") from None
    except ExpositionError as error:
        raise LiveError(f"it answers with something else than metrics: {error}") from None


class _NotAnApiError(ValueError):
    """No Prometheus answers here."""


def _is_http(url: str) -> bool:
    try:
        return urlsplit(url).scheme in {"http", "https"} and bool(urlsplit(url).hostname)
    except ValueError:
        return False


def _from_api(base: str, prefix: str) -> Live:
    try:
        names = _data(get(f"{base}/api/v1/label/__name__/values"))
        metadata = _data(get(f"{base}/api/v1/metadata"))
    except StatusError:
        raise _NotAnApiError from None
    if not isinstance(names, list) or not isinstance(metadata, dict):
        raise _NotAnApiError
    found: dict[str, Family] = {}
    for family, entries in metadata.items():
        kind = next((str(entry.get("type")) for entry in _dicts(entries)), "unknown")
        # OpenMetrics names the family of a counter without the ending that its samples have.
        is_bare = kind == "counter" and family not in names and not family.endswith("_total")
        name = f"{family}_total" if is_bare else family
        found[name] = Family(name, kind)
        if name.startswith(prefix):
            _series(base, name + ("_bucket" if kind == "histogram" else ""), found[name])
    return Live(found, frozenset(map(str, names)), is_scraped=True)


def _series(base: str, name: str, family: Family) -> None:
    for labels in _dicts(_data(get(f"{base}/api/v1/series?match[]={quote(name)}"))):
        family.has_samples = True
        for label, value in labels.items():
            if label != "__name__":
                family.labels.setdefault(label, set()).add(str(value))


def _dicts(values: object) -> Iterable[dict[str, object]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _data(text: str) -> object:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        raise _NotAnApiError from None
    return answer.get("data") if isinstance(answer, dict) and answer.get("status") == "success" else None
