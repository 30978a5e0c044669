"""The service as a unit of systemd, on a machine that is really booted: one boot, many questions."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from documents import SYSTEMD, fences
from processes import PROGRAMS, eventually
from units import (
    NEWER,
    UNINSTALL,
    configure,
    drop_in,
    events,
    install,
    lines,
    packages,
    save,
    settings_of,
)

from oneiric._version import __version__
from oneiric.cli import exits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from booted import Machine

pytestmark = pytest.mark.slow
STATE = "/var/lib/oneiric"
LOG = "/var/log/oneiric/oneiric.jsonl"


def main_pid(machine: Machine, unit: str = "oneiric") -> int:
    """Return the process of *unit*, 0 for none."""
    return int(machine.property(unit, "MainPID"))


def restarted(machine: Machine, before: int) -> None:
    """Return once another process than *before* is ready."""
    eventually(
        lambda: machine.property("oneiric", "ActiveState") == "active" and main_pid(machine) not in {0, before},
        what="the service is active again, as another process",
        seconds=300,
    )


def test_it_is_active_once_it_said_that_it_is_ready(service: Machine) -> None:
    """`systemctl start` returns when every required component is active, which the unit's status says."""
    assert service.property("oneiric", "StatusText") == "running: 6 of 6 required components active"
    assert service.property("oneiric", "ActiveState") == "active"
    assert service.run("ps", "-o", "user=", "-p", str(main_pid(service))).stdout.strip() == "oneiric"


def test_an_order_is_paid(service: Machine) -> None:
    """The shop works in its sandbox: what it writes lies in the state directory."""
    new, order = f"{STATE}/orders/1.new", '{"item": "tea", "count": 2}'
    service.shell(f"echo '{order}' > {new}; chown oneiric: {new}; chmod 600 {new}; mv {new} {STATE}/orders/1.json")
    receipts = service.path(f"{STATE}/data/receipts.jsonl")
    line = eventually(
        lambda: receipts.read_text(encoding="utf-8") if receipts.exists() else "", what="a receipt", seconds=300
    )
    assert json.loads(line)["number"] == "1"


def test_root_may_ask(service: Machine) -> None:
    """`oneiric status` of root is answered by the running process."""
    assert f"process {main_pid(service)}" in service.run("oneiric", "status").stdout


def test_a_member_of_the_group_may_ask_and_no_more(service: Machine) -> None:
    """A member reads, and is told which setting would let him change things."""
    assert f"process {main_pid(service)}" in service.run("oneiric", "status", user="ada").stdout
    denied = service.run("oneiric", "pause", "cache", user="ada", check=False)
    assert denied.returncode == exits.DENIED
    assert "user ada" in denied.stderr
    assert "control.group_rights to change" in denied.stderr


def test_a_stranger_is_denied(service: Machine) -> None:
    """A user outside of the group gets the code for denied, and is told which group it takes."""
    denied = service.run("oneiric", "status", user="bob", check=False)
    assert (denied.returncode, denied.stdout) == (exits.DENIED, "")
    assert "permission denied: /run/oneiric/control.sock" in denied.stderr
    assert "control.group" in denied.stderr


def test_what_was_killed_is_started_again_and_still_paused(service: Machine) -> None:
    """After SIGKILL systemd starts it again, and a pause is in force as before."""
    before = main_pid(service)
    service.run("oneiric", "pause", "cache", "--note", "maintenance")
    service.run("kill", "-KILL", str(before))
    restarted(service, before)
    assert "maintenance" in service.run("oneiric", "activity").stdout
    service.run("oneiric", "resume", "cache")


@pytest.fixture(scope="class")
def watched(started: Machine) -> Iterator[Machine]:
    """Yield the machine with a service that has to give signs of life more often."""
    drop_in(started, "oneiric.service", "[Service]\nWatchdogSec=6\n")
    started.run("systemctl", "restart", "oneiric")
    yield started
    drop_in(started, "oneiric.service", "")
    started.run("systemctl", "restart", "oneiric")


class TestWatchdog:
    """A service that has to give signs of life every six seconds."""

    @pytest.mark.parametrize("how", ["block", "stop"])
    def test_who_gives_no_sign_of_life_is_replaced(self, watched: Machine, how: str) -> None:
        """A callback that blocks the event loop, or SIGSTOP, trips the watchdog; where it stood is in the journal."""
        watched.run("systemctl", "reset-failed")
        before = main_pid(watched)
        if how == "block":
            watched.path(f"{STATE}/block").touch()
        else:
            watched.run("kill", "-STOP", str(before))
        restarted(watched, before)
        ended = watched.run("journalctl", "--no-pager", "--output=cat", "--unit=oneiric").stdout
        assert "Watchdog timeout" in ended
        stack = watched.run("journalctl", "--no-pager", "--output=cat", f"_PID={before}").stdout
        assert "Fatal Python error: Aborted" in stack
        assert how == "stop" or "in block_the_loop" in stack


def test_a_reload_applies_a_setting(service: Machine) -> None:
    """`systemctl reload` returns once the selection of another provider is in force."""
    save(service, settings_of(service) | {"adapters": {"selections": {"cache": "file"}}})
    service.run("systemctl", "reload", "oneiric")
    assert "served by file" in service.run("oneiric", "status", "cache").stdout


def test_a_broken_file_is_refused(service: Machine) -> None:
    """`systemctl reload` fails with settings that are wrong, the journal names the setting, and the service runs on."""
    before, right = main_pid(service), settings_of(service)
    save(service, right | {"control": {"group_rights": "everything"}})
    assert service.run("systemctl", "reload", "oneiric", check=False).returncode != 0
    assert any("control.group_rights" in line for line in lines(service))
    assert (service.property("oneiric", "ActiveState"), main_pid(service)) == ("active", before)
    save(service, right)
    service.run("systemctl", "reload", "oneiric")


def test_the_journal_has_its_lines_of_json(service: Machine) -> None:
    """What the process writes are lines of JSON with our fields, which `oneiric logs` reads back."""
    service.run("systemctl", "restart", "oneiric")
    journal = service.run("journalctl", "--no-pager", "--output=cat", f"_PID={main_pid(service)}").stdout
    found = [json.loads(line) for line in journal.splitlines()]
    assert {"event", "level", "logger", "timestamp"} <= set.intersection(*map(set, found))
    assert "runtime-ready" in {line["event"] for line in found}
    assert "runtime-ready" in service.run("oneiric", "logs", "--event", "runtime-ready").stdout


def test_no_line_is_lost_where_logrotate_rotates(service: Machine) -> None:
    """A file that is rotated three times while 1,000 lines a second are written has them all, in its parts."""
    right, wish = settings_of(service), service.path(f"{STATE}/write")
    sinks = [{"target": "stderr", "level": "WARNING"}, {"target": "file", "path": LOG, "max_bytes": 0}]
    save(service, right | {"logging": {"sinks": sinks}})
    service.run("systemctl", "restart", "oneiric")
    wish.touch()
    for _ in range(3):
        eventually(lambda: numbered(service, LOG), what="numbers are written to the file", seconds=300)
        assert service.run("logrotate", "--force", "/etc/logrotate.d/oneiric").stderr == ""
    wish.unlink()
    every = "/var/log/oneiric/*"
    eventually(lambda: '"event":"all"' in service.shell(f"zcat -f {every}"), what="the last line", seconds=300)
    (last,) = [line["count"] for line in written(service, every) if line["event"] == "all"]
    assert sorted(numbered(service, every)) == list(range(last))
    assert len([one for one in service.path("/var/log/oneiric").iterdir() if ".jsonl." in one.name]) == 3
    save(service, right)
    service.run("systemctl", "restart", "oneiric")


def written(machine: Machine, files: str) -> list[dict[str, Any]]:
    """Return the whole lines in *files*, which need not exist."""
    text = machine.run("bash", "-c", f"zcat -f {files}", check=False).stdout
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("}\n")]


def numbered(machine: Machine, files: str) -> list[int]:
    """Return the numbers in *files*."""
    return [line["number"] for line in written(machine, files) if line["event"] == "numbered"]


@pytest.mark.parametrize("seed", [("daily", "dayly"), ("maxsize 100M", "maxsize lots"), ("su oneiric", "su oneirik")])
def test_a_mistake_in_the_rotation_is_found(service: Machine, seed: tuple[str, str]) -> None:
    """With an unknown option logrotate ends with 0: the word `error` is what counts."""
    right = service.path("/etc/logrotate.d/oneiric").read_text(encoding="utf-8")
    wrong = service.path("/srv/logrotate.conf")
    for text, is_wrong in ((right, False), (right.replace(*seed), True)):
        wrong.write_text(text, encoding="utf-8")
        said = service.run("logrotate", "--debug", "/srv/logrotate.conf", check=False).stderr
        assert ("error" in said) == is_wrong, said


def test_lines_arrive_at_a_log_server(service: Machine) -> None:
    """rsyslog, with its part of the configuration, ships our lines as they are, the longest too, and no others."""
    ship(service, ("logs.example.org", "127.0.0.1"))
    service.shell("rsyslogd -N1 && systemctl enable rsyslog && systemctl restart rsyslog")
    shutil.copy(PROGRAMS / "log_server.conf", service.path("/srv/log_server.conf"))
    service.run("systemd-run", "--unit=log-server", "rsyslogd", "-n", "-iNONE", "-f", "/srv/log_server.conf")
    long = json.dumps({"event": "long", "text": "x" * 12_000})
    service.run("systemd-cat", "--identifier=oneiric@blue", "echo", long)
    service.run("systemd-cat", "--identifier=other", "echo", "not ours")
    service.run("systemctl", "restart", "oneiric")
    arrived = eventually(lambda: ready_lines(service), what="lines at the log server", seconds=300)
    service.run("systemctl", "stop", "log-server", "rsyslog", "syslog.socket")
    assert [line for line in arrived if line["event"] == "long"] == [json.loads(long)]
    assert {"runtime-stopping", "runtime-ready"} <= {line["event"] for line in arrived}


def ready_lines(machine: Machine) -> list[dict[str, Any]]:
    """Return what arrived, once the line that comes last did."""
    found = written(machine, "/srv/received")
    return found if any(line["event"] == "runtime-ready" for line in found) else []


def ship(machine: Machine, seed: tuple[str, str]) -> None:
    """Configure rsyslog with our file, in which *seed* replaces a part."""
    text = machine.path(f"{machine.source}/deploy/systemd/rsyslog.conf").read_text(encoding="utf-8")
    assert seed[0] in text
    machine.path("/etc/rsyslog.d/oneiric.conf").write_text(text.replace(*seed), encoding="utf-8")
    machine.shell(
        """grep -q maxMessageSize /etc/rsyslog.conf || sed -i '1i global(maxMessageSize="64k")' /etc/rsyslog.conf"""
    )


@pytest.mark.parametrize("seed", [("omfwd", "omfwt"), ("queue.filename", "queue.filname"), ("if $prog", "if $prgo")])
def test_a_mistake_in_the_shipping_is_found(service: Machine, seed: tuple[str, str]) -> None:
    """A module, an option or a property that rsyslog does not know is refused by `rsyslogd -N1`."""
    ship(service, seed)
    assert service.run("rsyslogd", "-N1", check=False).returncode != 0


def test_the_limits_are_in_force(service: Machine) -> None:
    """Systemd has taken every limit of the unit, and the process has its environment."""
    shown = {
        name: service.property("oneiric", name)
        for name in ("MemoryHigh", "MemoryMax", "TasksMax", "CPUQuotaPerSecUSec")
    }
    mebibyte = 1024 * 1024
    assert shown == {
        "MemoryHigh": str(768 * mebibyte),
        "MemoryMax": str(1024 * mebibyte),
        "TasksMax": "256",
        "CPUQuotaPerSecUSec": "2s",
    }
    environment = service.shell(f"cat /proc/{main_pid(service)}/environ").split("\0")
    assert "MALLOC_ARENA_MAX=2" in environment


def test_a_secret_is_read_at_the_next_start(service: Machine) -> None:
    """A credential that is replaced stays as it was over a reload, and is the new one after a restart."""
    right = settings_of(service)
    token = service.path("/etc/oneiric/credentials/metrics-token")
    token.write_text("first\n", encoding="ascii")
    token.chmod(0o600)
    file = "/run/credentials/oneiric.service/secret_metrics-token"
    save(service, right | {"observability": {"server": {"bearer_token_file": file}}})
    service.run("systemctl", "restart", "oneiric")
    token.write_text("second\n", encoding="ascii")
    service.run("systemctl", "reload", "oneiric")
    assert (scrape(service, "first"), scrape(service, "second")) == ("200", "401")
    service.run("systemctl", "restart", "oneiric")
    assert (scrape(service, "first"), scrape(service, "second")) == ("401", "200")
    assert service.run("cat", file, user="bob", check=False).returncode != 0
    save(service, right)
    token.unlink()


def scrape(machine: Machine, token: str) -> str:
    """Return the status of a scrape with *token*."""
    header = f"Authorization: Bearer {token}"
    command = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--header", header]
    return machine.run(*command, "http://127.0.0.1:9464/metrics").stdout


def test_it_listens_where_the_guide_says_and_nowhere_else(service: Machine) -> None:
    """The process has one port, of this machine only, and one socket in the file system."""
    listed = service.run(
        "ss", "--no-header", "--listening", "--numeric", "--processes", "--tcp", "--udp", "--unix"
    ).stdout
    own = [line.split()[4] for line in listed.splitlines() if f"pid={main_pid(service)}," in line]
    assert [address for address in own if not address.startswith("/")] == ["127.0.0.1:9464"]
    assert len(own) == 2
    assert service.run("stat", "--format=%a %U %G", "/run/oneiric/control.sock").stdout == "660 oneiric oneiric\n"


def test_state_and_secrets_are_for_the_service_alone(service: Machine) -> None:
    """No file of the state or of the credentials can be read by another user, members of the group included."""
    places = "/var/lib/oneiric /var/lib/oneiric-witness /run/credentials/oneiric.service /etc/oneiric/credentials"
    assert service.shell(f"find {places} -type f -perm /077") == ""
    assert service.run("ls", "/var/lib/oneiric", user="ada", check=False).returncode != 0
    assert service.run("cat", "/etc/oneiric/oneiric.env", user="ada", check=False).returncode != 0


def test_instances_are_services_of_their_own(service: Machine) -> None:
    """A second instance has its own process, socket and state, beside the first; one that cannot start is given up."""
    install(service, "--instance", "blue")
    configure(service, "blue")
    service.run("systemctl", "start", "oneiric@blue")
    service.run("oneiric", "--config", "/etc/oneiric/blue.yaml", "pause", "cache")
    blue, first = main_pid(service, "oneiric@blue"), main_pid(service)
    assert f"process {blue}" in service.run("oneiric", "--config", "/etc/oneiric/blue.yaml", "status").stdout
    assert f"process {first}" in service.run("oneiric", "status").stdout
    assert "paused=0" in service.run("oneiric", "status").stdout
    assert service.path("/var/lib/oneiric@blue/domain_activity.sqlite").exists()


def test_what_cannot_start_is_given_up(service: Machine) -> None:
    """After five starts that failed the unit is failed and stays so, and the journal has the reason in one line."""
    install(service, "--instance", "broken")
    save(service, settings_of(service, "broken") | {"runtime": {"start": "everything"}}, "broken")
    unit = "oneiric@broken.service"
    drop_in(service, unit, "[Service]\nRestartSec=100ms\n")
    assert service.run("systemctl", "start", unit, check=False).returncode != 0
    eventually(
        lambda: "Start request repeated too quickly" in service.shell(f"journalctl --no-pager --unit={unit}"),
        what="systemd gives it up",
        seconds=300,
    )
    assert service.property(unit, "ActiveState") == "failed"
    assert len([line for line in lines(service, unit) if "runtime.start" in line]) == 5


def test_an_upgrade_leaves_what_runs_alone_until_it_is_restarted(service: Machine) -> None:
    """A new version is installed beside the running one, which serves on; a restart runs it, with the same pauses."""
    before = main_pid(service)
    service.run("oneiric", "pause", "cache")
    install(service, newer=True)
    assert main_pid(service) == before
    assert NEWER in service.run("oneiric", "--version").stdout
    assert f"process {before}, version {__version__}" in service.run("oneiric", "status").stdout
    service.run("systemctl", "restart", "oneiric")
    assert f"version {NEWER}" in service.run("oneiric", "health", check=False).stdout
    assert "paused=1" in service.run("oneiric", "status").stdout
    service.run("oneiric", "resume", "cache")


def test_a_second_installation_changes_nothing(service: Machine) -> None:
    """With the same packages the script says that all is there, and leaves each file and the service as they are."""
    install(service, newer=True)
    listed = "find /etc /opt/oneiric /usr/local -newer /tmp/now -not -path '*/__pycache__*' | sort"
    service.shell("touch /tmp/now")
    assert "installed already" in install(service, newer=True)
    assert service.shell(listed).splitlines() == []


def test_a_changed_configuration_is_kept(service: Machine) -> None:
    """A settings file that somebody changed stays; the new default is laid beside it, once it differs from the last."""
    shipped = service.path(f"{service.source}/deploy/systemd/oneiric.yaml")
    text, before = shipped.read_text(encoding="utf-8"), settings_of(service)
    shipped.write_text(f"{text}# new\n", encoding="utf-8")
    said = install(service, newer=True)
    assert "kept /etc/oneiric/oneiric.yaml, which was changed" in said
    assert settings_of(service) == before
    assert service.path("/etc/oneiric/oneiric.yaml.new").read_text(encoding="utf-8").endswith("# new\n")


def test_uninstalling_leaves_what_cannot_be_had_again(service: Machine) -> None:
    """State, logs and changed settings stay; units, programs and the cache go; a purge takes all."""
    pruned = " ".join(f"-path {path} -prune -o" for path in ("/proc", "/srv", "/opt/deps", "/opt/site"))
    find = f"find / -xdev {pruned} -iname '*oneiric*' -print | sort"
    would = service.run(UNINSTALL, "--dry-run").stdout
    assert "would run: rm -rf /opt/oneiric/releases" in would
    assert main_pid(service) != 0
    service.run(UNINSTALL)
    left = service.shell(find).splitlines()
    kept = (
        "/var/lib/oneiric",
        "/var/log/oneiric",
        "/etc/oneiric",
        "/etc/rsyslog.d/oneiric.conf",
        "/etc/systemd/system/oneiric.service.d",
        "/etc/systemd/system/oneiric@broken.service.d",
    )
    assert [path for path in left if not path.startswith(kept)] == []
    assert "/var/lib/oneiric/domain_activity.sqlite" in service.shell("ls /var/lib/oneiric/*.sqlite")
    assert events(service, "runtime-stopping")
    service.run(UNINSTALL, "--purge")
    assert service.shell(find).splitlines() == ["/etc/rsyslog.d/oneiric.conf"]
    assert service.run("id", "oneiric", check=False).returncode != 0


def test_who_follows_the_guide_gets_to_its_end(machine: Machine) -> None:
    """Every command of the guide succeeds, in its order, typed by root on a machine without Oneiric."""
    commands = "".join(fence for document, fence in fences("sh") if document == SYSTEMD)
    script = "deploy/systemd/install.sh"
    commands = commands.replace(script, f"{script} {' '.join(packages(machine))}")  # no network: from the wheels
    shutil.copy("/etc/rsyslog.conf", machine.path("/etc"))  # as it is before anybody changed it
    machine.path("/srv/guide").write_text(f"set -euxo pipefail\ncd {machine.source}\n{commands}", encoding="utf-8")
    done = machine.run("bash", "/srv/guide", check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
