"""The runbooks of the incidents, in the order in which the page has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.bundle.incidents.lifecycle import RESOLUTION, SWAPS
from oneiric.monitoring.bundle.incidents.remote import CACHE, SYNCHRONISATION

if TYPE_CHECKING:
    from oneiric.monitoring.bundle.incidents.model import Incident

INCIDENTS: tuple[Incident, ...] = (RESOLUTION, SWAPS, SYNCHRONISATION, CACHE)
