"""The runbooks of incidents: data of which the page is made, and which a test follows against the fault."""

from oneiric.monitoring.bundle.incidents.incidents import INCIDENTS
from oneiric.monitoring.bundle.incidents.model import Action, Incident, Remedy
from oneiric.monitoring.bundle.incidents.page import anchor, incident_page

__all__ = ["INCIDENTS", "Action", "Incident", "Remedy", "anchor", "incident_page"]
