"""How grave findings are, which of them make the check fail, and what a policy asks for beyond."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oneiric.cli.app import app
from oneiric.monitoring.drift import NOTHING_ASKED, Options, Policy, PolicyError, check, find_policy, read_policy
from oneiric.monitoring.drift.findings.policy import FILE

ROOT = Path(__file__).parents[3]
RULES = """groups:
- name: shop
  rules:
  - record: swaps_of_the_shop
    expr: sum(rate(oneiric_lifecycle_swap_total[5m]))
  - alert: shop-swaps-are-slow
    expr: sum(rate(oneiric_lifecycle_swap_failures_total[5m])) > 1
    labels: {severity: page}
"""
BOARD = '{"panels": [{"id": 1, "datasource": {"type": "prometheus", "uid": "mine"}, "targets": [{"expr": "%s"}]}]}'
ERROR, WARNING, NOTE = (
    "sum(oneiric_nothing)",
    "sum(oneiric_lifecycle_swap_total) > 5",
    'sum(oneiric_lifecycle_instances{floor="2"})',
)


@pytest.fixture
def styled(tmp_path: Path) -> Path:
    """A directory with rules and a dashboard in a style of their own."""
    (tmp_path / "rules.yml").write_text(RULES, encoding="utf-8")
    (tmp_path / "board.json").write_text(BOARD % "sum(oneiric_lifecycle_instances)", encoding="utf-8")
    return tmp_path


def run(*arguments: str, directory: Path) -> int:
    """Return the exit code of the command in *directory*."""
    with contextlib.chdir(directory):
        return CliRunner().invoke(app, ["monitoring", "check", *arguments]).exit_code


@pytest.mark.parametrize(
    ("query", "level", "codes"),
    [(ERROR, "error", (1, 1, 1)), (WARNING, "warning", (0, 1, 1)), (NOTE, "note", (0, 0, 1))],
)
def test_the_exit_code_is_for_what_is_asked(tmp_path: Path, query: str, level: str, codes: tuple[int, ...]) -> None:
    """Errors alone make the check fail, unless less grave findings are to do so, too."""
    (tmp_path / "a.json").write_text(BOARD % query.replace('"', '\\"'), encoding="utf-8")
    assert [one.level for one in check([tmp_path]).findings] == [level]
    found = (run(directory=tmp_path), *(run("--fail-on", one, directory=tmp_path) for one in ("warning", "note")))
    assert found == codes


def test_style_is_everybodys_own(styled: Path) -> None:
    """Names, severities, annotations and data sources are no findings where no policy asks for any."""
    assert check([styled], Options(policy=NOTHING_ASKED)).findings == ()


def test_a_policy_asks_for_style(styled: Path) -> None:
    """What a policy asks for is a warning where it is not so."""
    findings = check([styled], Options(policy=read_policy(ROOT / FILE))).findings
    assert sorted({one.code for one in findings}) == ["ON401", "ON402", "ON403", "ON408", "ON601"]
    assert {one.level for one in findings} == {"warning"}
    mine = Policy(alert_name="shop-.*", severities=("page",), record_name=r"\w+_of_the_shop")
    assert check([styled], Options(policy=mine)).findings == ()


def test_the_policy_is_the_nearest_file(styled: Path) -> None:
    """The file lies in the checked directory or above it, within the repository; another can be named."""
    (styled / ".git").mkdir()
    (styled / "below").mkdir()
    (styled / "below" / "rules.yml").write_text(RULES, encoding="utf-8")
    assert find_policy([styled / "below"]) is None
    assert run("--fail-on", "warning", "below", directory=styled) == 0
    (styled / FILE).write_text('[alerts]\nseverities = ["critical"]\n', encoding="utf-8")
    assert find_policy([styled / "below" / "rules.yml"]) == styled / FILE
    assert run("--fail-on", "warning", "below", directory=styled) == 1
    (styled / "mine.toml").write_text('[alerts]\nseverities = ["page"]\n', encoding="utf-8")
    assert run("--fail-on", "warning", "--policy", "mine.toml", "below", directory=styled) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[alert]\nname = 'x'\n", "there is no setting alert.name; known are alerts.name, "),
        ("name = 'x'\n", "there is no setting name"),
        ("[alerts]\nname = ['x']\n", "alerts.name = ['x']: must be a regular expression in quotes"),
        ("[alerts]\nname = '('\n", "alerts.name = '(': is no regular expression"),
        ("[alerts]\nseverities = 'page'\n", "alerts.severities = 'page': must be a list of strings"),
        ("[dashboards]\ndatasource_variable = 1\n", "must be true or false"),
        ("[", "not TOML"),
    ],
)
def test_a_policy_that_means_nothing_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """An error names file, key and value, and what would be right; the command ends with 2."""
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError) as raised:
        read_policy(tmp_path / FILE)
    assert str(raised.value).startswith(f"{tmp_path / FILE}: ")
    assert words in str(raised.value)
    assert run(directory=tmp_path) == 2


def test_a_policy_that_is_missing_is_refused(tmp_path: Path) -> None:
    """A file that was named must be there."""
    assert run("--policy", "missing.toml", directory=tmp_path) == 2
