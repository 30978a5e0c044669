"""Files that say how the service is deployed: what they start, and in which environment, is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric.monitoring.drift.documents.instructions import judge_dockerfile, judge_unit
from oneiric.monitoring.drift.documents.workloads import judge_compose, judge_workload

if TYPE_CHECKING:
    from oneiric.monitoring.drift.documents.commands import Surface
    from oneiric.monitoring.drift.documents.document import Document
    from oneiric.monitoring.drift.queries import Context


def judge_deployment(document: Document, context: Context, surface: Surface) -> None:
    """Report commands, options, variables and queries of *document* that are not there."""
    match document.kind:
        case "workload":
            judge_workload(document.node, context, surface)
        case "compose":
            judge_compose(document.node, context, surface)
        case "dockerfile":
            judge_dockerfile(document.piece, context, surface)
        case "unit":
            judge_unit(document.piece, context, surface)
