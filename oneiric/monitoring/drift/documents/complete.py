"""The other direction: that every signal of the catalogue is used somewhere, or marked as not."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric.monitoring.notation.text import Place
from oneiric.observability import catalogue

if TYPE_CHECKING:
    from oneiric.monitoring.drift.queries import Context


def judge_usage(context: Context) -> None:
    """Report signals that no query asks for without a reason, and reasons for signals that are asked for."""
    used, unused = context.usage.metrics | context.usage.log_events, context.vocabulary.catalogue.unused
    for code, what, names in (
        ("ON701", "metric", frozenset(context.vocabulary.metrics)),
        ("ON702", "log event", context.vocabulary.log_names),
    ):
        for name in sorted(names - used - unused.keys()):
            hint = "use it, or say why not: unused= in its entry of the catalogue"
            context.report.add(_defined(name), code, f"nothing asks for the {what} {name}", hint)
    for name in sorted(unused.keys() & used):
        context.report.add(_defined(name), "ON703", f"{name} is used, and the catalogue says it is not: unused=")


def _defined(name: str) -> Place:
    """Return where the catalogue defines *name*."""
    path = Path(catalogue.__file__)
    for number, line in enumerate(_lines(), 1):
        if (column := line.find(f'"{name}"')) >= 0:
            return Place(_shown(path), number, column + 2)
    return Place(_shown(path), 1, 1)


@cache
def _lines() -> tuple[str, ...]:
    try:
        return tuple(Path(catalogue.__file__).read_text(encoding="utf-8").splitlines())
    except OSError:  # compiled only
        return ()


def _shown(path: Path) -> str:
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()
