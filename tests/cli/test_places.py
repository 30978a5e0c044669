"""Where the commands look for the service: where the settings say, without the settings' models."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from oneiric.cli.invocation import Invocation
from oneiric.cli.places import NotPlainError, control_socket, plain_control_socket, plain_state_directory
from oneiric.core.config import SettingsError, control_socket_path, load_settings, state_place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PLACES = ("/run/x/control.sock", "state", "~/here", "", None)
VARIABLES = (
    *("ONEIRIC_CONTROL__SOCKET", "ONEIRIC_STATE_DIR", "ONEIRIC_CACHE_DIR", "ONEIRIC_REMOTE__CACHE_DIR"),
    *("ONEIRIC_control__socket", "RUNTIME_DIRECTORY"),
)
FILES = ("settings/oneiric.yaml", "settings/oneiric.yml", "settings/local.yaml", "user/oneiric/config.yaml", "own")
CONTENT = st.fixed_dictionaries(
    {},
    optional={
        "control": st.fixed_dictionaries({}, optional={"socket": st.sampled_from(PLACES)}),
        "remote": st.fixed_dictionaries({}, optional={"cache_dir": st.sampled_from([*PLACES[:4], 7])}),
        "state_dir": st.sampled_from(PLACES),
        "cache_dir": st.sampled_from(PLACES),
        "logging": st.just({"level": "INFO"}),
    },
)
SUFFIXES: dict[str, Callable[[Any], str]] = {".yaml": yaml.safe_dump, ".json": json.dumps}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty current directory, with no settings around it."""
    for name in list(os.environ):
        if name.upper().startswith("ONEIRIC_") or name == "RUNTIME_DIRECTORY":
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@given(
    files=st.dictionaries(st.sampled_from(FILES), CONTENT, max_size=3),
    variables=st.dictionaries(st.sampled_from(VARIABLES), st.sampled_from(["/run/y", "elsewhere", ""]), max_size=2),
    suffix=st.sampled_from(sorted(SUFFIXES)),
)
@bounds(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_place_is_that_of_the_settings(
    place: Path, files: Mapping[str, Any], variables: Mapping[str, str], suffix: str
) -> None:
    """Whatever files and variables say, the socket and the state are where the settings say, or they are asked."""
    with pytest.MonkeyPatch.context() as patch:
        for name, text in variables.items():
            patch.setenv(name, text)
        written = [write(place / name, content, suffix) for name, content in files.items()]
        own = next((path for path in written if path.stem == "own"), None)
        expected: object
        found: object
        try:
            settings = load_settings(own)
            expected = str(control_socket_path(settings, os.environ)), state_place(settings)
        except SettingsError:
            expected = None
        try:
            found = plain_control_socket(own, os.environ), plain_state_directory(own, os.environ)
        except NotPlainError:
            found = expected
        finally:
            for path in written:
                path.unlink()
    assert found == expected


def write(path: Path, content: Any, suffix: str) -> Path:
    """Write *content*; the suffix is free only for the file that is named."""
    path = path.with_suffix(suffix) if path.name == "own" else path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SUFFIXES[path.suffix if path.suffix in SUFFIXES else ".yaml"](content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.toml", 'state_dir = "there"\n[control]\nenabled = true\n'),
        ("a.conf", 'state_dir = "there"\n'),
        ("a.conf", '{"state_dir": "there"}'),
    ],
)
def test_other_formats_are_read(place: Path, name: str, text: str) -> None:
    """TOML, and a file whose suffix says nothing, are understood as the settings understand them."""
    file = place / name
    file.write_text(text, encoding="utf-8")
    assert plain_control_socket(file, os.environ) == str(place / "there" / "run" / "control.sock")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("settings/oneiric.yaml", "state_dir: a\nstate_dir: b\n"),
        ("settings/local.yaml", "state_dir: a\nlogging: {level: INFO, level: DEBUG}\n"),
        ("own.json", '{"state_dir": "a", "control": {"socket": "b", "socket": "c"}}'),
        ("own.toml", 'state_dir = "a"\nstate_dir = "b"\n'),
    ],
)
def test_a_key_that_is_there_twice_is_left_to_the_settings(place: Path, name: str, text: str) -> None:
    """No file with a key that it has twice is plain, at whatever depth: the settings decide what of it counts."""
    file = place / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(NotPlainError):
        plain_control_socket(file if file.stem == "own" else None, os.environ)


@pytest.mark.parametrize("text", ["state_dir: [", "- a list", "control: 7", "state_dir: 7", f"state_dir: {'x' * 120}"])
def test_what_is_not_plain_is_left_to_the_settings(place: Path, text: str) -> None:
    """A file that is wrong, and a path that is too long, end in the error of the settings, which says what is."""
    file = place / "oneiric.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError):
        control_socket(Invocation(config=file))


def test_a_fifo_is_not_opened(place: Path) -> None:
    """A FIFO where the file belongs is refused, and nobody waits for its writer."""
    os.mkfifo(place / "fifo")
    with pytest.raises(SettingsError):
        control_socket(Invocation(config=place / "fifo"))


def test_nothing_is_made(place: Path) -> None:
    """To look for the socket makes no directory."""
    control_socket(Invocation())
    assert list(place.iterdir()) == []


@pytest.mark.usefixtures("place")
def test_a_user_without_a_home_finds_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom the system does not know, without HOME, as a container may have, finds service and settings."""

    def unknown(user: int) -> pwd.struct_passwd:
        raise KeyError(user)

    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setenv("ONEIRIC_STATE_DIR", "/var/lib/oneiric")
    socket = Path("/var/lib/oneiric/run/control.sock")
    assert plain_control_socket(None, os.environ) == str(socket)
    assert control_socket_path(load_settings(), os.environ) == socket
