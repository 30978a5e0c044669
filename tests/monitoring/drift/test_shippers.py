"""Users' own configurations of Alloy and Promtail: what is right is left alone, what is wrong is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from drift_seeds import marked

from oneiric.monitoring.drift import check

if TYPE_CHECKING:
    from pathlib import Path

PROMTAIL = "clients: [{url: 'http://l:3100/loki/api/v1/push'}]\nscrape_configs:\n"
NGINX = """
local.file_match "web" {
  path_targets = [{"__path__" = "/var/log/nginx/*.log", "job" = "nginx"},]
}
loki.source.file "web" {
  targets    = local.file_match.web.targets
  forward_to = [loki.process.web.receiver]
}
loki.process "web" {
  forward_to = [loki.write.all.receiver]
  stage.json { expressions = {code = "status", verb = "request.method"} }
  stage.labels { values = {reason = "code"} }
}
loki.write "all" {
  endpoint { url = sys.env("LOKI_URL") }
  external_labels = {cluster = "oneiric-eu"}
}
"""
JOURNAL = """
loki.source.journal "all" {
  matches    = "_SYSTEMD_UNIT=oneiric.service"
  labels     = {zone = "a"}
  forward_to = [loki.process.all.receiver]
}
loki.process "all" {
  forward_to = []
  %s
}
"""
RIGHT = {
    "another program's pipeline": NGINX,
    "a label that lines come with": JOURNAL % 'stage.structured_metadata { values = {zone = ""} }',
    "a label that a rule sets": (
        'discovery.relabel "o" {\n  targets = []\n  rule { target_label = "pod_uid" }\n}\n'
        'loki.source.kubernetes "oneiric" {\n  targets = discovery.relabel.o.output\n'
        "  forward_to = [loki.process.o.receiver]\n}\n"
        'loki.process "o" {\n  forward_to = []\n  stage.structured_metadata { values = {uid = "pod_uid"} }\n}\n'
    ),
    "escaped quotes": JOURNAL % r'stage.match { selector = "{zone=\"a\"} |= \"swap-failed\"" }',
    "a name in quotes": JOURNAL
    % r'stage.json { expressions = {name = "\"service.name\"", other = `"service.version"`} }',
    "null for the name itself": JOURNAL
    % "stage.json { expressions = {reason = null} }\n  stage.structured_metadata { values = {reason = null} }",
    "lines of others": JOURNAL
    % 'stage.match {\n selector = `{job="web"}`\n stage.json { expressions = {a = "status"} }\n }',
    "what Docker writes around a line": JOURNAL
    % (
        'stage.json { expressions = {line = "log", when = "time"} }\n  stage.json {\n    source = "line"\n'
        '    expressions = {reason = ""}\n  }\n  stage.timestamp {\n    source = "when"\n    format = "RFC3339"\n  }'
    ),
    "a value that is JSON itself": JOURNAL
    % 'stage.json { expressions = {error = ""} }\n stage.json {\n source = "error"\n expressions = {a = "code"}\n }',
    "a label of few values": JOURNAL
    % 'stage.json { expressions = {level = ""} }\n  stage.labels { values = {level = ""} }',
    "the journal's own fields": JOURNAL % 'stage.json { expressions = {unit = "_SYSTEMD_UNIT", line = "MESSAGE"} }',
    "an extraction that is not known": JOURNAL
    % 'stage.eventlogmessage { source = "m" }\n  stage.structured_metadata { values = {x = ""} }',
}
RIGHT_PROMTAIL = {
    "labels of rules": (
        "- job_name: oneiric\n  relabel_configs: [{source_labels: [__meta_uid], target_label: pod_uid}]\n"
        "  pipeline_stages: [{structured_metadata: {pod_uid: }}]\n"
    ),
    "labels with the names that pods have": (
        "- job_name: oneiric\n  relabel_configs: [{action: labelmap, regex: __meta_kubernetes_pod_label_(.+)}]\n"
        "  pipeline_stages: [{structured_metadata: {team: }}]\n"
    ),
    "labels of the journal": (
        "- job_name: oneiric\n  journal: {labels: {zone: a}}\n  pipeline_stages: [{structured_metadata: {zone: }}]\n"
    ),
    "what Docker writes around a line": (
        "- job_name: oneiric\n  pipeline_stages:\n  - json: {expressions: {output: log, stream: stream, at: time}}\n"
        "  - json: {source: output, expressions: {reason: }}\n  - labels: {stream: }\n  - output: {source: output}\n"
    ),
    "lines of others": (
        "- job_name: oneiric\n  pipeline_stages:\n"
        "  - match: {selector: '{app=\"web\"}', stages: [{json: {expressions: {a: status}}}]}\n"
        "  - match: {selector: '{name=~\"a|b\"}', stages: [{json: {expressions: {a: status}}}]}\n"
    ),
}


PART = "scrape_configs:\n- job_name: oneiric\n  pipeline_stages: [{json: {expressions: {a: «status}}}]\n"


def told(directory: Path, **files: str) -> list[tuple[str, int, int, str]]:
    """Return file, line, column and code of what is found in *files*, written into *directory*."""
    for name, text in files.items():
        (directory / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return [(one.path.rpartition("/")[2], one.line, one.column, one.code) for one in check([directory]).findings]


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_configuration_of_alloy_has_no_findings(name: str, tmp_path: Path) -> None:
    """What Alloy does as it is written is left alone."""
    assert told(tmp_path, a_alloy=RIGHT[name]) == []


@pytest.mark.parametrize("name", RIGHT_PROMTAIL)
def test_a_right_configuration_of_promtail_has_no_findings(name: str, tmp_path: Path) -> None:
    """What Promtail does as it is written is left alone."""
    assert told(tmp_path, a_yml=PROMTAIL + RIGHT_PROMTAIL[name]) == []


@pytest.mark.parametrize(
    ("code", "stages"),
    [
        ("ON801", 'stage.json { expressions = {name = "«service.name"} }'),
        (
            "ON801",
            'stage.json { expressions = {x = "log"} }\n stage.json {\n source = "x"\n expressions = {«raeson = ""}\n }',
        ),
        ("ON803", 'stage.structured_metadata { values = {«zoen = ""} }'),
        ("ON802", 'stage.json { expressions = {key = ""} }\n stage.labels { values = {«key = null} }'),
        ("ON121", r'stage.match { selector = "{zone=\"a\", app=\"oneiric\"} |= \"«swap-fails\"" }'),
        ("ON801", 'stage.match {\n selector = `{job="oneiric"}`\n stage.json { expressions = {a = "«status"} }\n }'),
    ],
)
def test_a_defect_in_what_the_runtimes_lines_pass_is_found(code: str, stages: str, tmp_path: Path) -> None:
    """The pipeline does not name the runtime, but what hands it lines does; places count escapes."""
    text, line, column = marked(JOURNAL % stages)
    assert told(tmp_path, a_alloy=text) == [("a.alloy", line, column, code)]


def test_a_part_of_promtails_configuration_is_known_by_its_stages(tmp_path: Path) -> None:
    """What says which lines are read, and not where they are sent, is judged, too."""
    text, line, column = marked(PART)
    assert told(tmp_path, a_yml=text) == [("a.yml", line, column, "ON801")]


@pytest.mark.parametrize("block", ['a "b" {', 'loki.process "oneiric" {', "stage.match {", "a = {"])
def test_deep_blocks_are_one_finding(block: str, tmp_path: Path) -> None:
    """Blocks that lie a hundred deep in each other are not followed."""
    text = 'loki.process "oneiric" {\n' + block * 20_000 + "}" * 20_001
    assert [code for *_, code in told(tmp_path, a_alloy=text)] == ["ON006"]


ASKED = 'groups:\n- name: a\n  rules:\n  - record: env:x:sum\n    expr: sum(rate({app="oneiric", %s="x"}[1m]))\n'


@pytest.mark.parametrize(("label", "is_there"), [("zone", True), ("team", True), ("cluster", True), ("targets", False)])
@pytest.mark.parametrize("shipper", ["alloy", "promtail"])
def test_the_streams_labels_are_the_shippers(*, shipper: str, label: str, is_there: bool, tmp_path: Path) -> None:
    """Labels that a shipper among the files gives to streams may be asked for, and no others."""
    (tmp_path / "loki").mkdir()
    (tmp_path / "loki" / "rules.yml").write_text(ASKED % label, encoding="utf-8")
    if shipper == "alloy":
        write = 'loki.write "w" {\n  external_labels = {cluster = "a"}\n}\n'
        stages = 'stage.static_labels { values = {team = "a"} }'
        found = told(tmp_path, a_alloy=(JOURNAL % stages).replace("[]", "[loki.write.w.receiver]") + write)
    else:
        job = "- job_name: oneiric\n  journal: {labels: {zone: a}}\n  pipeline_stages: [{static_labels: {team: a}}]\n"
        found = told(tmp_path, a_yml=PROMTAIL.replace("'}", "', external_labels: {cluster: a}}") + job)
    assert [code for *_, code in found] == ([] if is_there else ["ON124"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a_alloy", JOURNAL % 'stage.label_keep { values = ["app"] }'),
        ("a_alloy", JOURNAL % 'stage.label_drop { values = ["zone"] }'),
        (
            "a_yml",
            PROMTAIL
            + "- job_name: oneiric\n  journal: {labels: {zone: a}}\n  pipeline_stages: [{labelallow: [app]}]\n",
        ),
        (
            "a_yml",
            PROMTAIL
            + "- job_name: oneiric\n  journal: {labels: {zone: a}}\n  pipeline_stages: [{labeldrop: [zone]}]\n",
        ),
    ],
)
def test_a_label_that_is_taken_away_cannot_be_asked_for(name: str, text: str, tmp_path: Path) -> None:
    """A label that no line has any more when it leaves the shipper is none of the stream."""
    (tmp_path / "loki").mkdir()
    (tmp_path / "loki" / "rules.yml").write_text(ASKED % "zone", encoding="utf-8")
    assert [code for *_, code in told(tmp_path, **{name: text})] == ["ON124"]


def test_alloys_escapes_are_read(tmp_path: Path) -> None:
    """Each form of an escape stands for its character."""
    text = JOURNAL % r'stage.json { expressions = {a = "\x72\u0065\U00000061\163on"} }'
    assert told(tmp_path, a_alloy=text) == []


def test_an_escape_that_is_no_character_can_be_told_of(tmp_path: Path) -> None:
    """Half of a pair of surrogates, which nothing can print, is replaced."""
    (tmp_path / "a.alloy").write_text(JOURNAL % r'stage.output { source = "\ud800" }', encoding="utf-8")
    (finding,) = check([tmp_path]).findings
    assert (finding.code, finding.message) == ("ON803", "no stage before extracts \ufffd")
