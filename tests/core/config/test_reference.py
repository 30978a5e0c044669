"""The reference of settings: it has each of them, what it says is true, and its example file is the defaults."""

from __future__ import annotations

import ast
import functools
import re
from typing import TYPE_CHECKING, Any

import yaml
from documents import ROOT

from oneiric.core.config import OneiricSettings, SettingsError, example_file, load_settings, settings_page
from oneiric.core.config.environment import read_environment
from oneiric.core.config.notes import NOT_READ
from oneiric.core.config.reference import UNLESS_SET, all_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = ROOT / "oneiric"
SETTINGS = list(all_settings())
KEYS = [setting.key for setting in SETTINGS]
UNMISTAKABLE = {"config_dir", "auto_load", "watchers_enabled", "inline_manifest_only", "supervisor_enabled"}


@functools.cache
def read_names() -> set[str]:
    """Return the names of the attributes that the package reads, and of the keywords that it passes on."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        if path.name.startswith("_settings_") and path.name not in {"_settings_paths.py", "_settings_secrets.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                found.add(node.attr)
    return found


def test_a_setting_is_read_unless_it_is_marked() -> None:
    """Each setting that is not marked as read by nothing is read somewhere outside the settings."""
    read = read_names()
    assert [key for key in KEYS if key.rpartition(".")[2] not in read and key not in NOT_READ] == []


def test_a_mark_goes_when_something_reads_the_setting() -> None:
    """No marked setting of an unmistakable name is read."""
    assert {key.rpartition(".")[2] for key in NOT_READ} & read_names() & UNMISTAKABLE == set()


def test_settings_that_nothing_reads_are_marked() -> None:
    """The page says so in their rows, and in no others."""
    marked = re.findall(r"^\| `([^`]+)` .*\| \*\*never\*\*: (.*) \|$", settings_page(), re.MULTILINE)
    assert dict(marked) == NOT_READ


def test_the_variables_of_a_setting_set_it() -> None:
    """Each variable of the page sets its setting, whatever its text, or is refused by its name."""
    variables = [(variable, setting.key) for setting in SETTINGS for variable in setting.variables]
    assert [pair for pair in variables if set_by(pair[0]) not in {pair[1], f"environment variable {pair[0]}"}] == []


def set_by(variable: str) -> str:
    """Return the key that *variable* sets, or the beginning of the error."""
    try:
        (key,) = keys_of(read_environment("oneiric", {variable: "x"}, OneiricSettings))
    except SettingsError as error:
        return str(error).partition(":")[0]
    return key


def test_every_setting_can_be_set_by_a_variable() -> None:
    """Only what is in a list, or is read by nothing, has none."""
    assert [each.key for each in SETTINGS if not each.variables and "[]" not in each.key] == ["config_dir", "remotes"]


def test_the_example_loads_and_is_the_defaults(tmp_path: Path) -> None:
    """Who copies the file changes nothing, and is told of nothing."""
    path = tmp_path / "oneiric.yaml"
    path.write_text(example_file(), encoding="utf-8")
    settings = load_settings(path)
    assert (settings, settings.problems) == (OneiricSettings.exactly(), ())


def test_the_lines_left_out_of_the_example_are_the_defaults(tmp_path: Path) -> None:
    """With every comment that holds a setting made a line, the file is understood, and differs in nothing but names."""
    path = tmp_path / "oneiric.yaml"
    path.write_text(re.sub(r"^( *)# (?=[a-z_]+:)", r"\1", example_file(), flags=re.MULTILINE), encoding="utf-8")
    settings = load_settings(path)
    expected = OneiricSettings.exactly(app={"name": "oneiric", "environment": "dev"})
    assert (settings, settings.problems) == (expected, ())


def test_the_example_has_every_setting() -> None:
    """Each key of the reference is in the file, as a value or as a comment."""
    text = re.sub(r"^( *)# (?=[a-z_]+:)", r"\1", example_file(), flags=re.MULTILINE)
    assert set(keys_of(yaml.safe_load(text))) == {*KEYS}


def keys_of(values: Any, before: str = "") -> Iterator[str]:
    """Yield the keys in *values*, with dots; a mapping that is empty is a value."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from keys_of(value, f"{before}{name}.")
            continue
        yield before + name
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield from keys_of(value[0], f"{before}{name}[].")


def test_what_must_not_be_set_by_the_example_is_a_comment() -> None:
    """Settings that count as soon as they are set, and those that nothing reads, are no lines of the file."""
    keys = set(keys_of(yaml.safe_load(example_file())))
    assert not keys & {*NOT_READ, *UNLESS_SET, "logging.sinks[].level"}
