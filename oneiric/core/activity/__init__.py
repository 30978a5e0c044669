"""Which components are paused or draining, kept across restarts."""

from oneiric.core.activity.advice import ActivityStoreError
from oneiric.core.activity.contract import Activities, ActivityStore
from oneiric.core.activity.kept import (
    Account,
    Kept,
    NothingToDecideError,
    Suspicion,
    contradiction,
    held,
    make_rows,
    merged,
    new_identity,
    newer,
    recovered,
    repaired,
    suspicion_as_json,
    suspicion_from_json,
    updated,
    updated_record,
)
from oneiric.core.activity.memory import (
    MAX_NOTE_CHARS,
    DomainActivity,
    MemoryActivityStore,
    Row,
    Rows,
    transitions,
)
from oneiric.core.activity.records import MAX_DOCUMENT_BYTES, MAX_RECORD_BYTES, MAX_RECORDS, Records, make_records
from oneiric.core.activity.store import MAX_BUSY_TIMEOUT, DomainActivityStore
from oneiric.core.activity.witness import Witness

__all__ = [
    "MAX_BUSY_TIMEOUT",
    "MAX_DOCUMENT_BYTES",
    "MAX_NOTE_CHARS",
    "MAX_RECORDS",
    "MAX_RECORD_BYTES",
    "Account",
    "Activities",
    "ActivityStore",
    "ActivityStoreError",
    "DomainActivity",
    "DomainActivityStore",
    "Kept",
    "MemoryActivityStore",
    "NothingToDecideError",
    "Records",
    "Row",
    "Rows",
    "Suspicion",
    "Witness",
    "contradiction",
    "held",
    "make_records",
    "make_rows",
    "merged",
    "new_identity",
    "newer",
    "recovered",
    "repaired",
    "suspicion_as_json",
    "suspicion_from_json",
    "transitions",
    "updated",
    "updated_record",
]
