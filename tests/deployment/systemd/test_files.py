"""The files of deploy/systemd, judged by the programs that read them and against each other; each check is seen red."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml
from documents import ROOT
from processes import executable

from oneiric.core.config import OneiricSettings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

FILES = ROOT / "deploy" / "systemd"
UNIT = (FILES / "oneiric.service").read_text(encoding="utf-8")
TEMPLATE = (FILES / "oneiric@.service").read_text(encoding="utf-8")
EXPOSURE = 20
"""The most that ``systemd-analyze security`` may find, in tenths."""


def damaged(text: str, seed: tuple[str, str]) -> str:
    """Return *text* with the first part of *seed* replaced by the second."""
    old, new = seed
    assert old in text
    return text.replace(old, new)


def outcome(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run *command* and return how it ended."""
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def verified(text: str, directory: Path, name: str = "oneiric.service") -> str:
    """Return what systemd says of the unit *text*."""
    program = executable("systemd-analyze", package="systemd")
    path = directory / name
    path.write_text(text.replace("/opt/oneiric/current/bin/oneiric", shutil.which("true") or ""), encoding="utf-8")
    done = outcome(program, "verify", "--man=no", path)
    return done.stdout + done.stderr


def test_systemd_has_no_word_to_say_of_the_units(tmp_path: Path) -> None:
    """`systemd-analyze verify` prints nothing."""
    assert verified(UNIT, tmp_path) == ""
    (tmp_path / "oneiric@.service").write_text(TEMPLATE, encoding="utf-8")
    assert verified(TEMPLATE.replace("%i", "blue"), tmp_path, "oneiric@blue.service") == ""


@pytest.mark.parametrize(
    ("seed", "found"),
    [
        (("WatchdogSec", "WatchdogSecs"), "WatchdogSecs"),
        (("[Service]", "[Sevice]"), "Sevice"),
        (("Restart=on-failure", "Restart=sometimes"), "sometimes"),
        (("@privileged", "@privlieged"), "@privlieged"),
        (("MemoryMax=1G", "MemoryMax=lots"), "lots"),
        (("Type=notify", "Type=notfy"), "notfy"),
        (("/opt/oneiric/current/bin/oneiric $IMPORTS", "/opt/missing/oneiric"), "/opt/missing/oneiric"),
        (("After=network-online.target", "After=network online"), "online"),
    ],
    ids=lambda seed: seed if isinstance(seed, str) else None,
)
def test_a_mistake_in_the_unit_is_found(tmp_path: Path, seed: tuple[str, str], found: str) -> None:
    """What systemd would ignore with a warning is a failure here."""
    assert found in verified(damaged(UNIT, seed), tmp_path)


def exposed(text: str, directory: Path) -> bool:
    """Return whether the unit *text* is open to more than it may be."""
    program = executable("systemd-analyze", package="systemd")
    path = directory / "oneiric.service"
    path.write_text(text, encoding="utf-8")
    done = outcome(program, "security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", path)
    assert "Overall exposure level" in done.stdout, done.stderr
    return done.returncode != 0


@pytest.mark.parametrize("text", [UNIT, TEMPLATE.replace("%i", "blue")], ids=["service", "instance"])
def test_the_units_are_closed(tmp_path: Path, text: str) -> None:
    """`systemd-analyze security` finds an exposure of 2.0 at the most."""
    assert not exposed(text, tmp_path)


@pytest.mark.parametrize("walls", ["CapabilityBoundingSet", "SystemCall", "Restrict", "(Protect|Private)"])
def test_an_opening_in_the_unit_is_found(tmp_path: Path, walls: str) -> None:
    """A unit that gives up one kind of its walls is open to more than it may be."""
    opened = re.sub(rf"^{walls}.*\n", "", UNIT, flags=re.MULTILINE)
    assert exposed(opened, tmp_path)


def as_instance(unit: str) -> str:
    """Return the unit of an instance that is as *unit* but for its names."""
    named = re.sub(r"^((?:State|Cache|Logs|Runtime)Directory=oneiric)", r"\1@%i", unit, flags=re.MULTILINE)
    named = re.sub(r"^(SyslogIdentifier=.*)", r"\1@%i", named, flags=re.MULTILINE)
    for old, new in (
        ("Description=Oneiric runtime", "Description=Oneiric runtime, instance %i"),
        ("/etc/oneiric/oneiric.", "/etc/oneiric/%i."),
        ("WorkingDirectory=/var/lib/oneiric", "WorkingDirectory=/var/lib/oneiric@%i"),
        ("/run/credentials/oneiric.service", "/run/credentials/oneiric@%i.service"),
    ):
        named = named.replace(old, new)
    return named


def test_an_instance_is_as_the_service_but_for_its_names() -> None:
    """A line that is changed in one of the units is changed in the other."""
    assert as_instance(UNIT) == TEMPLATE
    assert as_instance(damaged(UNIT, ("TasksMax=256", "TasksMax=512"))) != TEMPLATE


def mismatches(unit: str, settings: str, rotation: str) -> list[str]:
    """Return in what the unit, its settings and its rotation of logs disagree, which no program notices."""
    values = dict(re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE))
    given = OneiricSettings.model_validate(yaml.safe_load(settings))
    state, witness = values["StateDirectory"].split()
    log, user = f"/var/log/{values['LogsDirectory']}/", values["User"]
    agreed = {
        "state": str(given.state_dir) == f"/var/lib/{state}" == values["WorkingDirectory"],
        "witness": witness == "oneiric-witness",
        "cache": str(given.cache_dir) == f"/var/cache/{values['CacheDirectory']}",
        "socket": str(given.control.socket) == f"/run/{values['RuntimeDirectory']}/control.sock",
        "group": given.control.group == values["Group"],
        "log file": log in settings and f"{log}*.jsonl" in rotation,
        "rotation's user": f"su {user} {values['Group']}" in rotation,
        "user": f"u {user} " in (FILES / "sysusers.conf").read_text(encoding="utf-8"),
        "stop": given.runtime.stop_timeout < float(values["TimeoutStopSec"]),
        "memory": values["MemoryHigh"].endswith("M") and values["MemoryMax"].endswith("G"),
        "limit": int(values["StartLimitBurst"]) * float(values["RestartSec"]) < float(values["StartLimitIntervalSec"]),
        "secrets": values["LoadCredential"] == "secret:/etc/oneiric/credentials",
    }
    return [name for name, agrees in agreed.items() if not agrees]


SETTINGS = (FILES / "oneiric.yaml").read_text(encoding="utf-8")
ROTATION = (FILES / "logrotate.conf").read_text(encoding="utf-8")


def test_unit_settings_and_rotation_agree() -> None:
    """Directories, socket, group, user and times are the same wherever they stand."""
    assert mismatches(UNIT, SETTINGS, ROTATION) == []


@pytest.mark.parametrize(
    ("found", "seed"),
    [
        ("state", ("StateDirectory=oneiric ", "StateDirectory=other ")),
        ("state", ("state_dir: /var/lib/oneiric", "state_dir: /var/lib/other")),
        ("witness", ("oneiric-witness", "oneiric-wittness")),
        ("cache", ("cache_dir: /var/cache/oneiric", "cache_dir: /var/lib/oneiric/cache")),
        ("socket", ("RuntimeDirectory=oneiric", "RuntimeDirectory=shop")),
        ("group", ("Group=oneiric", "Group=shop")),
        ("log file", ("/var/log/oneiric/*", "/var/log/oneiric/logs/*")),
        ("rotation's user", ("su oneiric oneiric", "su root root")),
        ("user", ("User=oneiric", "User=shop")),
        ("stop", ("TimeoutStopSec=30", "TimeoutStopSec=20")),
        ("limit", ("RestartSec=2\n", "RestartSec=90\n")),
        ("secrets", ("secret:/etc/oneiric/credentials", "secret:/etc/oneiric/secrets")),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_disagreement_is_found(found: str, seed: tuple[str, str]) -> None:
    """A name or a time that is changed in one file only is found by what it is for."""
    texts = [text.replace(*seed) for text in (UNIT, SETTINGS, ROTATION)]
    assert texts != [UNIT, SETTINGS, ROTATION]
    assert found in mismatches(*texts)


@pytest.mark.parametrize("name", ["oneiric", "instance"])
def test_the_settings_are_right(name: str, tmp_path: Path) -> None:
    """The service starts with the settings as they are shipped."""
    path = tmp_path / "oneiric.yaml"
    path.write_text((FILES / f"{name}.yaml").read_text(encoding="utf-8").replace("NAME", "blue"), encoding="utf-8")
    settings = load_settings(path)
    directory = "oneiric" if name == "oneiric" else "oneiric@blue"
    assert str(settings.state_dir) == f"/var/lib/{directory}"
    assert str(settings.control.socket) == f"/run/{directory}/control.sock"


SCRIPTS = sorted(FILES.glob("*.sh"))


def checked(script: Path) -> subprocess.CompletedProcess[str]:
    """Return what shellcheck says of *script*."""
    program = executable("shellcheck", package="shellcheck")
    return outcome(program, "--external-sources", "--source-path=SCRIPTDIR", script)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_shellcheck_has_no_word_to_say(script: Path) -> None:
    """The scripts are clean."""
    done = checked(script)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_mistake_in_a_script_is_found(tmp_path: Path) -> None:
    """A variable that is not quoted is a failure."""
    shutil.copy(FILES / "common.sh", tmp_path)
    script = tmp_path / "install.sh"
    text = (FILES / "install.sh").read_text(encoding="utf-8")
    script.write_text(damaged(text, ('rm -f "$new"', "rm -f $new")), encoding="utf-8")
    assert "SC2086" in checked(script).stdout


def scripted(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the directory here, where it must not change anything."""
    return outcome(FILES / name, *options)


@pytest.mark.parametrize(
    ("script", "options", "said"),
    [
        ("install.sh", ["--prefixx", "/opt/x"], "unknown option --prefixx"),
        ("install.sh", ["--prefix"], "--prefix needs a value"),
        ("install.sh", ["--dry-run", "--prefix", "opt"], "--prefix opt: an absolute path"),
        ("install.sh", ["--dry-run", "--prefix", "/opt/a b"], "--prefix /opt/a b: an absolute path"),
        ("install.sh", ["--dry-run", "--prefix", "/usr/local/"], "name a directory of its own"),
        ("install.sh", ["--dry-run", "--instance", "oneiric"], "another name than oneiric"),
        ("install.sh", ["--dry-run", "--instance", "../etc"], "lower-case letters"),
        ("install.sh", ["--dry-run", "--python", "python2.0"], "no such program"),
        ("uninstall.sh", ["--all"], "unknown option --all"),
        ("uninstall.sh", ["--dry-run", "--prefix", "/"], "--prefix /: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_use_of_a_script_is_an_error_in_one_line(script: str, options: list[str], said: str) -> None:
    """A script that cannot do what it is asked to says why, ends with 2 and has done nothing."""
    done = scripted(script, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_dry_run_shows_every_file_with_the_prefix(tmp_path: Path) -> None:
    """What would be done is shown, for another directory too, by whoever asks."""
    done = scripted("install.sh", "--dry-run", "--prefix", f"{tmp_path}/here", "--instance", "blue")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"into {tmp_path}/here/releases/" in done.stdout
    assert "would install /etc/oneiric/blue.yaml" in done.stdout
    assert list(tmp_path.iterdir()) == []
