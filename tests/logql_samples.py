"""LogQL that Loki answers, and LogQL that it refuses, for tests of whoever reads it."""

from __future__ import annotations

ACCEPTED = (
    '{app="oneiric"}',
    '{app="oneiric", env!="test", host=~"a|b", zone!~"x.*"}',
    '{app="oneiric"} |= "resolver-decision" | json | decision="failed"',
    '{app="oneiric"} |= "a" != "b" |~ `c\\d+` !~ "d"',
    '{app="oneiric"} |= ip("10.0.0.0/8")',
    '{app="oneiric"} |= "a" or "b"',
    '{app="oneiric"} | json | duration > 10s and size < 20MB or status >= 500',
    '{app="oneiric"} | json | (a="1" or b="2") and c="3"',
    '{app="oneiric"} | json | a="1", b="2"',
    '{app="oneiric"} | json first="a.b[0]", second="c" | first="x"',
    '{app="oneiric"} | json | address=ip("10.0.0.1")',
    '{app="oneiric"} | logfmt | level="error"',
    '{app="oneiric"} | logfmt --strict | level="error"',
    '{app="oneiric"} | regexp "(?P<verb>\\\\w+)" | verb="GET"',
    '{app="oneiric"} | pattern `<verb> <_>` | verb="GET"',
    '{app="oneiric"} | unpack | a="b"',
    '{app="oneiric"} | json | line_format "{{.event}} {{.key}}"',
    '{app="oneiric"} | json | label_format a=b, c="{{.d}}"',
    '{app="oneiric"} | json | drop a, b="c" | keep d',
    '{app="oneiric"} | decolorize',
    'count_over_time({app="oneiric"}[5m])',
    'rate(({app="oneiric"} |= "x")[1h30m])',
    'sum by (key) (count_over_time({app="oneiric"} | json [5m] offset 1h))',
    'sum(rate({app="oneiric"} | json [5m])) without (key)',
    'topk(5, sum by (key) (rate({app="oneiric"} | json [5m])))',
    'quantile_over_time(0.99, {app="oneiric"} | json | unwrap duration_ms [5m]) by (key)',
    'sum_over_time({app="oneiric"} | json | unwrap bytes(size) | __error__="" [5m])',
    'avg_over_time({app="oneiric"} | json | unwrap duration(took) [5m])',
    'sum(rate({app="oneiric"}[5m])) / sum(rate({app="other"}[5m])) * 100 > 5',
    'sum by (key) (rate({app="a"}[5m])) / on (key) group_left (x) sum by (key, x) (rate({app="b"}[5m]))',
    'rate({app="a"}[5m]) > bool 2 ^ 3',
    'label_replace(rate({app="a"}[5m]), "x", "$1", "y", "(.*)")',
    'absent_over_time({app="oneiric"}[15m]) or vector(0)',
    'bytes_rate({app="oneiric"}[5m]) unless bytes_over_time({app="x"}[5m])',
    '# what it means\n{app="oneiric"} # and a selector\n|= "x"',
)
"""Queries of every kind."""

REFUSED = {
    "": "expected a selector",
    '{app="oneiric"': "expected '}'",
    '{app="oneiric} | json': "does not end",
    '{app="oneiric"} | json |': "after '|'",
    '{app="oneiric"} json': "expected an operator, a stage or the end",
    '{app="oneiric"} |= ': "expected a string",
    '{app="oneiric"} |= json': "expected a string",
    '{app="oneiric"} | jsn': "did you mean json",
    '{app="oneiric"} | service.name="x"': "service_name",
    '{app="oneiric"} | duration > ': "to compare with",
    '{app="oneiric"} | a > "5"': "expected '='",
    '{app="oneiric"} | (a="1"': "expected '\\)'",
    '{app="oneiric"} | unwrap a': "belongs into a range aggregation",
    "{app}": "expected '='",
    'sum({app="oneiric"})': "expected a metric",
    'count_over_time({app="oneiric"})': "expected '\\['",
    'count_over_time({app="oneiric"}[5])': "a time such as 5m",
    'count_ovr_time({app="oneiric"}[5m])': "did you mean count_over_time",
    'sum by key (rate({app="oneiric"}[5m]))': "expected '\\('",
    'rate({app="oneiric"}[5m]) +': "expected a selector in braces or a function",
}
"""What is no LogQL, with what the error says."""

REFUSED_BY_LOKI = {
    '{app="oneiric"} + 1': "between metrics",
    "{}": "needs a matcher",
    '{app=~".*"}': "needs a matcher",
    "{app='oneiric'}": "double quotes",
    '{app="oneiric"} |~ "("': "no regular expression",
    '{app="oneiric"} |~ "(?=x)"': "not in Go's",
    '{app="oneiric"} |= "\\q"': "no escape",
    '{app="oneiric"} | regexp "x"': "no named group",
    '{app="oneiric"} | pattern "x"': "no capture",
    'sum_over_time({app="oneiric"}[5m])': "needs `| unwrap`",
    'count_over_time({app="oneiric"} | json | unwrap a [5m])': "is of lines",
    'rate({app="oneiric"}[5m]) by (key)': "is not grouped",
    'quantile_over_time(99, {app="oneiric"} | json | unwrap a [5m])': "from 0 to 1",
    'topk(0, rate({app="oneiric"}[5m]))': "at least 1",
    'topk(rate({app="oneiric"}[5m]))': "expected a number",
    'sort(rate({app="oneiric"}[5m])) by (key)': "is not grouped",
    "sum(1) or 2": "sets of series",
    'sum(rate({app="oneiric"}[5m])) + bool 1': "goes with a comparison",
    'sum_over_time({app="oneiric"} | json | unwrap a | json [5m])': "only labels can be filtered",
    '{app="oneiric"} | logfmt --strct': "did you mean --strict",
}
"""What a grammar alone may let pass and Loki does not answer, with what the error says."""

REFUSED_BY_GRAFANA = (
    '{app="oneiric"} | a="1" b="2"',
    '{app="oneiric"} | (a="1" or b="2") c="3"',
)
"""What Loki answers although Grafana's grammar does not know it: conditions with nothing between."""
