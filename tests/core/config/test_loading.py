"""Settings: where they are read from, and what is said when they are wrong."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from oneiric.core.config import OneiricSettings, SettingsError, load_settings
from oneiric.core.config.environment import coerce
from oneiric.core.config.files import MAX_FILE_BYTES, deep_merge
from oneiric.core.events import HookFailed

if TYPE_CHECKING:
    from pathlib import Path

    from support import Recorder

    from oneiric.core.observers import Observers


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory, a home and an environment without any settings."""
    for name in os.environ:
        if name.startswith(("ONEIRIC_", "XDG_CONFIG_HOME")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str) -> Path:
    """Write *text*, making directories."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_without_any_source_the_defaults_hold() -> None:
    """Nothing configured means the defaults, and no complaint."""
    settings = load_settings()
    assert (settings, settings.problems) == (OneiricSettings(), ())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "app: {name: x}"),
        ("a.YML", "app:\n  name: x\n"),
        ("a.toml", "[app]\nname = 'x'"),
        ("a.tml", "app.name = 'x'"),
        ("a.json", '{"app": {"name": "x"}}'),
        ("a.conf", ' {"app": {"name": "x"}}'),
        ("a.cfg", "[app]\nname = 'x'"),
        ("a", "\ufeff[app]\nname = 'x'"),
    ],
)
def test_the_suffix_decides_the_format(place: Path, name: str, text: str) -> None:
    """YAML, TOML and JSON are read; without a known suffix the first character decides."""
    assert load_settings(write(place / name, text)).app.name == "x"


@pytest.mark.parametrize("name", ["a.yaml", "a.toml", "a.json", "a"])
def test_an_empty_file_sets_nothing(place: Path, name: str) -> None:
    """An empty file is as good as none."""
    assert load_settings(write(place / name, "")) == OneiricSettings()


def test_stronger_layers_win(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From weak to strong: project's, local, user's and user's local file, explicit file, environment, argument."""
    sources = {
        "abcdefg": place / "settings" / "oneiric.yml",
        "bcdefg": place / "settings" / "local.yaml",
        "cdefg": place / "xdg" / "oneiric" / "config.yaml",
        "defg": place / "xdg" / "oneiric" / "local.yaml",
        "efg": place / "explicit.yaml",
    }
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place / "xdg"))
    for name in "FG":
        monkeypatch.setenv(f"ONEIRIC_MINE__{name}", "environment")
    for names, source in sources.items():
        write(source, json.dumps({"mine": dict.fromkeys(names, f"{source.parent.name}/{source.name}")}))
    assert getattr(load_settings("explicit.yaml", mine={"g": "argument"}), "mine", None) == {
        "a": "settings/oneiric.yml",
        "b": "settings/local.yaml",
        "c": "oneiric/config.yaml",
        "d": "oneiric/local.yaml",
        "e": f"{place.name}/explicit.yaml",
        "f": "environment",
        "g": "argument",
    }


def test_the_environment_names_the_explicit_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONEIRIC_CONFIG is the explicit file where no argument is given."""
    monkeypatch.setenv("ONEIRIC_CONFIG", str(write(place / "a.toml", "[app]\nname = 'x'")))
    assert load_settings().app.name == "x"


def test_another_project_has_its_own_names(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File names and variables follow the project's name."""
    write(place / "settings" / "my-app.yaml", "app: {name: x}")
    monkeypatch.setenv("MY_APP_APP__DEBUG", "true")
    monkeypatch.setenv("ONEIRIC_APP__ENVIRONMENT", "not ours")
    assert load_settings(project_name="my-app").app.model_dump() == {"name": "x", "environment": "dev", "debug": True}


@pytest.mark.parametrize("name", ["", "../x", "a/b", "x" * 65])
def test_a_project_name_that_is_a_path_is_refused(name: str) -> None:
    """A project name never leads out of the settings directory."""
    with pytest.raises(SettingsError, match="project name"):
        load_settings(project_name=name)


def test_a_directory_as_the_explicit_file_is_a_clear_error(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Naming the directory of the settings says which kind of name is wanted."""
    monkeypatch.setenv("ONEIRIC_CONFIG", str(place))
    with pytest.raises(SettingsError, match=r"is a directory; name the settings file in it, such as .*oneiric\.yaml"):
        load_settings()


def test_a_missing_explicit_file_is_left_out_and_told(recorder: Recorder, observers: Observers) -> None:
    """A file that does not exist is no error, but a problem that is reported."""
    settings = load_settings("nowhere.yaml", observers=observers)
    expected = "nowhere.yaml: does not exist; the settings go without it"
    assert (settings.problems, recorder.told) == (
        (expected,),
        [HookFailed(sink="settings", error_type="SettingsError", error=expected)],
    )


def test_without_observers_a_problem_goes_to_the_standard_logging(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever only loads settings still sees what was left out."""
    load_settings("nowhere.yaml")
    assert caplog.record_tuples == [
        ("oneiric.core.config", logging.WARNING, "nowhere.yaml: does not exist; the settings go without it")
    ]


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("a.yaml", "app: [1", r"a\.yaml: YAML expected; line \d, column \d: .*expected ',' or '\]'"),
        ("a.yaml", "- 1", r"a\.yaml: a mapping of section names expected, not list"),
        ("a.yaml", "1: {}", r"a\.yaml: a mapping of section names expected, not dict"),
        ("a.yaml", "text", r"a\.yaml: a mapping of section names expected, not str"),
        ("a.toml", "[app", r"a\.toml: TOML expected; "),
        ("a.json", "{", r"a\.json: JSON expected; "),
        ("a.json", "[" * 100_000, r"a\.json: JSON expected; "),
        ("a.json", "5", r"a\.json: a mapping of section names expected, not int"),
    ],
)
def test_a_malformed_explicit_file_is_an_error(place: Path, name: str, text: str, error: str) -> None:
    """The error names the file, the place and the format that was expected."""
    with pytest.raises(SettingsError, match=error):
        load_settings(write(place / name, text))


def test_a_malformed_layer_is_left_out_and_told(place: Path) -> None:
    """A layer file that cannot be understood costs its settings, not the start."""
    write(place / "settings" / "oneiric.yaml", "app: [")
    write(place / "settings" / "local.yaml", "app: {name: x}")
    settings = load_settings()
    assert (settings.app.name, [problem.rpartition(";")[2] for problem in settings.problems]) == (
        "x",
        [" the file is left out"],
    )


def test_a_file_that_is_no_text_is_an_error(place: Path) -> None:
    """The first byte that is not UTF-8 is told."""
    (place / "a.yaml").write_bytes(b"app: \xff")
    with pytest.raises(SettingsError, match=r"a\.yaml: UTF-8 text expected; byte 5 is not"):
        load_settings(place / "a.yaml")


@pytest.mark.parametrize(("size", "fits"), [(MAX_FILE_BYTES, True), (MAX_FILE_BYTES + 1, False)])
def test_the_size_of_a_file_is_bounded(place: Path, size: int, fits: bool) -> None:
    """The largest file is read, the next one refused."""
    (place / "a.toml").write_bytes(b"#" * size)
    if fits:
        assert load_settings(place / "a.toml") == OneiricSettings()
    else:
        with pytest.raises(SettingsError, match="larger than 4194304 bytes"):
            load_settings(place / "a.toml")


def test_a_wrong_value_names_file_key_and_value(place: Path) -> None:
    """The error of a value says which file set it, where, what it is and what would be right."""
    write(place / "settings" / "oneiric.yaml", "remote: {max_retries: many}")
    with pytest.raises(
        SettingsError,
        match=r"^settings/oneiric\.yaml, line 1: remote\.max_retries = 'many': Input should be a valid integer",
    ):
        load_settings()


def test_a_wrong_value_names_the_layer_that_set_it(place: Path) -> None:
    """Where several layers set a value, the one that counts is at fault."""
    write(place / "settings" / "oneiric.yaml", "remote: {max_retries: 1}")
    write(place / "settings" / "local.yaml", "remote: {max_retries: many}")
    with pytest.raises(SettingsError, match=r"^settings/local\.yaml, line 1: remote\.max_retries"):
        load_settings()


def test_a_wrong_value_of_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of a variable's value says which variable."""
    monkeypatch.setenv("ONEIRIC_METRICS_ADDRESS", "here")
    with pytest.raises(
        SettingsError, match=r"^ONEIRIC_METRICS_ADDRESS: observability\.metrics_address = 'here': must be host:port"
    ):
        load_settings()


def test_a_wrong_list_item_names_its_place(place: Path) -> None:
    """The index is part of the key."""
    path = write(place / "a.yaml", "logging: {sinks: [{target: stderr}, {target: pigeon}]}")
    with pytest.raises(SettingsError, match=r"a\.yaml, line 1: logging\.sinks\.1\.target = 'pigeon': Input should be"):
        load_settings(path)


def test_every_wrong_value_is_told_at_once(place: Path) -> None:
    """One start shows all mistakes, up to a bound."""
    path = write(place / "a.json", json.dumps({"app": {"name": 1}, "lifecycle": {"hook_timeout": -1}}))
    with pytest.raises(SettingsError, match=r"app\.name = 1: .*; .*lifecycle\.hook_timeout = -1: "):
        load_settings(path)


@pytest.mark.parametrize(
    "values",
    [
        {"remote": {"auth": {"token": 90210}}},
        {"secrets": {"inline": {"db": 90210}}},
        {"remote": {"manifest_url": ["https://u:90210@h/"]}},
    ],
)
def test_a_wrong_secret_is_not_quoted(place: Path, values: dict[str, Any]) -> None:
    """The error tells where a secret has a wrong type, but not the secret, and neither does its cause."""
    with pytest.raises(SettingsError) as caught:
        load_settings(write(place / "a.json", json.dumps(values)))
    assert ("90210" in str(caught.value), caught.value.__cause__) == (False, None)


def test_an_unknown_key_in_a_section_is_told(place: Path) -> None:
    """A misspelt key is ignored, but never silently."""
    settings = load_settings(write(place / "a.yaml", "remote: {manifest_ur: x}\nmine: {}"))
    assert settings.problems == (
        f"{place}/a.yaml, line 1: remote.manifest_ur is no setting and is ignored; did you mean manifest_url?",
    )


@pytest.mark.parametrize(
    ("variable", "section", "field", "expected"),
    [
        (
            "ONEIRIC_REMOTE__AUTH__TOKEN=12345",
            "remote",
            "auth",
            {"header_name": "Authorization", "secret_id": None, "token": "12345"},
        ),
        ("ONEIRIC_APP__DEBUG=true", "app", "debug", True),
        ("ONEIRIC_APP__NAME=true", "app", "name", "true"),
        ("ONEIRIC_REMOTE__REFRESH_INTERVAL=60", "remote", "refresh_interval", 60.0),
        ("ONEIRIC_REMOTE__REFRESH_INTERVAL=", "remote", "refresh_interval", None),
        ("ONEIRIC_REMOTE__MANIFEST_URL=", "remote", "manifest_url", None),
        ("ONEIRIC_PLUGINS__ENTRY_POINTS=one", "plugins", "entry_points", ["one"]),
        ("ONEIRIC_PLUGINS__ENTRY_POINTS=a, b,", "plugins", "entry_points", ["a", "b"]),
        ("ONEIRIC_PLUGINS__ENTRY_POINTS=", "plugins", "entry_points", []),
        ('ONEIRIC_PLUGINS__ENTRY_POINTS=["a,b"]', "plugins", "entry_points", ["a,b"]),
        ("ONEIRIC_ADAPTERS__SELECTIONS__CACHE=12", "adapters", "selections", {"cache": "12"}),
        ('ONEIRIC_ADAPTERS__SELECTIONS={"Cache.x": "redis"}', "adapters", "selections", {"Cache.x": "redis"}),
        (
            "ONEIRIC_ADAPTERS__PROVIDER_SETTINGS__P__PORT=6379",
            "adapters",
            "provider_settings",
            {"p": {"port": 6379}},
        ),
        ("ONEIRIC_ACTIVITY_STORE=/x", "runtime_paths", "domain_activity_path", "/x"),
        ("ONEIRIC_LOG_LEVEL=DEBUG", "logging", "level", "DEBUG"),
        ("ONEIRIC_METRICS_ADDRESS=[::]:0", "observability", "metrics_address", "[::]:0"),
        ("ONEIRIC_PROFILE=serverless", "profile", "name", "serverless"),
    ],
)
def test_a_variable_is_understood_by_the_type_of_its_field(
    monkeypatch: pytest.MonkeyPatch, variable: str, section: str, field: str, expected: object
) -> None:
    """What a text means is decided by the field it is for."""
    monkeypatch.setenv(*variable.split("=", 1))
    assert load_settings().model_dump()[section][field] == expected


def test_a_further_remote_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named sources nest like any section."""
    monkeypatch.setenv("ONEIRIC_REMOTES__EU__MAX_RETRIES", "7")
    assert load_settings().remotes["eu"].max_retries == 7


def test_the_full_name_beats_its_alias(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short name is only a default for the full one."""
    monkeypatch.setenv("ONEIRIC_LOG_LEVEL", "INFO")
    monkeypatch.setenv("ONEIRIC_LOGGING__LEVEL", "DEBUG")
    assert load_settings().logging.level == "DEBUG"


@pytest.mark.parametrize(
    ("variables", "error"),
    [
        (
            {"ONEIRIC_REMOTE": "x", "ONEIRIC_REMOTE__AUTH": "x"},
            "environment variable ONEIRIC_REMOTE__AUTH: JSON object expected",
        ),
        ({"ONEIRIC_LOGGING__SINKS": "[1"}, "environment variable ONEIRIC_LOGGING__SINKS: JSON list expected"),
        (
            {"ONEIRIC_MINE__A": "1", "ONEIRIC_MINE__A__B": "2"},
            "ONEIRIC_MINE__A__B: a is set to a single value by another",
        ),
        ({"ONEIRIC_APP____NAME": "1"}, "ONEIRIC_APP____NAME: a section or field name is empty"),
        ({"ONEIRIC_REMOTE__MAX_RETRIES": "many"}, r"^ONEIRIC_REMOTE__MAX_RETRIES: remote\.max_retries = 'many'"),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], error: str) -> None:
    """The error names the variable and what would be right."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=error):
        load_settings()


@given(st.text())
@hypothesis_settings(deadline=None, max_examples=200)
def test_text_for_a_text_field_is_never_changed(text: str) -> None:
    """Whatever a token looks like, it stays what it is."""
    assert coerce(text, str) == text


@given(st.text() | st.integers().map(str) | st.floats().map(str))
@hypothesis_settings(deadline=None, max_examples=300)
def test_a_guess_never_loses_anything(text: str) -> None:
    """For a field of any type, a number is only understood where it is written back the same."""
    value = coerce(text, Any)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        assert str(value) == text
    else:
        assert value == text or isinstance(value, (bool, list))


nested = st.recursive(
    st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8
)
mappings = st.dictionaries(st.sampled_from("abc"), nested, max_size=3)


@given(mappings, mappings)
@hypothesis_settings(deadline=None, max_examples=100)
def test_merging_keeps_what_the_stronger_sets(weak: dict[str, Any], strong: dict[str, Any]) -> None:
    """The stronger mapping is found whole in the merged one, and merging it again changes nothing."""
    merged = deep_merge(weak, strong)
    assert (set(merged), deep_merge(merged, strong)) == (set(weak) | set(strong), merged)
