"""Findings as text like a compiler's, as JSON, as SARIF 2.1.0, and as commands of GitHub's workflows."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import quote

from oneiric.monitoring.drift.findings.codes import CODES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.monitoring.drift.findings.finding import Finding

Format = Literal["text", "json", "sarif", "github"]
FORMATS: tuple[Format, ...] = get_args(Format)

_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


def formatted(findings: Iterable[Finding], style: Format) -> str:
    """Return *findings* in *style*; "" where there is nothing to say in it."""
    return {"text": as_text, "json": as_json, "sarif": as_sarif, "github": as_github}[style](list(findings))


def as_text(findings: list[Finding]) -> str:
    """Return a line for each of *findings*: ``file:line:column: level code message (hint)``."""
    return "\n".join(
        _clean(f"{one.path}:{one.line}:{one.column}: {one.level} {one.code} {_sentence(one)}".lstrip(":"))
        for one in findings
    )


def _sentence(finding: Finding) -> str:
    return f"{finding.message} ({finding.hint})" if finding.hint else finding.message


def _clean(text: str) -> str:
    """Return *text* with what would move a terminal's cursor, or break the line, escaped."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def as_json(findings: list[Finding]) -> str:
    """Return *findings* as a JSON list of objects."""
    return json.dumps([_record(one) for one in findings], indent=2)


def _record(finding: Finding) -> dict[str, Any]:
    return {
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
        "code": finding.code,
        "level": finding.level,
        "message": finding.message,
        "hint": finding.hint,
    }


def as_sarif(findings: list[Finding]) -> str:
    """Return *findings* as a log of SARIF 2.1.0, with the rules that they broke."""
    codes = sorted({one.code for one in findings})
    driver = {
        "name": "oneiric monitoring check",
        "rules": [_rule(code) for code in codes],
    }
    results = [_result(one, codes.index(one.code)) for one in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(code: str) -> dict[str, Any]:
    known = CODES[code]
    return {
        "id": code,
        "shortDescription": {"text": known.title},
        "fullDescription": {"text": f"{known.title}: {known.why}."},
        "defaultConfiguration": {"level": known.level},
    }


def _from_root(path: str) -> str:
    """Return *path* from the root of the repository around the current directory, as hosts of code name files."""
    here = Path.cwd()
    root = next((parent for parent in (here, *here.parents) if (parent / ".git").exists()), here)
    absolute = Path(os.path.normpath(here / path))
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else absolute.as_posix()


def _uri(path: str) -> str:
    if _is_url(path):
        return path
    shown = _from_root(path)
    return ("file://" if shown.startswith("/") else "") + quote(shown, safe="/")


def _is_url(path: str) -> bool:
    return "://" in path


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    region = {"startLine": finding.line, "startColumn": finding.column}
    result = {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": finding.level,
        "message": {"text": _sentence(finding)},
    }
    if finding.path:
        result["locations"] = [
            {"physicalLocation": {"artifactLocation": {"uri": _uri(finding.path)}, "region": region}}
        ]
    return result


def as_github(findings: list[Finding]) -> str:
    """Return *findings* as commands that annotate a change: ``::error file=F,line=L,col=C,title=T::message``."""
    return "\n".join(_command(one) for one in findings)


def _command(finding: Finding) -> str:
    place, sentence = f"title={finding.code}", _sentence(finding)
    if finding.path and not _is_url(finding.path):
        file = _property(_from_root(finding.path))
        place = f"file={file},line={finding.line},col={finding.column},{place}"
    elif finding.path:
        sentence = f"{finding.path}: {sentence}"
    data = sentence.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    command = {"note": "notice"}.get(finding.level, finding.level)
    return f"::{command} {place}::{_clean(data)}"


def _property(text: str) -> str:
    for character, escape in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
        text = text.replace(character, escape)
    return text
