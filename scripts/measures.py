"""Print how large the rooms of the package are, and what goes round in circles among them.

python scripts/measures.py            # the table
python scripts/measures.py --check    # also fail where a measure with a limit is beyond it
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import grimp

ROOT = Path(__file__).parents[1]
PACKAGE = "oneiric"
LISTS = ("core/events.py", "observability/catalogue.py", "monitoring/bundle/dashboards/boards/")
"""What is a list in the form of code, of events, metrics or panels, which is as long as it has entries."""
LAYERS = "Imports point one way"
"""The contract in pyproject.toml that says which package stands above which."""


class Measure(NamedTuple):
    """A figure, where it was found, and the most that it may be, if anything."""

    name: str
    value: int
    place: str
    most: int | None = None

    @property
    def is_kept(self) -> bool:
        """Whether the figure is within its limit."""
        return self.most is None or self.value <= self.most


def measures() -> list[Measure]:
    """Return every measure of the package."""
    files = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / PACKAGE).rglob("*.py"))}
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True)
    folder, in_folder = Counter(str(path.parent.relative_to(ROOT)) for path in files).most_common(1)[0]
    code = {path: text for path, text in files.items() if not _is_list(path)}
    longest = max(code, key=lambda path: len(code[path].splitlines()))
    lines, function = max(found for path, text in code.items() for found in _functions(path, text))
    circles, up = _circles(graph), _upward(graph)
    every = {path: len(text.splitlines()) for path, text in files.items()}
    monitoring = ROOT / PACKAGE / "monitoring"
    return [
        Measure("files in one folder", in_folder, folder, 25),
        Measure("lines of a file", len(code[longest].splitlines()), str(longest.relative_to(ROOT)), 300),
        Measure("lines of a function body", lines, function, 40),
        Measure("imports that close a circle", len(circles), ", ".join(circles), 0),
        Measure("imports from a lower layer", len(up), ", ".join(up), 0),
        Measure("lines in all", sum(every.values()), PACKAGE),
        Measure("lines of monitoring", sum(n for path, n in every.items() if monitoring in path.parents), "monitoring"),
    ]


def _is_list(path: Path) -> bool:
    return path.relative_to(ROOT / PACKAGE).as_posix().startswith(LISTS)


def _functions(path: Path, text: str) -> list[tuple[int, str]]:
    """Return the lines of each function's body, without its signature and docstring, and where it stands."""
    return [
        (_lines_of(node), f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def _lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) and len(function.body) > 1 else function.body
    return (body[-1].end_lineno or body[-1].lineno) - body[0].lineno + 1


def _circles(graph: grimp.ImportGraph) -> list[str]:
    """Return imports without which no package would have a circle among what is in it."""
    packages = [module for module in graph.modules if graph.find_children(module)]
    found = {breaker for package in packages for breaker in graph.nominate_cycle_breakers(package)}
    return sorted(f"{importer} -> {imported}" for importer, imported in found)


def _upward(graph: grimp.ImportGraph) -> list[str]:
    """Return imports of a layer by one below it."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["name"] == LAYERS)
    level = {name.strip(): number for number, names in enumerate(layers) for name in names.split("|")}

    def level_of(module: str) -> int | None:
        return level.get(".".join(module.split(".")[:2]))

    return sorted(
        f"{importer} -> {imported}"
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
        if (low := level_of(importer)) is not None and (high := level_of(imported)) is not None and high < low
    )


def main() -> int:
    """Print the table; return 1 with --check where a limit is passed."""
    found = measures()
    for measure in found:
        limit = "" if measure.most is None else f"<= {measure.most}"
        mark = " " if measure.is_kept else "!"
        print(f"{mark} {measure.name:28} {measure.value:>7,} {limit:>7}  {measure.place}")
    return int("--check" in sys.argv[1:] and not all(measure.is_kept for measure in found))


if __name__ == "__main__":
    sys.exit(main())
