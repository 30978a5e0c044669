"""What the runbook of an incident is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.core.events import Event
    from oneiric.observability.model import Phase


@dataclass(frozen=True, slots=True)
class Action:
    """One step: a sentence, what is typed, and what that shows.

    Attributes:
        text: The sentence.
        command: What is typed in a shell, or "".
        shows: What it prints during the incident: a line ``...`` stands for any lines, ``<words>`` for what differs.
        exit_code: How it ends.
        event: The log event that the command looks for, and the phase of an operation; the query for Loki follows.
        then: What the result may be, and where that leads.
        undo: How it is undone, for a step that changes something; "" where it changes nothing.
    """

    text: str
    command: str = ""
    shows: str = ""
    exit_code: int = 0
    event: tuple[type[Event], Phase | None] | None = None
    then: tuple[tuple[str, str], ...] = ()
    undo: str = ""


@dataclass(frozen=True, slots=True)
class Remedy:
    """A way to resolve the incident.

    Attributes:
        when: What was found.
        steps: What to do, in order.
    """

    when: str
    steps: tuple[Action, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The runbook of an incident.

    Attributes:
        title: Its heading.
        alerts: Names of the alerts that tell of it.
        scenario: The drill that brings it about.
        impact: What users notice.
        variables: Names that the commands use, each with its value in the example.
        first: The first five minutes: mitigation.
        diagnosis: Steps that change nothing.
        remedies: How it is resolved, by cause.
        verification: How to see that it is over.
        minutes: After which it is escalated.
        record: What to write down.
        prevention: How it is kept from coming back.
    """

    title: str
    alerts: tuple[str, ...]
    scenario: str
    impact: str
    variables: Mapping[str, str] = field(default_factory=dict)
    first: tuple[Action, ...]
    diagnosis: tuple[Action, ...]
    remedies: tuple[Remedy, ...]
    verification: tuple[Action, ...]
    minutes: int
    record: tuple[str, ...]
    prevention: tuple[str, ...]
