"""Documents judged: rules, dashboards, routes, pipelines, pages, a running server."""

from oneiric.monitoring.drift.documents.alerts import Targets, judge_alert
from oneiric.monitoring.drift.documents.commands import UNKNOWN_SURFACE, Command, Option, Surface
from oneiric.monitoring.drift.documents.complete import judge_usage
from oneiric.monitoring.drift.documents.dashboards import judge_dashboard, judge_uid
from oneiric.monitoring.drift.documents.deployments import judge_deployment
from oneiric.monitoring.drift.documents.document import Document
from oneiric.monitoring.drift.documents.files import read_again
from oneiric.monitoring.drift.documents.live import judge_live
from oneiric.monitoring.drift.documents.markdown import judge_markdown
from oneiric.monitoring.drift.documents.openslo import judge_openslo
from oneiric.monitoring.drift.documents.routes import Notice, judge_alertmanager, notice_of
from oneiric.monitoring.drift.documents.rulebook import RuleBook
from oneiric.monitoring.drift.documents.rules import judge_record, read_rules
from oneiric.monitoring.drift.documents.shipped import shipped_rules
from oneiric.monitoring.drift.documents.shippers import judge_alloy, judge_promtail
from oneiric.monitoring.drift.documents.survey import Survey
from oneiric.monitoring.drift.documents.validators import Validators

__all__ = [
    "UNKNOWN_SURFACE",
    "Command",
    "Document",
    "Notice",
    "Option",
    "RuleBook",
    "Surface",
    "Survey",
    "Targets",
    "Validators",
    "judge_alert",
    "judge_alertmanager",
    "judge_alloy",
    "judge_dashboard",
    "judge_deployment",
    "judge_live",
    "judge_markdown",
    "judge_openslo",
    "judge_promtail",
    "judge_record",
    "judge_uid",
    "judge_usage",
    "notice_of",
    "read_again",
    "read_rules",
    "shipped_rules",
]
