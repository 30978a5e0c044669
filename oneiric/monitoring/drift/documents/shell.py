"""Command lines in documents: commands, options, settings and variables that exist, and the queries among them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from oneiric.monitoring.config import ConfigError, configured
from oneiric.monitoring.drift.findings import did_you_mean, one_of
from oneiric.monitoring.drift.queries import is_about_us, judge_logql, judge_promql, looks_like_logql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.monitoring.drift.documents.commands import Command, Option, Surface
    from oneiric.monitoring.drift.queries import Context
    from oneiric.monitoring.notation.text import Piece

_TOKEN = re.compile(
    r"""(?P<blank>(?:[ \t]|\\\n)+)|(?P<comment>(?<!\S)\#[^\n]*)"""
    r"""|(?P<redirection>(?<!\S)(?:\d?>>?&?|<<?)[ \t]*[^\s;|&()]*)|(?P<end>\n|&&|\|\||[|;&()])"""
    r"""|(?P<word>(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"|;&()\\])+)|(?P<other>.)""",
    re.DOTALL,
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_PLACEHOLDER = re.compile(r"[<>$…\[\]*{}]|\.\.\.|^[A-Z][A-Z0-9_./:=-]*$")
_BEFORE = {
    *("$", "sudo", "exec", "time", "env", "nohup", "watch", "python", "python3", "-m", "--"),
    *("uv", "uvx", "poetry", "pdm", "hatch", "pipx", "run"),
    *("if", "then", "else", "elif", "while", "until", "do", "!", "{"),
}
_PROMPT = re.compile(r"[ \t]*(?:\([\w.-]+\)[ \t]*)?[\w.@:~/-]*[$%][ \t]+(?=\S)")
_LINE = re.compile(r"(?:[^\\\n]|\\.|\\\n|\\$)*\n?", re.DOTALL)
"""A line, and those that a backslash at its end continues it with."""
_HERE_DOCUMENT = re.compile(r"<<-?[ \t]*(['\"]?)(?P<end>\w+)\1[^\n]*\n")
_NO_QUERY = re.compile(r"%[0-9A-F]{2}|\$|\w\s*\(\s*\w+\s*:|^\s*(?:query|mutation|select)\b", re.IGNORECASE)
"""What is encoded, has variables of the shell in it, or is in a language of others."""
_EXPANDED = re.compile(r"\$\{?(\w+)")
_LIKE_A_METRIC = 0.85
"""Networks, volumes and databases have names with our prefix, too."""
_LIKE_A_COMMAND = 0.75
_SETTING = "--set"


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a command: what it says without quotes, and its characters."""

    text: str
    piece: Piece


def judge_command_line(piece: Piece, context: Context, surface: Surface) -> None:
    """Report what the commands of *piece* ask for that is not there; what they print or are fed is no command."""
    own = frozenset(_EXPANDED.findall(piece.text))
    for typed in _typed(piece):
        commands, fed = _without_documents(typed)
        for words in (*_commands(commands), [Word("", one) for one in fed]):
            _judge_variables(words, context, surface, own)
        for words in _commands(commands):
            _judge_queries(words, context)
            if surface.root is not None:
                _judge_program(words, surface.root, context)


def judge_words(pieces: list[Piece], context: Context, surface: Surface, *, is_ours: bool = False) -> None:
    """Report what the command *pieces* asks for that is not there; where it *is_ours*, our program is before them."""
    words = [Word(piece.text, piece) for piece in pieces]
    if surface.root is None:
        return
    if is_ours:
        _Walk(context, surface.root, words).run()
    else:
        _judge_program(words, surface.root, context)


def judge_variables(piece: Piece, context: Context, surface: Surface) -> None:
    """Report variables that *piece* sets and nothing reads; those that it expands are somebody's own."""
    _judge_variables([Word(piece.text, piece)], context, surface, frozenset(_EXPANDED.findall(piece.text)))


def is_command(text: str, surface: Surface) -> bool:
    """Whether *text*, which begins with the program's name, goes on as one of its commands does, or nearly so."""
    known = surface.root.commands if surface.root is not None else {}
    return any(word.startswith("-") or did_you_mean(word, known, alike=_LIKE_A_COMMAND) for word in text.split()[1:2])


def _typed(piece: Piece) -> list[Piece]:
    """Return the typed part of *piece*: all of it, or, where lines begin with a prompt, the text after the prompts."""
    lines = [(_PROMPT.match(piece.text, *line.span()), line.end()) for line in _LINE.finditer(piece.text)]
    typed = [piece[prompt.end() : end] for prompt, end in lines if prompt is not None]
    return typed or [piece]


def _without_documents(piece: Piece) -> tuple[Piece, list[Piece]]:
    """Return *piece* without the documents that its commands are fed from it, and these."""
    found: list[tuple[int, int]] = []
    endless: set[str] = set()
    at = 0
    while (begun := _HERE_DOCUMENT.search(piece.text, at)) is not None:
        at, word = begun.end(), begun["end"]
        ended = None if word in endless else re.compile(rf"^[ \t]*{word}[ \t]*$", re.MULTILINE).search(piece.text, at)
        if ended is None:
            endless.add(word)
        else:
            found.append((at, ended.start()))
            at = ended.end()
    return piece.replaced((*span, "") for span in found), [piece[start:end] for start, end in found]


def _commands(piece: Piece) -> Iterator[list[Word]]:
    words: list[Word] = []
    for found in _TOKEN.finditer(piece.text):
        if found.lastgroup == "word":
            words.append(Word(_unquoted(found[0]), piece[found.start() : found.end()]))
        elif found.lastgroup == "end" and words:
            yield words
            words = []
    if words:
        yield words


def _unquoted(text: str) -> str:
    return re.sub(r"'([^']*)'|\"((?:[^\"\\]|\\.)*)\"|\\(.)", lambda found: found[1] or found[2] or found[3] or "", text)


def _judge_variables(words: list[Word], context: Context, surface: Surface, own: frozenset[str]) -> None:
    prefix = context.vocabulary.prefix.upper() + "_"
    for word in words if surface.variables else ():
        for found in re.finditer(rf"\b{prefix}[A-Z0-9_]+", word.piece.text):
            name = found[0]
            if name not in surface.variables | own and not name.startswith(surface.open_variables):
                hint = did_you_mean(name, surface.variables)
                context.report.at(word.piece, found.start(), "ON135", f"nothing reads {name}", hint)


def _judge_queries(words: list[Word], context: Context) -> None:
    programs = {word.text.rpartition("/")[2] for word in words[:3]}
    for word in words:
        if word.text.startswith("query="):
            _judge_query(word, "query=", context)
        elif {"promtool", "query"} <= programs and not word.text.startswith("-") and "://" not in word.text:
            _judge_query(word, "", context)
        elif "logcli" in programs and word.text.startswith("{"):
            judge_logql(_inner(word), context)
        else:
            _judge_names(word, context)


def _judge_query(word: Word, before: str, context: Context) -> None:
    """Judge the query in *word* behind *before*, in the language that it seems to be in."""
    query = _inner(word, before)
    if not is_about_us(query.text, context) or _NO_QUERY.search(query.text):
        return
    if looks_like_logql(query.text):
        judge_logql(query, context)
    else:
        judge_promql(query, context, "document")


def _inner(word: Word, before: str = "") -> Piece:
    """Return the characters of *word* after *before*, without the quotes around them."""
    text = word.piece.text
    start = text.find(before) + len(before)
    end = len(text)
    if text[start : start + 1] in {"'", '"'}:
        start += 1
    return word.piece[start : end - (text[-1] in {"'", '"'})]


def _judge_names(word: Word, context: Context) -> None:
    vocabulary = context.vocabulary
    known = {*vocabulary.series, *vocabulary.metrics}
    for found in re.finditer(rf"(?<![\w./-]){vocabulary.prefix}_[a-z0-9_]+(?![\w./-])", word.piece.text):
        name = found[0]
        if not any(one.startswith(name) for one in known) and (hint := did_you_mean(name, known, alike=_LIKE_A_METRIC)):
            context.report.at(word.piece, found.start(), "ON101", f"there is no metric {name}", hint)


def _judge_program(words: list[Word], root: Command, context: Context) -> None:
    prefix = context.vocabulary.prefix
    for index, word in enumerate(words):
        if word.text == prefix or word.text.endswith(f"bin/{prefix}"):
            _Walk(context, root, words[index + 1 :]).run()
            return
        if word.text == f"{prefix}.cli":
            context.report.at(word.piece, 0, "ON131", f"there is no program {word.text}", f"did you mean {prefix}?")
            return
        if word.text not in _BEFORE and not _ASSIGNMENT.match(word.text) and not _is_wrapped(words, prefix):
            return


def _is_wrapped(words: list[Word], prefix: str) -> bool:
    """Whether the program is run by another, behind ``--``: in a container, for example."""
    texts = [word.text for word in words]
    return any(before == "--" and after == prefix for before, after in pairwise(texts))


class _Walk:
    """Follows the words of one command."""

    def __init__(self, context: Context, root: Command, words: list[Word]) -> None:
        self._context = context
        self._command = root
        self._words = iter(words)
        self._said = context.vocabulary.prefix

    def run(self) -> None:
        for word in self._words:
            if not word.text or word.text == "--":
                return
            if word.text.startswith("-") and word.text != "-":
                if not self._option(word):
                    return
            elif not self._word(word):
                return

    def _word(self, word: Word) -> bool:
        command = self._command
        if word.text in command.commands:
            self._command = command.commands[word.text]
            self._said += f" {word.text}"
            return True
        if command.takes_arguments or _PLACEHOLDER.search(word.text):
            return True
        hint = one_of(command.commands, word.text)
        self._context.report.at(word.piece, 0, "ON131", f"{self._said} has no command {word.text}", hint)
        return False

    def _option(self, word: Word) -> bool:
        name, equals, value = word.text.partition("=")
        if name in {"-h", "--help"}:
            return True
        option = self._command.options.get(name)
        if option is None:
            if not _PLACEHOLDER.search(name):
                hint = one_of(self._command.options, name)
                self._context.report.at(word.piece, 0, "ON132", f"{self._said} has no option {name}", hint)
            return False
        if option.takes_value:
            self._value(name, option, word if equals else next(self._words, None), value if equals else None)
        return True

    def _value(self, name: str, option: Option, word: Word | None, value: str | None) -> None:
        if word is None:
            return
        text = word.text if value is None else value
        if _PLACEHOLDER.search(text):
            return
        at = max(word.piece.text.find(text), 0)
        if option.values and text not in option.values:
            hint = one_of(option.values, text)
            self._context.report.at(word.piece, at, "ON133", f"{name} does not take {text}", hint)
        elif name == _SETTING:
            self._setting(word, at, text)

    def _setting(self, word: Word, at: int, text: str) -> None:
        try:
            configured([text])
        except ConfigError as error:
            message, _, hint = str(error).removeprefix(f"{_SETTING} ").partition("; ")
            self._context.report.at(word.piece, at, "ON134", message, hint)
