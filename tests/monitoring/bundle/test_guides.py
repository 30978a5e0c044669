"""The tables of the guides, which are made of the settings, the alerts and the routes."""

from __future__ import annotations

import pytest

from oneiric.monitoring.bundle.alertmanager import TEAMS
from oneiric.monitoring.bundle.alerts import alerts
from oneiric.monitoring.bundle.guides import END, begin, with_tables
from oneiric.monitoring.config import BundleConfig

ROWS = {"routes": len(alerts(BundleConfig())), "escalation": len(TEAMS), "settings": len(BundleConfig.model_fields)}


@pytest.mark.parametrize("name", ROWS)
def test_a_table_has_a_row_for_each(name: str) -> None:
    """A table has a line for every alert, team or setting, in place of what stood there; the rest stays."""
    made = with_tables(f"before\n{begin(name)}\nold\n{END}\nafter", BundleConfig())
    lines = [line for line in made.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + ROWS[name]
    assert made.startswith("before\n")
    assert made.endswith("\nafter")
    assert "old" not in made.splitlines()


def test_a_mark_without_its_end_is_an_error() -> None:
    """Text after a mark whose end is missing is never thrown away."""
    with pytest.raises(ValueError, match="'routes' has no end"):
        with_tables(f"{begin('routes')}\nthe rest of the guide", BundleConfig())
