"""The documents of the repository, and the programs and commands that they show."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = [path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if path.is_file()]
FENCE = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
FOLLOWED = ("docs/monitoring/ALERTING_SETUP.md", "docs/monitoring/PROMETHEUS_SETUP.md")
"""The documents whose commands are all run, one after another, by tests/docs/test_guides.py."""
STATE = "docs/state.md"
"""The document whose commands are all run, one after another, by tests/docs/test_state_guide.py."""
REPLICAS = "docs/replicas.md"
"""The document whose commands are all run, one after another, by tests/docs/test_replicas_guide.py."""
COMMANDS = "docs/commands.md"
"""The document whose commands are run on a service, by tests/docs/test_commands_guide.py."""
FIRST_SERVICE = "docs/first-service.md"
"""The document whose commands are all typed, and their outputs compared, by tests/docs/test_first_service.py."""
DOCKER = "docs/deployment/DOCKER_DEPLOYMENT.md"
"""The document whose commands are run by tests/deployment/docker, but for those that need a registry."""
SYSTEMD = "docs/deployment/SYSTEMD_DEPLOYMENT.md"
"""The document whose commands are all typed on a booted machine, by tests/deployment/systemd/test_service.py."""
KUBERNETES = "docs/deployment/KUBERNETES_DEPLOYMENT.md"
"""The document whose commands are run, as far as they go without a cluster, by tests/deployment/kubernetes."""
INCIDENT_RESPONSE = "docs/runbooks/INCIDENT_RESPONSE.md"
"""The document whose commands are typed during each fault, by tests/docs/test_incident_response.py."""
APPLICATIONS = "docs/applications.md"
"""The document whose commands start applications, each of them by tests/docs/test_applications.py."""


def fences(language: str) -> list[tuple[str, str]]:
    """Return the document and the text of each fence in *language*."""
    return [
        (path.relative_to(ROOT).as_posix(), textwrap.dedent(text))
        for path in DOCUMENTS
        for found, text in FENCE.findall(path.read_text(encoding="utf-8"))
        if found == language
    ]
