"""helm without a cluster: renders charts by Helm's library, and knows the commands and options of the guide only."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml
from helm_python import Chart

OPTIONS = argparse.ArgumentParser(prog="helm", allow_abbrev=False)
COMMANDS = OPTIONS.add_subparsers(dest="command", required=True)


def command(name: str, *arguments: str) -> argparse.ArgumentParser:
    """Add a command with *arguments* and the namespace."""
    parser = COMMANDS.add_parser(name, allow_abbrev=False)
    for argument in arguments:
        parser.add_argument(argument)
    parser.add_argument("--namespace", required=True)
    return parser


def main(words: list[str]) -> None:
    """Render what is rendered, and print it."""
    for name in ("template", "upgrade"):
        command(name, "release", "chart").add_argument("--values")
    COMMANDS.choices["upgrade"].add_argument("--install", action="store_true")
    for name in ("test", "history", "rollback"):
        command(name, "release")
    given = OPTIONS.parse_args(words)
    if "chart" not in given:
        return
    values = yaml.safe_load(Path(given.values).read_text(encoding="utf-8")) if given.values else {}
    made = Chart.load(given.chart).render(values, name=given.release, namespace=given.namespace)
    for path, text in made.items():
        if text.strip() and not path.endswith(".txt"):
            sys.stdout.write(f"---\n{text}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
