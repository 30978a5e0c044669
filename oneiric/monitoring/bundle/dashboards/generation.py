"""The files of the dashboards: made when asked for, since what writes them is an extra."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.dashboards.boards import boards
from oneiric.monitoring.bundle.dashboards.provisioning import provisioning

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig

BUILDER = "grafana_foundation_sdk"
DIRECTORY = "grafana/dashboards"


class MissingExtraError(RuntimeError):
    """What makes a part of the bundle is not installed; the text names the extra."""


def files(config: BundleConfig) -> dict[str, str]:
    """Return the text of each file of this part for *config*, by its path.

    Raises:
        MissingExtraError: Grafana's builder is not installed.
    """
    try:
        from oneiric.monitoring.bundle.dashboards.grafana import dashboard_json  # noqa: PLC0415 - the builder is an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != BUILDER:
            raise
        raise MissingExtraError(
            "dashboards need Grafana's builder, which the extra monitoring brings: "
            "pip install '.[monitoring]' in a clone of Oneiric's repository"
        ) from None
    made = {f"{DIRECTORY}/{board.uid}.json": dashboard_json(board, config) for board in boards(config)}
    return {**made, **provisioning(config)}
