"""What lies where a settings file belongs and is none: one error at once, which says where and what is wrong."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from oneiric.core.config import OneiricSettings, SettingsError, load_settings
from oneiric.core.config.files import MAX_FILE_BYTES
from oneiric.core.config.parsing import MAX_VALUES, lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Make = Callable[[Path], object]

BOMB = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""Nine lists, each of nine times the one before: 387,420,489 values in 400 bytes."""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory, a home and an environment without any settings."""
    for name in os.environ:
        if name.startswith(("ONEIRIC_", "XDG_CONFIG_HOME")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user who may read nothing of root's, where the tests are run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def sparse(path: Path) -> None:
    """Make a file of 4 GB, without any content, at *path*."""
    with path.open("wb") as file:
        file.truncate(4_000_000_000)


OBJECTS: dict[str, tuple[Make, str]] = {
    "a FIFO": (os.mkfifo, "is a FIFO; a regular file with settings expected"),
    "a sparse file": (sparse, f"larger than {MAX_FILE_BYTES} bytes; is it a settings file?"),
    "a link to /dev/zero": (lambda path: path.symlink_to("/dev/zero"), "is a device; a regular file with settings"),
    "a directory": (lambda path: path.mkdir(), "is a directory; name the settings file in it"),
    "a link to itself": (lambda path: path.symlink_to(path), "cannot be read: Too many levels of symbolic links"),
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_what_is_no_file_is_refused_at_once(place: Path, kind: str) -> None:
    """Nothing is waited for and nothing endless is read; the error names the file and what it is."""
    make, expected = OBJECTS[kind]
    make(place / "a.yaml")
    with pytest.raises(SettingsError) as caught:
        load_settings(place / "a.yaml")
    assert str(caught.value).startswith(f"{place / 'a.yaml'}: {expected}")


@pytest.mark.parametrize("kind", [kind for kind in OBJECTS if kind != "a link to itself"])
def test_a_layer_that_is_no_file_is_left_out_and_told(place: Path, kind: str) -> None:
    """The same where the file is found rather than named: its settings are missing, and the problem says why."""
    (place / "settings").mkdir()
    make, expected = OBJECTS[kind]
    make(place / "settings" / "oneiric.yaml")
    (problem,) = load_settings().problems
    assert expected in problem
    assert problem.endswith("; the file is left out")


def test_an_unreadable_file_is_refused(place: Path) -> None:
    """The error says why it cannot be read."""
    (place / "a.yaml").touch(mode=0)
    with nobody(), pytest.raises(SettingsError, match=r"a\.yaml: cannot be read: Permission denied"):
        load_settings(place / "a.yaml")


@pytest.mark.parametrize(
    "text", [BOMB, "a: &a [*a]", f"a: {'[' * 100}{']' * 100}", f"a: [{'1, ' * MAX_VALUES}]"], ids=range(4)
)
def test_more_than_anyone_writes_down_is_refused(place: Path, text: str) -> None:
    """A YAML bomb, an alias to itself and too deep or too many values are an error, with the line."""
    (place / "a.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"a\.yaml: YAML expected; line \d+: more than 250000 values, or 64 levels"):
        load_settings(place / "a.yaml")


def test_an_alias_is_no_bomb(place: Path) -> None:
    """Anchors, aliases and merge keys mean what they mean in YAML; what a mapping says itself is stronger."""
    text = "base: &base {name: x, debug: true}\napp:\n  <<: *base\n  name: y\n"
    (place / "a.yaml").write_text(text, encoding="utf-8")
    assert load_settings(place / "a.yaml").app.model_dump() == {"name": "y", "environment": "dev", "debug": True}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.yaml", "app:\n  name: x\n  name: y\n", "line 3: the key 'name' is in line 2, too; keep one"),
        ("a.yaml", "app: {}\nremote: {}\napp: {}\n", "line 3: the key 'app' is in line 1, too; keep one"),
        ("a.yaml", "app: {name: x, name: y}", "line 1: the key 'name' is in line 1, too; keep one"),
        ("a.json", '{\n"app": {},\n"app": {}\n}', "line 3: the key 'app' is there twice; keep one"),
        ("a.json", '{"app": {"name": "name", "name": ""}}', "line 1: the key 'name' is there twice; keep one"),
        ("a.toml", "[app]\nname = 'x'\nname = 'y'\n", "Cannot overwrite a value (at line 3, column 11)"),
    ],
)
def test_a_key_that_is_there_twice_is_refused(place: Path, name: str, text: str, expected: str) -> None:
    """Nobody could say which one is meant; the error says where the second one is."""
    (place / name).write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(place / name)
    assert str(caught.value).endswith(f"expected; {expected}")


YAML = "app:\n  name: x\nlogging:\n  sinks:\n    - target: stderr\n    - target: pigeon\n"
JSON = json.dumps({"app": {"name": "x"}, "logging": {"sinks": [{"target": "stderr"}, {"target": "pigeon"}]}}, indent=1)
TOML = "app.name = 'x'\n[[logging.sinks]]\ntarget = 'stderr'\n\n[[logging.sinks]]\ntarget = 'pigeon'\n"


@pytest.mark.parametrize(("name", "text", "line"), [("a.yaml", YAML, 6), ("a.json", JSON, 11), ("a.toml", TOML, 6)])
def test_a_wrong_value_names_its_line(place: Path, name: str, text: str, line: int) -> None:
    """In each format the error names file, line, key and value, and what is allowed."""
    (place / name).write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(place / name)
    assert str(caught.value).startswith(
        f"{place / name}, line {line}: logging.sinks.1.target = 'pigeon': Input should be 'stdout', 'stderr'"
    )


def test_a_missing_value_names_the_line_of_what_lacks_it(place: Path) -> None:
    """Where the key itself is not there, the line is that of the section or item that it belongs to."""
    (place / "a.toml").write_text("[app]\nname = 'x'\n[lifecycle]\nhook_timeout = [\n  1\n]\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"a\.toml, line 4: lifecycle\.hook_timeout"):
        load_settings(place / "a.toml")


def test_an_unknown_key_is_told_with_its_line(place: Path) -> None:
    """A misspelt key is left out; the problem says where it is."""
    (place / "a.yaml").write_text("app:\n  name: x\n  debgu: true\n", encoding="utf-8")
    assert load_settings(place / "a.yaml").problems == (
        f"{place / 'a.yaml'}, line 3: app.debgu is no setting and is ignored; did you mean debug?",
    )


def test_lines_are_found_as_far_as_they_can_be() -> None:
    """What the notation hides has no line, and is no error: JSON that YAML cannot read, a TOML table in one line."""
    assert lines_of('{"a": 1}}', "JSON") == {}
    assert lines_of("a = {b = 1}\n[t]\n'k' = 2\n", "TOML") == {("a",): 1, ("t",): 2, ("t", "k"): 3}


def test_ten_thousand_components_are_no_bomb(place: Path) -> None:
    """A long list of what must run is read."""
    (place / "a.yaml").write_text(
        "runtime:\n  start:\n" + "".join(f"    - adapter/cache-{number}\n" for number in range(10_000)),
        encoding="utf-8",
    )
    assert len(load_settings(place / "a.yaml").runtime.start) == 10_000
    assert isinstance(load_settings(place / "a.yaml"), OneiricSettings)
