"""The command `oneiric monitoring check`: this repository, exit codes and formats."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from drift_seeds import OPTIONS
from typer.testing import CliRunner

from oneiric.cli.app import app
from oneiric.monitoring.bundle import bundle, write
from oneiric.monitoring.config import BundleConfig, configured
from oneiric.monitoring.drift import CODES, check
from oneiric.monitoring.drift.findings import with_codes
from oneiric.monitoring.drift.findings.reference import BEGIN, END
from oneiric.observability.catalogue import CACHE_SIZE, CATALOGUE
from oneiric.observability.model import Catalogue

if TYPE_CHECKING:
    from typer.testing import Result

ROOT = Path(__file__).parents[3]
BROKEN = "groups:\n- name: extra\n  rules:\n  - record: level:extra:sum\n    expr: oneiric_nothing\n"


def run(*arguments: str, directory: Path) -> Result:
    """Run the command in *directory*, in this process."""
    with contextlib.chdir(directory):
        return CliRunner().invoke(app, ["monitoring", "check", *arguments])


def test_this_repository_is_clean() -> None:
    """The check of this repository, the other way round included, finds nothing."""
    command = [sys.executable, "-m", "oneiric", "monitoring", "check", "--complete"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout
    assert " files, 0 errors, 0 warnings, 0 notes" in done.stderr


def test_findings_are_told_in_every_format(tmp_path: Path) -> None:
    """A finding ends the command with 1, on standard output in the format asked for."""
    (tmp_path / "rules.yml").write_text(BROKEN, encoding="utf-8")
    done = run(directory=tmp_path)
    assert (done.exit_code, done.stdout) == (1, "rules.yml:5:11: error ON101 there is no metric oneiric_nothing\n")
    assert done.stderr == "1 file, 1 error, 0 warnings, 0 notes\n"
    assert json.loads(run("--format", "json", directory=tmp_path).stdout)[0]["code"] == "ON101"
    assert json.loads(run("--format", "sarif", directory=tmp_path).stdout)["version"] == "2.1.0"
    assert run("--format", "github", directory=tmp_path).stdout.startswith("::error file=rules.yml,line=5,col=11")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2),
        (("--format", "yaml"), 2),
        (("--ignore", "ON999"), 2),
        (("--scrape-interval", "x"), 2),
        (("missing",), 1),
        (("--against", "http://127.0.0.1:1/metrics"), 1),
        (("--help",), 0),
    ],
)
def test_exit_codes_tell_what_happened(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    """Nothing to check and wrong usage are 2, what cannot be read or reached is 1; never is there a traceback."""
    done = run(*arguments, directory=tmp_path)
    assert done.exit_code == code
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert done.stderr or done.stdout


def test_options_say_what_files_do_not(tmp_path: Path) -> None:
    """A target's label, a scrape interval and a refresh interval that are given are taken into account."""
    queries = {
        'rate(oneiric_resolution_total{cluster="x"}[5m])': ("--target-label", "cluster"),
        "rate(oneiric_resolution_total[20s])": ("--scrape-interval", "5"),
        "rate(oneiric_remote_sync_total[1m])": ("--refresh-interval", "60"),
        "oneiric_nothing": ("--ignore", "ON101"),
    }
    for query, options in queries.items():
        (tmp_path / "rules.yml").write_text(BROKEN.replace("oneiric_nothing", query), encoding="utf-8")
        assert "rules.yml:5:" in run(directory=tmp_path).stdout
        done = run(*options, directory=tmp_path)
        assert (done.exit_code, done.stdout) == (0, "")


def test_without_rule_files_the_bundles_rules_are_there(tmp_path: Path) -> None:
    """Without rules of the bundle, what it records is there; routes are held against its alerts' names only."""
    (tmp_path / "a.md").write_text("```promql\njob_domain:oneiric_resolution:rate5m\n```\n", encoding="utf-8")
    assert check([tmp_path]).findings == ()
    routes = bundle(BundleConfig())["alertmanager/alertmanager.yml"].replace('team="platform"', 'shift="night"')
    (tmp_path / "a.yml").write_text(routes, encoding="utf-8")
    assert check([tmp_path]).findings == ()
    (tmp_path / "a.yml").write_text(routes.replace("OneiricSwapFailures", "OneiricSwapErrors"), encoding="utf-8")
    assert [one.code for one in check([tmp_path]).findings] == ["ON505"]
    (tmp_path / "rules.yml").write_text(BROKEN.replace("oneiric_nothing", "up"), encoding="utf-8")
    assert check([tmp_path / "a.md", tmp_path / "rules.yml"]).findings == ()
    ours = BROKEN.replace("oneiric_nothing", "oneiric_lifecycle_instances")
    (tmp_path / "rules.yml").write_text(ours, encoding="utf-8")
    assert check([tmp_path / "a.md", tmp_path / "rules.yml"]).findings == ()
    (tmp_path / "rules.yml").write_text(
        ours.replace("level:extra:sum", "job:oneiric_resolution_errors:ratio_rate5m"), encoding="utf-8"
    )
    assert "job:oneiric_resolution_errors:ratio_rate5m" in bundle(BundleConfig())["prometheus/rules/oneiric-alerts.yml"]
    assert {one.code for one in check([tmp_path / "a.md", tmp_path / "rules.yml"]).findings} == {"ON102"}


def test_a_bundle_with_other_settings_is_clean(tmp_path: Path) -> None:
    """A bundle for another job, further matchers, other thresholds and a slower scrape has no finding either."""
    settings = [
        "job=other",
        "matchers.cluster=eu",
        "scrape_interval_seconds=30",
        "swap_slow_seconds=60",
        "app=oneiric-eu",
    ]
    write(bundle(configured(settings)), tmp_path)
    options = type(OPTIONS)(target_labels=frozenset({"cluster"}), surface=OPTIONS.surface)
    assert check([tmp_path], options).findings == ()


def test_what_nothing_asks_for_is_found_where_it_is_defined(tmp_path: Path) -> None:
    """A metric and a log event that no file asks for, and no reason stands for, are told at their definitions."""
    (tmp_path / "a.md").write_text("```promql\nsum(oneiric_cache_size_bytes)\n```\n", encoding="utf-8")
    options = type(OPTIONS)(is_complete=True)
    findings = check([tmp_path], options).findings
    told = {one.message.rpartition(" ")[2]: one for one in findings}
    assert "oneiric_cache_size_bytes" not in told
    lines = (ROOT / "oneiric/observability/catalogue.py").read_text(encoding="utf-8").splitlines()
    for name, code in (("oneiric_cache_limit_bytes", "ON701"), ("swap-failed", "ON702")):
        finding = told[name]
        assert finding.code == code
        assert lines[finding.line - 1][finding.column - 1 :].startswith(name)


def test_a_reason_for_what_is_used_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that is listed as unused, and asked for, is told."""
    (tmp_path / "a.md").write_text("```promql\nsum(oneiric_cache_size_bytes)\n```\n", encoding="utf-8")
    monkeypatch.setattr(Catalogue, "unused", {CACHE_SIZE.name: "why not"})
    findings = check([tmp_path], type(OPTIONS)(is_complete=True)).findings
    assert [one.message for one in findings if one.code == "ON703"] == [
        "oneiric_cache_size_bytes is used, and the catalogue says it is not: unused="
    ]


def test_reasons_are_sentences_for_signals_that_exist() -> None:
    """Whatever is marked as unused in the catalogue has a reason."""
    assert all(len(reason.split()) > 3 for reason in CATALOGUE.unused.values())


def test_the_guide_lists_every_code() -> None:
    """The guide's table is the one that the codes make; marks that are missing are an error."""
    page = (ROOT / "docs/monitoring/DRIFT_CHECK.md").read_text(encoding="utf-8")
    assert with_codes(page) == page
    assert all(f"| {code} |" in page for code in CODES)
    with pytest.raises(ValueError, match="must have"):
        with_codes(page.replace(END, ""))
    assert BEGIN in page


def test_every_code_is_shown_to_be_found() -> None:
    """For each code a test of this directory names a defect that is found with it."""
    texts = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [code for code in CODES if f'"{code}"' not in texts] == []


def test_the_bundle_asks_for_every_metric(tmp_path: Path) -> None:
    """The bundle alone, without the guides, asks for every metric of the catalogue."""
    write(bundle(BundleConfig()), tmp_path)
    findings = check([tmp_path], type(OPTIONS)(is_complete=True)).findings
    assert [one.message for one in findings if one.code == "ON701"] == []
