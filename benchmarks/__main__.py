"""Measure and print the table; see ``--help``."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from benchmarks import (
    crowding,
    exposing,
    lines,
    memory,
    pacing,
    resolving,
    scraping,
    sharing,
    starting,
    statuses,
    swapping,
)
from benchmarks._measure import QUICK, Effort
from benchmarks._report import Result, Row, surroundings, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks._measure import Ratios


class Group(Protocol):
    """A module that measures some rows together."""

    ROWS: tuple[Row, ...]

    def measure(self, effort: Effort) -> Ratios:
        """Return the ratios of every row."""


class Request(NamedTuple):
    """What the command line asks for."""

    names: list[str]
    quick: bool
    as_json: bool
    every: bool


GROUPS = cast(
    "tuple[Group, ...]",
    (resolving, swapping, lines, exposing, crowding, scraping, pacing, memory, sharing, starting, statuses),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for and print it."""
    request = _parse(arguments)
    results = list(_measured(request))
    results.sort(key=lambda result: result.row.at_least is None)
    if request.as_json:
        print(json.dumps({**surroundings(), "rows": [result.as_dict() for result in results]}, indent=2))
        return
    for name, value in surroundings().items():
        print(f"{name}: {value}")
    print()
    print(table(results))


def _parse(arguments: Sequence[str] | None) -> Request:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Print ratios of costs, side by side with the peers; less is better."
    )
    rows = [row for group in GROUPS for row in group.ROWS]
    parser.add_argument("names", nargs="*", metavar="row", help=f"one of: {', '.join(row.name for row in rows)}")
    parser.add_argument("--quick", action="store_true", help="see that it runs; the figures mean nothing")
    parser.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
    parser.add_argument("--judged", dest="every", action="store_false", help="only what has a limit")
    request = Request(**vars(parser.parse_args(arguments)))
    if unknown := set(request.names) - {row.name for row in rows}:
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    return request


def _measured(request: Request) -> Iterator[Result]:
    for group in GROUPS:
        rows = [row for row in group.ROWS if _is_wanted(row, request)]
        if rows:
            ratios = group.measure(QUICK if request.quick else Effort())
            yield from (Result(row, ratios[row.name]) for row in rows)


def _is_wanted(row: Row, request: Request) -> bool:
    if request.names:
        return row.name in request.names
    return request.every or row.at_least is not None


if __name__ == "__main__":
    main()
