"""Each kind of panel in Grafana's types."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, heatmap, logs, loki, stat, statetimeline, table
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus as ask
from grafana_foundation_sdk.builders import timeseries as lines
from grafana_foundation_sdk.models import common as shared
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from oneiric.monitoring.bundle.dashboards.grafana.columns import columns, tidied
from oneiric.monitoring.bundle.dashboards.grafana.sources import LOKI, PROMETHEUS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from oneiric.monitoring.bundle.dashboards.model import Color, Limit, Panel, PanelKind
    from oneiric.monitoring.config import Severity

P = TypeVar("P")

LINES_OF_LOG = 200
URGENT: tuple[Severity, ...] = ("critical", "warning")
"""What is on the list of alerts: not the one that fires always."""


def made(panel: Panel) -> models.Panel:
    """Return *panel* in Grafana's types, without its place, id, title and description."""
    return _MAKERS[panel.kind](panel)


def _stat(panel: Panel) -> models.Panel:
    part = (
        stat.Panel()
        .graph_mode(shared.BigValueGraphMode.NONE if panel.words else shared.BigValueGraphMode.AREA)
        .color_mode(shared.BigValueColorMode.BACKGROUND if panel.words else shared.BigValueColorMode.VALUE)
        .text_mode(_text_mode(panel))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    return _common(part, panel).build()


def _text_mode(panel: Panel) -> shared.BigValueTextMode:
    named = any("{{" in query.legend for query in panel.queries)
    return shared.BigValueTextMode.VALUE_AND_NAME if named else shared.BigValueTextMode.AUTO


def _lines(panel: Panel) -> models.Panel:
    part = _graph(panel).draw_style(shared.GraphDrawStyle.LINE).line_width(1.5).show_points(shared.VisibilityMode.NEVER)
    return part.fill_opacity(25 if panel.stacked else 8).build()


def _bars(panel: Panel) -> models.Panel:
    return _graph(panel).draw_style(shared.GraphDrawStyle.BARS).fill_opacity(70).line_width(0).build()


def _graph(panel: Panel) -> lines.Panel:
    legend = (
        common.VizLegendOptions()
        .display_mode(shared.LegendDisplayMode.TABLE)
        .placement(shared.LegendPlacement.BOTTOM)
        .show_legend(show_legend=True)
        .calcs(["lastNotNull", "max"])
    )
    part = (
        lines.Panel()
        .legend(legend)
        .tooltip(common.VizTooltipOptions().mode(shared.TooltipDisplayMode.MULTI).sort(shared.SortOrder.DESCENDING))
        .axis_soft_min(0)
        .color_scheme(build.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    )
    if panel.stacked:
        part = part.stacking(common.StackingConfig().mode(shared.StackingMode.NORMAL).group("A"))
    if panel.limits:
        dashed = common.GraphThresholdsStyleConfig().mode(shared.GraphThresholdsStyleMode.DASHED)
        part = part.thresholds_style(dashed)
    return _common(part, panel)


def _table(panel: Panel) -> models.Panel:
    first = common.TableSortByFieldState().display_name(panel.queries[0].legend).desc(panel.descending)
    part = table.Panel().show_header(show_header=True).filterable(filterable=True).sort_by([first])
    for column in columns(panel):
        part = part.override_by_name(column.name, list(column.properties))
    for transformation in tidied(panel):
        part = part.with_transformation(transformation)
    return _common(part, panel).build()


def _states(panel: Panel) -> models.Panel:
    part = (
        statetimeline.Panel()
        .show_value(shared.VisibilityMode.AUTO)
        .row_height(0.8)
        .merge_values(merge_values=True)
        .align_value(shared.TimelineValueAlignment.LEFT)
        .fill_opacity(70)
        .line_width(0)
        .legend(common.VizLegendOptions().show_legend(show_legend=False))
        .color_scheme(build.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
    )
    return _common(part, panel).build()


def _heatmap(panel: Panel) -> models.Panel:
    part = (
        heatmap.Panel()
        .calculate(calculate=False)
        .color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64).exponent(0.5))
        .y_axis(heatmap.YAxisConfig().unit(panel.unit))
        .cell_gap(1)
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .show_color_scale(show_color_scale=True)
        .mode(shared.TooltipDisplayMode.SINGLE)
        .unit(panel.unit)
        .targets([*_targets(panel)])
        .datasource(PROMETHEUS.reference)
    )
    return part.build()


def _gauges(panel: Panel) -> models.Panel:
    part = (
        bargauge.Panel()
        .display_mode(shared.BarGaugeDisplayMode.BASIC)
        .orientation(shared.VizOrientation.HORIZONTAL)
        .value_mode(shared.BarGaugeValueMode.TEXT)
        .show_unfilled(show_unfilled=True)
        .min(0)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    return _common(part, panel).build()


def _logs(panel: Panel) -> models.Panel:
    query = loki.Dataquery().expr(panel.logs).query_type("range").max_lines(LINES_OF_LOG).ref_id("A")
    part = (
        logs.Panel()
        .show_time(show_time=True)
        .wrap_log_message(wrap_log_message=True)
        .enable_log_details(enable_log_details=True)
        .sort_order(shared.LogsSortOrder.DESCENDING)
        .dedup_strategy(shared.LogsDedupStrategy.NONE)
        .targets([query.datasource(LOKI.reference)])
        .datasource(LOKI.reference)
    )
    return part.build()


def _alerts(panel: Panel) -> models.Panel:
    del panel
    options = {
        "alertInstanceLabelFilter": f'{{severity=~"{"|".join(URGENT)}"}}',
        "alertName": "Oneiric",
        "dashboardAlerts": False,
        "groupMode": "default",
        "maxItems": 30,
        "sortOrder": 3,
        "stateFilter": {"error": True, "firing": True, "noData": False, "normal": False, "pending": True},
        "viewMode": "list",
    }
    return build.Panel().type("alertlist").options(options).datasource(PROMETHEUS.reference).build()


_MAKERS: Mapping[PanelKind, Callable[[Panel], models.Panel]] = {
    "stat": _stat,
    "lines": _lines,
    "bars": _bars,
    "table": _table,
    "states": _states,
    "heatmap": _heatmap,
    "gauges": _gauges,
    "logs": _logs,
    "alerts": _alerts,
}


def _common(builder: P, panel: Panel) -> P:
    """Give *builder*, of any kind of panel, what all kinds have; it has these methods, but no base that says so."""
    part: Any = builder
    part = part.unit(panel.unit).targets([*_targets(panel)]).datasource(PROMETHEUS.reference)
    part = part.thresholds(thresholds(panel.limits))
    if panel.words:
        part = part.mappings([mapped(panel.words)])
    if panel.highest is not None:
        part = part.max(panel.highest)
    return builder


def thresholds(limits: tuple[Limit, ...]) -> build.ThresholdsConfig:
    """Return *limits* as Grafana's thresholds."""
    steps = [models.Threshold(limit.value, limit.color) for limit in limits] or [models.Threshold(None, "blue")]
    return build.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def mapped(words: Mapping[int, tuple[str, Color]]) -> models.ValueMap:
    """Return *words* as what Grafana shows instead of the values."""
    return models.ValueMap(
        {
            str(value): models.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(words.items())
        }
    )


def _targets(panel: Panel) -> Iterator[ask.Dataquery]:
    for letter, query in zip(string.ascii_uppercase, panel.queries, strict=False):
        target = ask.Dataquery().expr(query.expr.text).ref_id(letter).datasource(PROMETHEUS.reference)
        if panel.kind == "table":
            yield target.instant().format(PromQueryFormat.TABLE)
        elif panel.kind == "gauges":
            yield target.instant().legend_format(query.legend)
        elif panel.kind == "heatmap":
            yield target.range().format(PromQueryFormat.HEATMAP).legend_format("{{le}}").exemplar(exemplar=True)
        else:
            yield target.range().legend_format(query.legend).exemplar("_bucket" in query.expr.text)
