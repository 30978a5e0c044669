"""Have a command done: by the running service, or on the same files where none runs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from oneiric.cli import exits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.cli.invocation import Invocation

SCHEMA_VERSION = 1
"""Of every JSON document that a command prints; raised when a field goes or changes its meaning."""
_CHECK_SETTINGS = "oneiric settings check shows all that is wrong"


class Call:
    """One command, about to be done.

    Args:
        invocation: The options before the command.
        as_json: Whether it prints JSON, its errors too.
    """

    def __init__(self, invocation: Invocation, *, as_json: bool) -> None:
        self.invocation = invocation
        self.as_json = as_json

    def read(self, name: str, *, needs_service: bool = False, **fields: str) -> Any:
        """Return what the command *name* reads, or end the process with its error."""
        return self._done(name, fields, changes=False, needs_service=needs_service)

    def change(self, name: str, *, needs_service: bool = False, **fields: object) -> Any:
        """Have the command *name* change something and return its answer, or end the process with its error."""
        return self._done(name, fields, changes=True, needs_service=needs_service)

    def show_json(self, answer: Mapping[str, Any]) -> None:
        """Print *answer* as one JSON document."""
        typer.echo(json.dumps({"schema_version": SCHEMA_VERSION, **answer}, indent=2, ensure_ascii=False))

    def show_json_line(self, answer: Mapping[str, Any]) -> None:
        """Print *answer* as one line of JSON Lines, at once."""
        typer.echo(json.dumps({"schema_version": SCHEMA_VERSION, **answer}, ensure_ascii=False))
        sys.stdout.flush()

    def note(self, message: str) -> None:
        """Say *message* on standard error, beside the answer."""
        if self.as_json:
            typer.echo(json.dumps({"schema_version": SCHEMA_VERSION, "note": {"message": message}}), err=True)
        else:
            typer.echo(f"oneiric: {message}", err=True)

    def fail(self, exit_code: int, message: str, hint: str = "", **details: object) -> NoReturn:
        """End the process with an error in one line, or as an object with ``--json``."""
        say_error(message, hint, exit_code=exit_code, as_json=self.as_json, **details)
        raise typer.Exit(exit_code)

    def _done(self, name: str, fields: Mapping[str, Any], *, changes: bool, needs_service: bool) -> Any:
        from oneiric.runtime.control import client as control  # noqa: PLC0415 - help does not need it

        client = control.ServiceClient(self._socket())
        try:
            return client.change(name, **fields) if changes else client.read(name, **fields)
        except control.NotRunningError as error:
            self._require_settings()
            if needs_service:
                self.fail(exits.NO_SERVICE, str(error), error.hint)
            return self._offline(name, fields, str(error))
        except control.NotAllowedError as error:
            self.fail(exits.DENIED, str(error), error.hint)
        except control.NotAnsweringError as error:
            self.fail(exits.SILENT, str(error), error.hint)
        except control.RefusedError as error:
            self._refused(error.code, str(error), error.hint, error.details)

    def _offline(self, name: str, fields: Mapping[str, Any], why: str) -> Any:
        """Do the command in this process."""
        from oneiric.cli.interrupts import interrupt_raises  # noqa: PLC0415 - only where no service runs
        from oneiric.core.config import SettingsError  # noqa: PLC0415 - likewise
        from oneiric.runtime.control.errors import ControlError  # noqa: PLC0415 - likewise
        from oneiric.runtime.offline import run_offline  # noqa: PLC0415 - likewise

        self.note(f"{why}: this is from the files")
        interrupt_raises()
        try:
            return run_offline(self.invocation.program(), name, fields)
        except SettingsError as error:
            self.fail(exits.USAGE, str(error), _CHECK_SETTINGS)
        except ControlError as error:
            self._refused(error.code, error.message, error.hint, error.as_dict())

    def _require_settings(self) -> None:
        """End the process where the settings are wrong, before what takes long is imported."""
        from oneiric.core.config import SettingsError  # noqa: PLC0415 - only where no service runs

        try:
            self.invocation.program().settings()
        except SettingsError as error:
            self.fail(exits.USAGE, str(error), _CHECK_SETTINGS)

    def _refused(self, code: str, message: str, hint: str, details: Mapping[str, Any]) -> NoReturn:
        from oneiric.runtime.control import protocol  # noqa: PLC0415 - only for errors

        known = {protocol.USAGE: exits.USAGE, protocol.DENIED: exits.DENIED, protocol.UNKNOWN: exits.USAGE}
        more = {name: value for name, value in details.items() if name not in {"message", "hint"}}
        self.fail(known.get(code, exits.NO), message, hint, **more)

    def _socket(self) -> str:
        from oneiric.cli.places import control_socket  # noqa: PLC0415 - help does not need it

        try:
            return control_socket(self.invocation)
        except ValueError as error:  # SettingsError, which takes long to import
            self.fail(exits.USAGE, str(error), _CHECK_SETTINGS)


def say_error(message: str, hint: str = "", *, exit_code: int, as_json: bool, **details: object) -> None:
    """Say on standard error, in one line or as an object, what is wrong and what to do next."""
    if as_json:
        error = {"message": message, "hint": hint, "exit_code": exit_code, **details}
        typer.echo(json.dumps({"schema_version": SCHEMA_VERSION, "error": error}), err=True)
    else:
        one_line = " ".join(f"{message}{f'; {hint}' if hint else ''}".split())
        typer.echo(f"oneiric: {one_line}", err=True)
