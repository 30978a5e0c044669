"""kubectl without a cluster: renders for real, and of every other command holds words, flags and files to be right."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import yaml

KUBECTL = str(Path(sys.executable).with_name("kubectl"))


def refuse(why: str) -> None:
    """End as a command that failed."""
    sys.exit(f"kubectl {' '.join(sys.argv[1:])}: {why}")


def known(words: list[str]) -> None:
    """Have kubectl itself read *words*, by asking for their help."""
    end = words.index("--") if "--" in words else len(words)
    asked = [*words[:end], "--help", *words[end:]]
    done = subprocess.run([KUBECTL, *asked], capture_output=True, text=True, check=False)
    usage = re.findall(r"Usage:\n +(.+)", done.stdout)
    if done.returncode or not usage or "SUBCOMMAND" in usage[-1]:
        refuse(done.stderr.strip() or "no such command")


def named(words: list[str], option: str) -> list[str]:
    """Return what *option* names among *words*."""
    return [value for name, value in pairwise(words) if name == option]


def main(words: list[str]) -> None:
    """Do what can be done of the command *words*."""
    if words[0] == "kustomize":
        sys.exit(subprocess.run([KUBECTL, *words], check=False).returncode)
    known(words)
    for directory in named(words, "-k"):
        subprocess.run([KUBECTL, "kustomize", directory], stdout=subprocess.DEVNULL, check=True)
    for name in named(words, "-f"):
        path = Path(name)
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            if not all(found["kind"] for found in yaml.safe_load_all(file.read_text(encoding="utf-8"))):
                refuse(f"{file} has no objects")


if __name__ == "__main__":
    main(sys.argv[1:])
