"""What Alertmanager sends, and through which services: receivers, their secrets in files, and the texts of notices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oneiric.monitoring.bundle.output import NOTICE

if TYPE_CHECKING:
    from oneiric.monitoring.config import BundleConfig, Team

DEADMAN, RECORD, ESCALATION = "deadman", "record", "escalation"
"""Receivers that are no team's: of the dead-man's switch, of everything, and of what nobody answered in time."""
LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}
TITLE, TEXT = '{{ template "oneiric.title" . }}', '{{ template "oneiric.text" . }}'


def services(config: BundleConfig) -> dict[str, Any]:
    """Return how PagerDuty and the mail server are reached, for every receiver."""
    host = config.smtp_host.rpartition(":")[0]
    login = {
        "smtp_auth_username": config.smtp_username,
        "smtp_auth_password_file": f"{config.secrets_dir}/smtp-password",
    }
    return {
        "resolve_timeout": "5m",
        "pagerduty_url": config.pagerduty_url,
        "smtp_smarthost": config.smtp_host,
        "smtp_from": config.email_from,
        # The mail server of the machine itself has no certificate that anybody would accept.
        "smtp_require_tls": host not in LOOPBACK,
        **(login if config.smtp_username else {}),
    }


def receivers_of_all(config: BundleConfig) -> list[dict[str, Any]]:
    """Return the receivers that are no team's."""
    token = {"http_config": {"authorization": {"credentials_file": config.webhook_token_file}}}
    access = token if config.webhook_token_file else {}
    watched = (
        {"url_file": config.deadman_url_file}
        if config.deadman_url_file
        else {"url": f"{config.webhook_url}/{DEADMAN}", **access}
    )
    record = {"url": f"{config.webhook_url}/{RECORD}", **access, "send_resolved": True}
    return [
        # A dead-man's switch that resolves would say that all is well.
        {"name": DEADMAN, "webhook_configs": [{**watched, "send_resolved": False}]},
        {"name": RECORD, "webhook_configs": [record]},
    ]


def receivers_of_team(config: BundleConfig, team: Team) -> list[dict[str, Any]]:
    """Return the receivers of *team*: its pager, its escalation, its channel and its mailbox."""
    chat = {
        # An incoming webhook of Slack writes to the one channel that it was made for.
        "api_url_file": f"{config.secrets_dir}/slack-{team}",
        "title": TITLE,
        "title_link": "{{ (index .Alerts 0).Annotations.runbook_url }}",
        "text": TEXT,
        "send_resolved": True,
    }
    return [
        {"name": f"pager-{team}", "pagerduty_configs": [_page(config, team)], "slack_configs": [chat]},
        {
            "name": f"{ESCALATION}-{team}",
            "email_configs": [_mail(config, f"{team}-lead")],
            # The key of the team's own service would call those again who have not answered.
            "pagerduty_configs": [_page(config, ESCALATION)],
        },
        {"name": f"chat-{team}", "slack_configs": [chat]},
        {"name": f"mail-{team}", "email_configs": [_mail(config, team)]},
    ]


def _page(config: BundleConfig, service: str) -> dict[str, Any]:
    return {
        "routing_key_file": f"{config.secrets_dir}/pagerduty-{service}",
        "description": TITLE,
        "details": {"text": TEXT},
        "severity": "critical",
        "send_resolved": True,
    }


def _mail(config: BundleConfig, name: str) -> dict[str, Any]:
    return {
        "to": f"{name}@{config.email_domain}",
        "headers": {"Subject": TITLE},
        "text": TEXT,
        "html": "",
        "send_resolved": True,
    }


TEMPLATES = (
    "{{/* " + NOTICE.removeprefix("# ").strip() + " */}}\n"
    """{{ define "oneiric.title" -}}
[{{ .Status | toUpper }}{{ if eq .Status "firing" }} {{ .Alerts.Firing | len }}{{ end }}] {{ .GroupLabels.alertname -}}
{{ with .CommonLabels.severity }} ({{ . }}){{ end }}
{{- end }}

{{ define "oneiric.text" -}}
{{ range .Alerts -}}
{{ .Annotations.summary }}
{{ .Annotations.description }}
{{ if eq .Status "firing" }}Since: {{ .StartsAt.UTC.Format "2006-01-02 15:04:05 MST" }}{{ else -}}
Resolved: {{ .EndsAt.UTC.Format "2006-01-02 15:04:05 MST" }}{{ end }}
Runbook: {{ with .Annotations.runbook_url }}{{ . }}{{ else }}{{ .Annotations.runbook }}{{ end }}
Dashboard: {{ .Annotations.dashboard_url }}
{{ end -}}
{{- end }}
"""
)
