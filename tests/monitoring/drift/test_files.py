"""Which files are read, and what is said of those that cannot be: one finding each, and the others are checked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from drift_seeds import EXPECTED, Seed, found
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oneiric.monitoring.drift import Options, check
from oneiric.monitoring.drift.documents.files import MAX_BYTES
from oneiric.monitoring.drift.findings.report import MAX_FINDINGS

if TYPE_CHECKING:
    from pathlib import Path

BROKEN = "groups:\n- name: extra\n  rules:\n  - record: level:extra:sum\n    expr: «oneiric_nothing\n"
AT = ("rules.yml", 5, 11, "ON101")
"""Where the finding of the broken rule is."""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a rule that has a finding."""
    (tmp_path / "rules.yml").write_text(BROKEN.replace("«", ""), encoding="utf-8")
    return tmp_path


def told(*paths: Path) -> list[tuple[str, int, int, str]]:
    """Return name, line, column and code of what is found in *paths*."""
    return [(one.path.rpartition("/")[2], one.line, one.column, one.code) for one in check(paths).findings]


def test_bytes_that_are_no_text_have_a_place(directory: Path) -> None:
    """A file that is not UTF-8 is told at its first wrong byte, and the other file is checked."""
    (directory / "latin.md").write_bytes(b"one\n\xc3\xa9\xe9\n")
    assert told(directory / "latin.md", directory) == [("latin.md", 2, 2, "ON002"), AT]
    assert told(directory) == [AT]


def test_a_missing_path_is_one_finding(directory: Path) -> None:
    """A path that is not there is told, and the other file is checked."""
    assert told(directory / "missing.yml", directory / "rules.yml") == [("missing.yml", 1, 1, "ON001"), AT]


def test_a_pipe_is_not_waited_for(directory: Path) -> None:
    """What is no regular file is told without being opened, and passed over in a directory."""
    os.mkfifo(directory / "pipe.yml")
    assert told(directory / "pipe.yml") == [("pipe.yml", 1, 1, "ON001")]
    assert told(directory) == [AT]


def test_links_in_a_circle_end(directory: Path) -> None:
    """A link to itself is told when it is named; one to the directory above is not followed."""
    (directory / "self.yml").symlink_to("self.yml")
    (directory / "above").symlink_to(directory)
    assert told(directory) == [AT]
    assert told(directory / "self.yml") == [("self.yml", 1, 1, "ON001")]


def test_a_large_file_is_not_read(directory: Path) -> None:
    """A file over the bound is told where it is named, or has a name of ours in it."""
    large = directory / "large.json"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert told(directory) == [AT]
    assert told(large) == [("large.json", 1, 1, "ON005")]
    with large.open("r+b") as file:
        file.seek(MAX_BYTES - 5)
        file.write(b"oneiric_resolution_total")
    assert told(directory) == [("large.json", 1, 1, "ON005"), AT]


def test_a_file_given_twice_is_checked_once(directory: Path) -> None:
    """A file that is named, and found in a directory, too, has its findings once."""
    assert told(directory / "rules.yml", directory, directory / "rules.yml") == [AT]


def test_a_named_file_of_no_kind_is_told(directory: Path) -> None:
    """A file in which nothing can be checked is a finding where it was named, and passed over where it was not."""
    (directory / "other.yml").write_text("a: 1\n", encoding="utf-8")
    assert told(directory / "other.yml") == [("other.yml", 1, 1, "ON010")]
    assert told(directory) == [AT]


def test_environments_and_hidden_directories_are_left_out(directory: Path) -> None:
    """What lies in hidden directories, virtual environments and caches is nobody's to mend here."""
    for name in (".git", "node_modules", "env"):
        (directory / name).mkdir()
        (directory / name / "rules.yml").write_text("groups: [", encoding="utf-8")
    (directory / "env" / "pyvenv.cfg").touch()
    assert told(directory) == [AT]


def test_a_finding_can_be_accepted_where_it_is(directory: Path) -> None:
    """A comment in the line, or the one above, takes the codes that it names out; so does the option."""
    text = BROKEN.replace("«", "")
    (directory / "rules.yml").write_text(f"{text.rstrip()} # oneiric: ignore ON101\n", encoding="utf-8")
    assert told(directory) == []
    (directory / "rules.yml").write_text(f"{text.rstrip()} # oneiric: ignore ON102\n", encoding="utf-8")
    assert told(directory) == [AT]
    assert check([directory], Options(ignored=frozenset({"ON101"}))).findings == ()


def test_findings_are_bounded(tmp_path: Path) -> None:
    """Of many findings the first are told, and how many are not."""
    many = MAX_FINDINGS + 7
    rules = "".join(f"  - record: level:extra{number}:sum\n    expr: oneiric_nothing\n" for number in range(many))
    (tmp_path / "rules.yml").write_text(f"groups:\n- name: extra\n  rules:\n{rules}", encoding="utf-8")
    findings = check([tmp_path]).findings
    assert len(findings) == MAX_FINDINGS + 1
    assert [(one.code, one.message) for one in findings if one.code == "ON009"] == [
        ("ON009", "7 further findings are not shown")
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("deep.yml", "groups: " + "[" * 5000),
        ("deep.yml", "groups:\n" + "".join("  " * depth + "- \n" for depth in range(200))),
        (
            "alias.yml",
            "a: &a [x]\n" + "".join(f"a{n}: &a{n} [" + f"*a{n - 1 or ''}, " * 30 + "]\n" for n in range(1, 9)),
        ),
        ("self.yml", "groups: &a\n- *a\n"),
        ("deep.json", "[" * 100_000),
    ],
    ids=["brackets", "indentation", "aliases", "an alias of itself", "JSON"],
)
def test_deep_and_endless_documents_are_one_finding(directory: Path, name: str, text: str) -> None:
    """A document that is too deep, or that aliases make too long, is told once, and the other file is checked."""
    (directory / name).write_text(text, encoding="utf-8")
    findings = told(directory / name, directory)
    assert [one[3] for one in findings if one[0] == name] == ["ON006"]
    assert AT in findings


@pytest.mark.parametrize("depth", [130, 1500, 9000])
def test_a_deep_query_is_one_finding(tmp_path: Path, depth: int) -> None:
    """A query that would overflow the parser's stack, or ours, is not given to it."""
    for query in ("(" * depth + "up" + ")" * depth, "-" * depth + "up", "+".join(["up"] * depth)):
        text = BROKEN.replace("«oneiric_nothing", f'"{query}"')
        (tmp_path / "rules.yml").write_text(text, encoding="utf-8")
        (finding,) = check([tmp_path]).findings
        assert (finding.code, finding.message.partition(" ")[0]) == ("ON007", "not")
        assert "more than" in finding.message or "longer than" in finding.message


def test_the_scrape_interval_is_the_configurations(directory: Path) -> None:
    """How often is scraped is read from Prometheus' configuration: the longest interval of our jobs, or its default."""
    rates = BROKEN.replace("«oneiric_nothing", "rate(oneiric_resolution_total[1m])")
    (directory / "rules.yml").write_text(rates, encoding="utf-8")
    jobs = "global: {{scrape_interval: {}}}\nscrape_configs:\n- job_name: slow\n  scrape_interval: 10m\n{}"
    ours = "- job_name: oneiric\n  scrape_interval: {}\n"
    clean: list[tuple[str, int, int, str]] = []
    found = [("rules.yml", 5, 41, "ON302")]
    for usual, more, expected in (
        ("15s", "", clean),
        ("45s", "", found),
        ("45s", ours.format("30s"), clean),
        ("15s", ours.format("45s"), found),
        ("45s", "- job_name: oneiric\n", found),
    ):
        (directory / "prometheus.yml").write_text(jobs.format(usual, more), encoding="utf-8")
        assert told(directory) == expected


def test_the_targets_labels_are_the_configurations(directory: Path) -> None:
    """Labels that Prometheus' configuration among the paths gives to targets, or to all, may be asked for."""
    rates = BROKEN.replace("«oneiric_nothing", 'rate(oneiric_resolution_total{cluster="x", zone="y", region="r"}[1m])')
    (directory / "rules.yml").write_text(rates, encoding="utf-8")
    assert [code for *_, code in told(directory)] == ["ON104"] * 3
    (directory / "prometheus.yml").write_text(
        "global: {external_labels: {region: r}}\n"
        "scrape_configs:\n- job_name: a\n  static_configs:\n  - labels: {cluster: x}\n"
        "  relabel_configs:\n  - target_label: zone\n",
        encoding="utf-8",
    )
    assert told(directory) == []


def test_lines_end_as_they_do_on_windows(tmp_path: Path) -> None:
    """A byte order mark and carriage returns change no line and no column."""
    text = "\ufeff" + BROKEN.replace("«", "").replace("\n", "\r\n")
    (tmp_path / "rules.yml").write_bytes(text.encode())
    assert told(tmp_path) == [AT]


def test_a_seed_without_a_file_is_as_good(tmp_path: Path) -> None:
    """A seed tells its own place from any other."""
    assert Seed("ON101", "rules.yml", BROKEN).sown(tmp_path) == [EXPECTED]
    assert Seed("ON102", "rules.yml", BROKEN).sown(tmp_path) == [AT]
    assert found(tmp_path) == []


FRAGMENTS = st.sampled_from(
    [
        *"{}[]()\"'`|=~!<>+-*/^%,:#$@&\\\n ",
        "```promql\n",
        "```logql\n",
        "```bash\n",
        "\n```\n",
        "groups:\n- rules:\n  - expr: ",
        "\n    alert: A\n    annotations: {summary: '{{ $labels.x }}'}\n",
        "route:\n  matchers: [",
        "scrape_configs:\n- ",
        "stage.json {\n",
        "oneiric_resolution_total",
        "oneiric_lifecycle_swap_duration_ms_bucket",
        "rate(",
        "sum by (",
        "histogram_quantile(0.9, ",
        "[5m]",
        "[5m:]",
        "offset 5m",
        "@ end()",
        "and on (",
        "group_left",
        "le=~",
        "absent(",
        "label_replace(",
        "vector(1)",
        "time()",
        '{app="oneiric"}',
        '|= "swap-failed" | json',
        "oneiric monitoring check --format ",
        "${x}",
        "[[x]]",
        "$__rate_interval",
        "1e9",
        "NaN",
        "\ud800",
        "\x00",
        "é",
    ]
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(FRAGMENTS, max_size=30).map("".join))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS, name=st.sampled_from(["a.yml", "a.json", "a.md", "a.alloy"]))
def test_no_text_makes_it_fail(tmp_path: Path, text: str, name: str) -> None:
    """Whatever stands in a file, the check ends with findings that have places in it, and not with an error."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    lines = text.split("\n")
    for finding in check([path]).findings:
        assert 1 <= finding.line <= len(lines)
        assert finding.column >= 1
        assert finding.message
    path.unlink()


QUERIES = st.lists(FRAGMENTS, max_size=14).map("".join)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(promql=QUERIES, logql=QUERIES, command=QUERIES)
def test_no_query_makes_it_fail(tmp_path: Path, promql: str, logql: str, command: str) -> None:
    """Whatever stands in a fence, the check ends with findings, and not with an error."""
    text = f"```promql\n{promql}\n```\n```logql\n{logql}\n```\n```bash\n{command}\n```\n"
    (tmp_path / "a.md").write_text(text, encoding="utf-8", errors="replace")
    check([tmp_path])
