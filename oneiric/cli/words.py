"""The words that bash, zsh and fish offer, without what parses a command line, which takes long to import.

They come from words.json, which is made from the command line itself and held equal to it by a test, as are the
answers to those of Typer. The scripts that users installed ask in Typer's way: in environment variables.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ASKED = "_ONEIRIC_COMPLETE"
"""Environment variable that names the shell that asks."""
TABLE = os.path.join(os.path.dirname(__file__), "words.json")  # noqa: PTH118, PTH120 - pathlib takes long to import
_ESCAPES = (('"', '""'), ("'", "''"), ("$", "\\$"), ("`", "\\`"), (":", "\\\\:"))


class Line:
    """What was typed so far.

    Attributes:
        command: What words.json has of the command.
        name: Its name.
        values: What options and arguments have, by the name of the parameter.
        given: The options that cannot be given again.
        waiting: The option that waits for its value.
        is_known: Whether there is such a command.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.command = root
        self.name = ""
        self.values: dict[str, str] = {}
        self.given: set[str] = set()
        self.waiting: str | None = None
        self.is_known = True
        self._options_ended = False

    @property
    def offers_options(self) -> bool:
        """Whether an option may come next."""
        return self.waiting is None and not self._options_ended

    def take(self, word: str) -> None:
        """Go on by *word*."""
        if self.waiting is not None:
            self.values[self.command["options"][self.waiting]["is"]] = word
            self.waiting = None
        elif word.startswith("-") and not self._options_ended:
            self._options_ended = word == "--"
            self._take_option(*word.partition("="))
        elif not self.command["commands"]:
            self.values.setdefault("key", word)
        elif word in self.command["commands"]:
            self.command, self.name, self.given = self.command["commands"][word], word, set()
        else:
            self.is_known = False

    def _take_option(self, name: str, equals: str, value: str) -> None:
        if (option := self.command["options"].get(name)) is None:
            return
        if not option["again"]:
            self.given.add(option["is"])
        if equals:
            self.values[option["is"]] = value
        elif option["takes"]:
            self.waiting = name


def answer(environ: Mapping[str, str]) -> int | None:
    """Print the words that *environ* asks for and return the exit code; None where Typer has to answer."""
    shell = environ.get(ASKED, "").removeprefix("complete_")
    if shell == "bash":
        typed = split(environ.get("COMP_WORDS", ""))
        at = int(environ.get("COMP_CWORD", "0"))
        before, incomplete = typed[1:at], typed[at] if at < len(typed) else ""
    elif shell in {"zsh", "fish"}:
        text = environ.get("_TYPER_COMPLETE_ARGS", "")
        before, incomplete = split(text)[1:], ""
        if before and not text.endswith(" "):
            incomplete = before.pop()
    else:
        return None
    found = list(words(before, incomplete))
    if shell == "fish" and environ.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":
        return 0 if found else 1
    sys.stdout.write(_shown(shell, found) + "\n")
    return 0


def words(before: list[str], incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield each word that may stand for *incomplete* after the words *before*, with its help."""
    with open(TABLE, encoding="utf-8") as file:  # noqa: PTH123 - as above
        root = json.load(file)
    if incomplete == "=":
        incomplete = ""
    elif incomplete.startswith("-") and "=" in incomplete:
        name, _, incomplete = incomplete.partition("=")
        before = [*before, name]
    line = Line(root)
    for word in before:
        line.take(word)
    if line.is_known:
        yield from ((word, text) for word, text in _offered(line, incomplete) if word.startswith(incomplete))


def _offered(line: Line, incomplete: str) -> Iterator[tuple[str, str]]:
    options = line.command["options"]
    if incomplete.startswith("-") and line.offers_options:
        yield from ((name, one["help"]) for name, one in options.items() if one["is"] not in line.given)
    elif line.waiting is not None:
        yield from ((word, "") for word in _values(line, options[line.waiting]["values"]))
    elif line.command["commands"]:
        yield from ((name, one["help"]) for name, one in line.command["commands"].items())
    elif "key" not in line.values:
        yield from ((word, "") for word in _values(line, line.command["argument"]))


def split(text: str) -> list[str]:
    """Return the words of *text* as a shell splits them, also where a quotation is not closed yet."""
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    found: list[str] = []
    try:
        found.extend(lexer)
    except ValueError:
        found.append(lexer.token)
    return found


def _values(line: Line, kind: str | list[str]) -> list[str]:
    """Return the words of *kind*: enumerated ones, or keys or providers."""
    if not isinstance(kind, str):
        return kind
    if kind not in {"keys", "providers"}:
        return []
    from oneiric.cli.known import components  # noqa: PLC0415 - only where a component is named

    domain = line.values.get("domain") or ("action" if line.name == "action-invoke" else "adapter")
    known = components(line.values.get("config"), domain)
    key = line.values.get("key") or line.values.get("key_option")
    return sorted(
        {at for at, _ in known} if kind == "keys" else {who for at, who in known if who and key in {None, at}}
    )


def _shown(shell: str, found: list[tuple[str, str]]) -> str:
    if shell == "bash":
        return "\n".join(word for word, _ in found)
    if shell == "fish":
        return "\n".join(f"{word}\t{' '.join(text.split())}" if text else word for word, text in found)
    if not found:
        return "_files"
    shown = (f'"{_escaped(word)}":"{_escaped(text)}"' if text else f'"{_escaped(word)}"' for word, text in found)
    return f"_arguments '*: :(({chr(10).join(shown)}))'"


def _escaped(text: str) -> str:
    for character, escape in _ESCAPES:
        text = text.replace(character, escape)
    return text
