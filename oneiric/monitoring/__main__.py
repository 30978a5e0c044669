"""Write every file of the repository that is generated: ``python -m oneiric.monitoring``."""

from __future__ import annotations

from pathlib import Path

from oneiric.monitoring.generated import generated_files


def main(root: Path) -> None:
    """Write the generated files below the repository's *root*."""
    for path, text in generated_files(root).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(__file__).parents[2])
