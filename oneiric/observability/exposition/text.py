"""The exposition as text, the same bytes as the reference client's: text format 0.0.4 and OpenMetrics 1.0.

The text of a series' labels is made once and kept with the series, so that a scrape formats numbers only. The text is
made in chunks, between which other threads run.
"""

from __future__ import annotations

from itertools import accumulate
from math import isfinite
from operator import add
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from prometheus_client.exposition import generate_latest as text_exposition
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_exposition

from oneiric.observability.metrics import SnapshotFamily, YieldPoints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client.metrics_core import Metric as MetricFamily

    from oneiric.observability.metrics import Distribution, Exemplar, LabelSet, Snapshot
    from oneiric.observability.model import Metric

T = TypeVar("T")

CHUNK_LINES: Final = 64
"""Lines of text, about, that are made at once."""

BUSY_CHARS: Final = 16_384
"""Text that is made without a break, give or take a chunk, while other threads run: about 50 us of work."""

QUIET_CHARS: Final = 131_072
"""Text that is made without a break while no other thread does."""

_MAX_PLAIN: Final = 1e6  # from here on Go writes an exponent
_EOF: Final = "# EOF\n"
_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})


class LabelText(NamedTuple):
    """The text of a label set: what stands before where ``le`` belongs, and after it."""

    head: str
    tail: str


def text_of(families: Iterable[MetricFamily], *, openmetrics: bool, pause: Callable[[], object] | None = None) -> bytes:
    """Return the exposition of *families*.

    Args:
        families: Those of our catalogue, which are written here, and any others, which the reference client writes.
        openmetrics: OpenMetrics 1.0 instead of the text format 0.0.4.
        pause: Lets other threads run and returns whether any did; None: :class:`YieldPoints`.
    """
    pause = YieldPoints() if pause is None else pause
    chunks, made, due = [], 0, BUSY_CHARS
    for family in families:
        for chunk in _chunks(family, openmetrics=openmetrics):
            chunks.append(chunk.encode())
            made += len(chunk)
            if made >= due:
                made, due = 0, BUSY_CHARS if pause() else QUIET_CHARS
    if openmetrics:
        chunks.append(_EOF.encode())
    return b"".join(chunks)


def number_text(value: float) -> str:
    """Return *value* as Go's client writes it: exponents from a million on, ``+Inf``, ``-Inf``, ``NaN``."""
    if not isfinite(value):
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"  # noqa: PLR0124 - what NaN is known by
    text = repr(value)
    if value < _MAX_PLAIN:
        return text
    whole, point, fraction = text.partition(".")
    if not point or len(whole) == 1:
        return text
    return f"{whole[0]}.{whole[1:]}{fraction}".rstrip("0.") + f"e+{len(whole) - 1:02d}"


def _chunks(family: MetricFamily, *, openmetrics: bool) -> Iterator[str]:
    if isinstance(family, SnapshotFamily):
        chunks = _snapshot_chunks(family.snapshot, openmetrics=openmetrics)
        yield from chunks if family.names is None else _lines_of(chunks, family.names)
    elif openmetrics:
        yield openmetrics_exposition(_Single(family)).decode().removesuffix(_EOF)
    else:
        yield text_exposition(_Single(family)).decode()


def _lines_of(chunks: Iterable[str], names: frozenset[str]) -> Iterator[str]:
    """Yield of *chunks* the lines that describe, and those of samples whose names are in *names*."""
    starts = ("# ", *(f"{name}{end}" for name in names for end in "{ "))
    for chunk in chunks:
        yield "".join([f"{line}\n" for line in chunk.split("\n") if line.startswith(starts)])


class _Single:
    """As much of a registry as the reference client's writers use."""

    def __init__(self, family: MetricFamily) -> None:
        self._family = family

    def collect(self) -> list[MetricFamily]:
        return [self._family]


def _snapshot_chunks(snapshot: Snapshot, *, openmetrics: bool) -> Iterator[str]:
    metric = snapshot.metric
    name = metric.name.removesuffix("_total") if openmetrics else metric.name
    escapes = _ESCAPES if openmetrics else _HELP_ESCAPES
    yield f"# HELP {name} {metric.help.translate(escapes)}\n# TYPE {name} {metric.type}\n"
    layout = _Histograms(metric, openmetrics=openmetrics) if metric.type == "histogram" else _Numbers(metric)
    for start in range(0, len(snapshot.labels), layout.at_once):
        chunk = slice(start, start + layout.at_once)
        yield layout.lines(snapshot.labels[chunk], snapshot.values[chunk], snapshot.cells[chunk])


class _Numbers:
    """Lays out counters and gauges: a line a series. What is kept of one is its labels with all that follows them."""

    at_once = CHUNK_LINES

    def __init__(self, metric: Metric) -> None:
        names = metric.label_names
        self._name = metric.name
        self._places = [(place, f"{names[place]}=") for place in sorted(range(len(names)), key=names.__getitem__)]

    def lines(self, labels: Sequence[LabelSet], values: Sequence[float], cells: Sequence[Any]) -> str:
        if not self._places:
            return "".join([f"{self._name} {number}\n" for number in _number_texts(values)])
        start = f"\n{self._name}{{"
        texts = _texts(labels, cells, self._text)
        return f"{start[1:]}{start.join(map(add, texts, _number_texts(values)))}\n"

    def _text(self, labels: LabelSet) -> str:
        return f"{_pairs(self._places, labels)}}} "


class _Histograms:
    """Lays out histograms: the buckets, the count and the sum of a series."""

    def __init__(self, metric: Metric, *, openmetrics: bool) -> None:
        names = metric.label_names
        order = sorted(range(len(names)), key=names.__getitem__)
        bounds = [f'le="{bound}"' for bound in (*(number_text(float(bound)) for bound in metric.buckets), "+Inf")]
        self.at_once = CHUNK_LINES // (len(bounds) + 2) or 1
        self._name = metric.name
        self._openmetrics = openmetrics
        self._before = [(place, f"{names[place]}=") for place in order if names[place] < "le"]
        self._after = [(place, f"{names[place]}=") for place in order if names[place] > "le"]
        self._bounds = bounds
        self._last_bounds = [f"{bound}}} " for bound in bounds]

    def lines(self, labels: Sequence[LabelSet], values: Sequence[Distribution], cells: Sequence[Any]) -> str:
        return "".join(map(self._series, _texts(labels, cells, self._text), values))

    def _text(self, labels: LabelSet) -> LabelText:
        return LabelText(_pairs(self._before, labels), _pairs(self._after, labels))

    def _series(self, text: LabelText, value: Distribution) -> str:
        name, (head, tail) = self._name, text
        numbers = counts = list(map(_COUNTS.__getitem__, accumulate(value.counts)))
        if self._openmetrics and value.exemplars is not None:
            numbers = [
                count + _exemplar_text(exemplar) for count, exemplar in zip(counts, value.exemplars, strict=True)
            ]
        bounds = [f"{bound},{tail}}} " for bound in self._bounds] if tail else self._last_bounds
        start = f"{name}_bucket{{{head}," if head else f"{name}_bucket{{"
        buckets = f"\n{start}".join(map(add, bounds, numbers))
        pairs = f"{head},{tail}" if head and tail else head or tail
        pairs = f"{{{pairs}}}" if pairs else ""
        return f"{start}{buckets}\n{name}_count{pairs} {counts[-1]}\n{name}_sum{pairs} {number_text(value.sum)}\n"


def _texts(labels: Sequence[LabelSet], cells: Sequence[Any], make: Callable[[LabelSet], T]) -> list[T]:
    """Return the texts of *labels*, which are kept in *cells* where there are any."""
    texts = [cell.text for cell in cells] if cells else list(map(make, labels))
    if None in texts:
        for place, text in enumerate(texts):
            if text is None:
                texts[place] = cells[place].text = make(labels[place])
    return texts


def _pairs(places: list[tuple[int, str]], labels: LabelSet) -> str:
    return ",".join([f'{name}"{labels[place].translate(_ESCAPES)}"' for place, name in places])


def _number_texts(values: Sequence[float]) -> list[str]:
    if isfinite(sum(values)) and max(values, default=0.0) < _MAX_PLAIN:
        return list(map(repr, values))
    return list(map(number_text, values))


def _exemplar_text(exemplar: Exemplar | None) -> str:
    if exemplar is None:
        return ""
    ids = f'span_id="{exemplar.span_id}",trace_id="{exemplar.trace_id}"'
    return f" # {{{ids}}} {number_text(exemplar.value)} {exemplar.timestamp}"


class _CountTexts(dict[int, str]):
    """Texts of counts; those of small ones, which most are, are kept."""

    def __missing__(self, count: int) -> str:
        text = number_text(float(count))
        if count < _KEPT_COUNTS:
            self[count] = text
        return text


_KEPT_COUNTS: Final = 4096
_COUNTS: Final = _CountTexts()
