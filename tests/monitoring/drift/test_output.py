"""What findings look like: as text, as JSON, as SARIF and as commands of GitHub's workflows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from oneiric.monitoring.drift import CODES, Finding, formatted

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SENTENCE = "there is no metric oneiric_x (did you mean oneiric_y?)"
FINDINGS = [
    Finding("deploy/my rules.yml", 3, 14, "ON101", "there is no metric oneiric_x", "did you mean oneiric_y?"),
    Finding("a,b:c%.json", 1, 1, "ON304", "100% \x1b[31mred\nnext"),
]


def test_text_is_a_compilers() -> None:
    """A line a finding, with place, code, sentence and hint; what would move the cursor is escaped."""
    assert formatted(FINDINGS, "text").splitlines() == [
        f"deploy/my rules.yml:3:14: error ON101 {SENTENCE}",
        "a,b:c%.json:1:1: warning ON304 100% \\x1b[31mred\\nnext",
    ]


def test_nothing_is_said_of_nothing() -> None:
    """Without findings there is no text, and an empty list or log for programs."""
    assert formatted([], "text") == formatted([], "github") == ""
    assert json.loads(formatted([], "json")) == []
    assert json.loads(formatted([], "sarif"))["runs"][0]["results"] == []


def test_json_has_every_part() -> None:
    """JSON is a list of objects with the finding's parts and its level."""
    assert json.loads(formatted(FINDINGS, "json"))[0] == {
        "path": "deploy/my rules.yml",
        "line": 3,
        "column": 14,
        "code": "ON101",
        "level": "error",
        "message": "there is no metric oneiric_x",
        "hint": "did you mean oneiric_y?",
    }


def test_sarif_has_what_its_schema_requires() -> None:
    """A log of SARIF 2.1.0 names version, tool and rules; a result has its rule, level, message and place."""
    log = json.loads(formatted(FINDINGS, "sarif"))
    assert {"$schema", "version", "runs"} == log.keys()
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"]
    assert [rule["id"] for rule in rules] == ["ON101", "ON304"]
    assert all(rule["shortDescription"]["text"] and rule["fullDescription"]["text"] for rule in rules)
    assert run["results"][0] == {
        "ruleId": "ON101",
        "ruleIndex": 0,
        "level": "error",
        "message": {"text": SENTENCE},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "deploy/my%20rules.yml"},
                    "region": {"startLine": 3, "startColumn": 14},
                }
            }
        ],
    }
    assert {result["level"] for result in run["results"]} <= {"none", "note", "warning", "error"}


def test_githubs_commands_are_escaped() -> None:
    """In a command's properties %, :, comma and line ends are escaped, in its message % and line ends."""
    assert formatted(FINDINGS, "github").splitlines() == [
        f"::error file=deploy/my rules.yml,line=3,col=14,title=ON101::{SENTENCE}",
        "::warning file=a%2Cb%3Ac%25.json,line=1,col=1,title=ON304::100%25 \\x1b[31mred%0Anext",
    ]


def test_programs_get_paths_from_the_repositorys_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever directory the check runs in, and however files are named, hosts of code find them; a URL is no file."""
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    (tmp_path / "repository" / "rules").mkdir()
    monkeypatch.chdir(tmp_path / "repository" / "rules")
    paths = ["mine.yml", "../a.yml", f"{tmp_path}/repository/b.yml", f"{tmp_path}/c d.yml", "http://h:9/metrics", ""]
    findings = [Finding(path, 1, 2, "ON901", "m") for path in paths]
    places = [
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] if "locations" in result else ""
        for result in json.loads(formatted(findings, "sarif"))["runs"][0]["results"]
    ]
    outside = f"{tmp_path.as_posix()}/c d.yml"
    quoted = "file://" + outside.replace(" ", "%20")
    assert places == ["rules/mine.yml", "a.yml", "b.yml", quoted, "http://h:9/metrics", ""]
    assert formatted(findings, "github").splitlines() == [
        "::error file=rules/mine.yml,line=1,col=2,title=ON901::m",
        "::error file=a.yml,line=1,col=2,title=ON901::m",
        "::error file=b.yml,line=1,col=2,title=ON901::m",
        f"::error file={outside},line=1,col=2,title=ON901::m",
        "::error title=ON901::http://h:9/metrics: m",
        "::error title=ON901::m",
    ]


def test_every_code_has_a_title_and_a_reason() -> None:
    """Each code is ON and three digits, and says what is wrong and what comes of it."""
    for code, known in CODES.items():
        assert code.startswith("ON")
        assert len(code) == len("ON000")
        assert code[2:].isdigit()
        assert known.title
        assert known.why
