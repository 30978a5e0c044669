"""The words that shells offer: those of the command line itself, found without what parses it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from services import running, service
from shapes import REWRITE
from typer.main import get_command

from oneiric.cli.app import app
from oneiric.cli.completion import DOMAINS
from oneiric.cli.surface import values_of
from oneiric.cli.words import ASKED, TABLE, words
from oneiric.core.names import DOMAINS as ALL_DOMAINS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services import Service

LINES = (
    *("", "li", "monitoring ", "monitoring e", "--", "--con", "-", "list --", "list -", "list --domain "),
    *("list --domain t", "list --domain=a", "list -d ", "list --all -", "list --domain adapter --", "cache "),
    *("activity ", "activity recover --from ", "activity recover --from d", "--demo act", "explain x ", "logs --"),
    *("monitoring check --format ", "monitoring check --fail-on=n", "monitoring check --ignore A --", "swap --force -"),
    *("--import a --import b --", "swap -- -", "settings ", "orchestrate --", 'explain "a', "action-invoke --"),
)


def table(command: Any, parent: Any = None) -> dict[str, Any]:
    """Return what words.json has of a command of Click's."""
    options: dict[str, Any] = {}
    context = typer.Context(command, parent=parent, **command.context_settings)
    for parameter in command.get_params(context):
        if parameter.param_type_name != "option" or parameter.hidden:
            continue
        for name in (*parameter.opts, *parameter.secondary_opts):
            options[name] = {
                "is": parameter.name,
                "takes": not (parameter.is_flag or parameter.count),
                "again": parameter.multiple,
                "help": parameter.help or "",
                "values": kind(parameter),
            }
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    commands = {name: table(inner, context) for name, inner in sorted(getattr(command, "commands", {}).items())}
    return {
        "help": command.get_short_help_str(),
        "options": options,
        "argument": kind(arguments[0]) if arguments else "",
        "commands": commands,
    }


def kind(parameter: Any) -> str | list[str]:
    """Return what a parameter may be: enumerated values, or what kind of name, "" for anything."""
    names = {parameter.name, *parameter.opts}
    if "domain" in names:
        return list(DOMAINS)
    for word in ("key", "provider"):
        if names & {word, f"--{word}"}:
            return f"{word}s"
    return list(values_of(parameter))


def complete(one: Service, *typed: str, shell: str = "bash", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the completion of *typed*, the last word of which is not finished, as the script of *shell* does."""
    text = " ".join(("oneiric", "--config", str(one.config), *typed))
    asked = {"COMP_WORDS": text, "COMP_CWORD": str(len(typed) + 2), "_TYPER_COMPLETE_ARGS": text}
    environment = one.environment | asked | {ASKED: f"complete_{shell}"} | variables
    command = [sys.executable, *variables.pop("options", "").split(), "-m", "oneiric"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service with an active cache."""
    with running(tmp_path_factory.mktemp("words"), runtime={"start": ["adapter/cache"]}) as one:
        yield one


def test_the_table_is_that_of_the_command_line() -> None:
    """words.json has every command, option and enumerated value of the command line, and no other."""
    made = table(get_command(app))
    if REWRITE in os.environ:
        Path(TABLE).write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert made == json.loads(Path(TABLE).read_text(encoding="utf-8")), (
        f"if that is meant: {REWRITE}=1 pytest tests/cli"
    )
    assert ALL_DOMAINS == DOMAINS


@pytest.mark.parametrize("line", LINES)
def test_the_words_are_those_of_typer(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands on the line, the words and their help are the ones that Typer offers for it."""
    from typer._completion_classes import ZshComplete  # noqa: PLC0415 - private, and used here only

    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"oneiric {line}")
    typers = ZshComplete(get_command(app), {}, "oneiric", ASKED)
    before, incomplete = typers.get_completion_args()
    expected = [(item.value, item.help or "") for item in typers.get_completions(before.copy(), incomplete)]
    assert sorted(words(before, incomplete)) == sorted(expected)


def test_after_a_command_that_there_is_not_nothing_is_offered() -> None:
    """Below a command that is unknown there is nothing."""
    assert list(words(["nothing"], "")) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_offered_keys(started: Service, shell: str) -> None:
    """Keys and providers of the running service are offered in the form that the script of each shell reads."""
    keys = complete(started, "explain", "c", shell=shell, _TYPER_COMPLETE_FISH_ACTION="get-args")
    providers = complete(
        started, "swap", "cache", "--provider", "s", shell=shell, _TYPER_COMPLETE_FISH_ACTION="get-args"
    )
    form = "_arguments '*: :((\"{}\"))'\n" if shell == "zsh" else "{}\n"
    assert (keys.stdout, providers.stdout) == (form.format("cache"), form.format("second"))
    assert (keys.stderr, providers.stderr) == ("", "")


def test_fish_asks_whether_there_is_anything(started: Service) -> None:
    """Fish is answered by the exit code whether there is something to offer, and by nothing else."""
    asked = {"shell": "fish", "_TYPER_COMPLETE_FISH_ACTION": "is-args"}
    done = [complete(started, "explain", word, **asked) for word in ("c", "x")]
    assert [(one.returncode, one.stdout) for one in done] == [(0, ""), (1, "")]


def test_without_a_service_the_last_status_is_offered(tmp_path: Path) -> None:
    """What the service last wrote down is offered, and nothing is imported that takes long."""
    with service(tmp_path) as one:
        one.state.mkdir()
        status = [{"domain": "adapter", "key": "cache", "current_provider": "redis"}]
        (one.state / "lifecycle_status.json").write_text(json.dumps(status), encoding="utf-8")
        done = complete(one, "explain", "", options="-X importtime")
        (one.state / "lifecycle_status.json").write_text("nothing", encoding="utf-8")
        broken = complete(one, "explain", "")
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert done.stdout == "cache\n"
    assert not imported & {"typer", "rich", "click", "pydantic", "h11", "structlog", "asyncio", "msgspec"}
    assert (broken.returncode, broken.stdout, broken.stderr) == (0, "\n", "")
