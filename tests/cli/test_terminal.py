"""The commands for people: in a terminal, with mistakes, and by completion."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from services import PATIENCE, service
from typer.main import get_command
from typer.testing import CliRunner

from oneiric.cli import completion, exits
from oneiric.cli.app import app, run
from oneiric.core.names import DOMAINS
from oneiric.core.redaction import mask

if TYPE_CHECKING:
    from services import Service

pytestmark = pytest.mark.slow  # each starts processes

IMPORTS = ("asyncio", "rich.table", "structlog", "yaml", "oneiric.core.config", "oneiric.runtime.offline")
"""What a command of a running service must not wait for; Typer itself imports pydantic."""


def program(one: Service, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command as a program."""
    return one.run(*arguments, **options)


def test_a_terminal_shows_tables(shared: Service) -> None:
    """In a terminal of 80 columns the components stand in a table with colours, and no line is longer."""
    output, errors = in_terminal(shared, "list", "--shadowed")
    lines = [line.rstrip() for line in output.splitlines()]
    assert "\x1b[" in output
    assert any({"key", "provider", "priority"} <= set(plain(line).split()) for line in lines), (output, errors)
    assert max(len(plain(line)) for line in lines) <= 80


def in_terminal(one: Service, *arguments: str) -> tuple[str, str]:
    """Return what a command prints to a terminal of 80 columns."""
    leader, follower = pty.openpty()
    environment = one.environment | {"COLUMNS": "80", "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        one.command(*arguments), stdout=follower, stderr=subprocess.PIPE, env=environment, cwd=one.directory, text=True
    ) as process:
        os.close(follower)
        output = b""
        while True:
            try:
                chunk = os.read(leader, 65_536)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            output += chunk
        _, errors = process.communicate(timeout=PATIENCE)
    os.close(leader)
    return output.decode(), errors


def plain(line: str) -> str:
    """Return *line* without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lst",), "oneiric: No such command 'lst'. Did you mean 'list'?"),
        (("monitoring", "chek"), "Did you mean 'check'?"),
        (("list", "--al"), "oneiric: No such option: --al (Possible options: --all"),
        (("list", "--domain", "servce"), "did you mean service?"),
        (("explain", "cahce"), "did you mean cache?"),
        (("swap", "cache", "--provider", "secnd"), "did you mean second?"),
        (("action-invoke", "ecoh"), "did you mean echo?"),
        (("pause",), "oneiric: the key is missing; name it as KEY or with --key"),
        (("pause", "a", "--key", "b"), "oneiric: two keys, a and --key b; name one"),
        (("action-invoke", "echo", "--payload", "{"), "oneiric: Invalid JSON payload: "),
        (("action-invoke", "echo", "--payload", "[]"), "oneiric: Payload JSON must be an object; "),
        (
            ("action-invoke", "echo", "--payload", "@missing"),
            "oneiric: --payload: missing: No such file or directory; ",
        ),
        (("remote-sync", "--manifest", "/etc/passwd"), "fetches manifests by http and https only, not /etc/passwd; "),
        (("signals", "nothing-like-that"), "oneiric: no signal has 'nothing-like-that' in its name; "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_line_with_the_next_step(
    shared: Service,
    arguments: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever is wrong is said in one line on standard error, with what was probably meant or what to do."""
    monkeypatch.setattr(sys, "argv", ["oneiric", "--config", str(shared.config), *arguments])
    with pytest.raises(SystemExit) as ended:
        run()
    output, errors = capsys.readouterr()
    assert (output, errors.count("\n"), ended.value.code in {exits.NO, exits.USAGE}) == ("", 1, True)
    assert said in errors


def test_a_mistake_in_the_options_is_an_object_with_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --json what is not understood of a command line is an object, too."""
    monkeypatch.setattr(sys, "argv", ["oneiric", "list", "--json", "--nothing"])
    with pytest.raises(SystemExit) as ended:
        run()
    output, errors = capsys.readouterr()
    assert (output, ended.value.code, json.loads(errors)["error"]["exit_code"]) == ("", 2, 2)


LEAVES = {
    " ".join(path): command
    for path, command in (
        *(((name,), one) for name, one in vars(get_command(app))["commands"].items()),
        *(
            ((name, inner), one)
            for name, group in vars(get_command(app))["commands"].items()
            for inner, one in getattr(group, "commands", {}).items()
        ),
    )
    if not getattr(command, "commands", {})
}
"""Every command that does something, by its words."""


@pytest.mark.parametrize("name", LEAVES)
def test_the_help_has_an_example_that_is_understood(name: str) -> None:
    """The help of each command fits into 80 columns and has examples, whose options it has."""
    command = LEAVES[name]
    done = CliRunner().invoke(app, [*name.split(), "--help"])
    assert (done.exit_code, max(map(len, done.stdout.splitlines())) <= 80) == (0, True)
    examples = re.findall(rf"oneiric[^,]*? {name}\b([^,]*)", command.help.partition("Example")[2])
    known = {option for parameter in command.params for option in (*parameter.opts, "--help")}
    used = {word for example in examples for word in re.findall(r" (--?[a-z-]+)", example)}
    assert examples
    assert used <= known


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("explain ca", {"cache"}),
        ("explain --key ca", {"cache"}),
        ("explain --domain service ", {"payments"}),
        ("swap cache --provider ", {"first", "second"}),
        ("list --domain ", set(DOMAINS)),
        ("action-invoke ", {"echo", "broken"}),
        ("cache ", {"status", "clean"}),
    ],
)
def test_completion_with_a_service(shared: Service, words: str, offered: set[str]) -> None:
    """Domains, keys and providers are offered as the service knows them."""
    assert completed(shared, words) == offered


def test_completion_without_a_service(tmp_path: Any) -> None:
    """Without a service those keys are offered that it wrote down; where it wrote nothing, nothing, and no error."""
    with service(tmp_path, runtime={"start": ["adapter/cache"]}) as one:
        assert completed(one, "explain ") == set()
        one.start()
        one.stop()
        assert completed(one, "explain ") == {"cache"}
        one.config.write_text("state_dir: [", encoding="utf-8")
        assert completed(one, "explain ") == set()


def completed(one: Service, words: str) -> set[str]:
    """Return what a shell is offered after *words*."""
    line = f"oneiric --config {one.config} {words}"
    shell = {"_ONEIRIC_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    environment = one.environment | shell | {"_TYPER_COMPLETE_ARGS": line}
    done = program(one, env=environment)
    assert done.stderr == ""
    return {word.partition("\t")[0] for word in done.stdout.splitlines() if word}


def test_the_domains_that_are_offered_are_those_of_the_core() -> None:
    """The copy that completion has, so that it imports little, is equal."""
    assert completion.DOMAINS == DOMAINS


@pytest.mark.parametrize("arguments", [("status",), ("list", "--json"), ("pause", "cache", "--resume")])
def test_a_command_of_a_running_service_imports_little(shared: Service, arguments: tuple[str, ...]) -> None:
    """What costs most is not imported where the service does the work."""
    config = shared.directory / "quick.json"
    config.write_text(json.dumps({"state_dir": str(shared.state)}), encoding="utf-8")
    command = [sys.executable, "-X", "importtime", "-m", "oneiric.cli", "--config", str(config), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=shared.environment, timeout=PATIENCE)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "h11" in imported
    assert imported & set(IMPORTS) == set()


def test_secrets_are_masked(tmp_path: Any) -> None:
    """`settings show` has *** for what a name says to be secret, for inline secrets and for headers, and cuts URLs."""
    settings = {
        "secrets": {"inline": {"db": "hunter1"}, "provider": "vault"},
        "remote": {"manifest_url": "https://me:hunter2@example.com/m?t=hunter3", "auth": {"token": "hunter4"}},
        "adapters": {"provider_settings": {"redis": {"password": "hunter5", "host": "here"}}},
        "observability": {"otlp": {"headers": {"x-team": "hunter6"}}},
    }
    config = tmp_path / "oneiric.json"
    config.write_text(json.dumps(settings), encoding="utf-8")
    for options in ((), ("--json",)):
        done = CliRunner().invoke(app, ["--config", str(config), "settings", "show", *options])
        assert done.exit_code == 0
        assert "hunter" not in done.stdout
        assert "vault" in done.stdout
        assert "here" in done.stdout


def test_a_mask_hides_what_a_name_says_to_be_secret() -> None:
    """Texts and numbers below such a name are hidden, what is true or false is not; the rest is fit for JSON."""
    value = {"api_key": "x", "requires_secrets": True, "tokens": [1, None], "set": {2}, "other": object}
    assert mask(value) == {
        "api_key": "***",
        "requires_secrets": True,
        "tokens": ["***", None],
        "set": [2],
        "other": "<class 'object'>",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("control: {socket: 7}", "control.socket = 7"),
        ("control: {sockt: x}", "did you mean socket?"),
        ("a: [", "YAML expected"),
    ],
)
def test_wrong_settings_are_checked(tmp_path: Any, text: str, said: str) -> None:
    """`settings check` ends with 1 and names what is wrong, a key that is no setting too."""
    config = tmp_path / "oneiric.yaml"
    config.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(app, ["--config", str(config), "settings", "check"])
    assert done.exit_code == exits.NO
    assert said in done.stdout


def test_watching_goes_on(shared: Service) -> None:
    """`metrics --watch` prints one line of JSON each time, until Ctrl-C."""
    command = shared.command("metrics", "runtime_ready", "--watch", "--interval", "0.1", "--json")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=shared.environment, text=True
    ) as process:
        assert process.stdout is not None
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(2)
        _, errors = process.communicate(timeout=PATIENCE)
    assert [line["samples"][0]["value"] for line in lines] == [1.0, 1.0, 1.0]
    assert (errors, process.returncode) == ("", -2)


def test_the_demo_registers_components(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """--demo registers a component in every domain."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["--demo", "list", "--all", "--json"])
    listed = {entry["domain"]: [one["key"] for one in entry["active"]] for entry in json.loads(done.stdout)["domains"]}
    assert listed == {
        "adapter": ["demo", "queue"],
        "service": ["status"],
        "task": ["demo-task"],
        "event": ["demo.event"],
        "workflow": ["demo-workflow"],
        "action": ["demo-action"],
    }
