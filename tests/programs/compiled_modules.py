"""Print as JSON how the modules of the environment are compiled: how many with an unchecked hash, and which not."""

import json
import sys
from importlib.util import cache_from_source
from pathlib import Path

UNCHECKED = 1
"""The flags of byte code with the hash of its source that is not compared, PEP 552."""


def main() -> None:
    """Look at every module that compiles."""
    missing, other, unchecked = [], [], 0
    for source in Path("/opt/oneiric/lib").rglob("*.py"):
        compiled = Path(cache_from_source(str(source)))
        if not compiled.exists():
            missing.append(str(source))
        elif int.from_bytes(compiled.read_bytes()[4:8], "little") == UNCHECKED:
            unchecked += 1
        else:
            other.append(str(source))
    json.dump({"missing": missing, "other": other, "unchecked": unchecked}, sys.stdout)


if __name__ == "__main__":
    main()
