"""What promtool and amtool say of the files that their servers load; their words become findings."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from oneiric.monitoring.drift.documents.rules import groups_of
from oneiric.monitoring.drift.queries import is_open
from oneiric.monitoring.notation.plain import written
from oneiric.monitoring.notation.text import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oneiric.monitoring.drift.findings import Level, Report
    from oneiric.monitoring.notation.nodes import Node

Asked = Literal["rules", "prometheus", "alertmanager"]

TIMEOUT_SECONDS = 60.0
"""A program has so long for the files that it is given at once."""

MAX_OUTPUT_BYTES = 1_000_000
"""So much of what it says is read."""

MAX_MESSAGE = 500
_AT_ONCE = 50
_COMMANDS: dict[Asked, tuple[str, ...]] = {
    "rules": ("promtool", "check", "rules", "--lint=none"),
    "prometheus": ("promtool", "check", "config", "--syntax-only"),
    "alertmanager": ("amtool", "check-config"),
}
_NAMES: dict[Asked, str] = {
    "rules": "rule file",
    "prometheus": "Prometheus configuration",
    "alertmanager": "Alertmanager configuration",
}
_FOREIGN_GROUP = frozenset(
    {
        *(
            "type",
            "eval_offset",
            "eval_delay",
            "eval_alignment",
            "concurrency",
            "notifier_headers",
            "headers",
            "params",
        ),
        *("tenant", "extra_filter_labels", "partial_response_strategy", "source_tenants", "remote_write"),
        *("evaluation_delay", "align_evaluation_time_on_interval"),
    }
)
"""Keys of groups that vmalert, Thanos, Mimir and Loki read, and Prometheus does not."""
_FOREIGN_JOB = frozenset({"stream_parse", "no_stale_markers", "series_limit", "scrape_align_interval", "scrape_offset"})
"""Keys of jobs that vmagent reads, and Prometheus does not."""
_OWN_CODES = frozenset({"ON003", "ON007", "ON011", "ON012", "ON409", "ON501", "ON508"})
"""Findings that say already, at the same line, what the programs say."""
_LATER = re.compile(
    r"unknown function with name|experimental function|field (?:query_offset|labels|keep_firing_for|limit|runtime|otlp"
    r"|keep_dropped_targets|scrape_\w+|body_size_limit|\w+_limit|enable_compression|metric_name_\w+|always_scrape_\w+"
    r"|convert_classic_\w+|fallback_\w+) not found"
)
"""What another version of the server may read."""
_DISCOVERIES = (
    "azure consul digitalocean docker dockerswarm dns ec2 eureka gce hetzner http ionos kubernetes kuma lightsail"
    " linode marathon nerve nomad openstack ovhcloud puppetdb scaleway serverset stackit triton uyuni vultr"
)
_LEFT_OUT = re.compile(rf"field (?:{_DISCOVERIES.replace(' ', '|')})_sd_configs not found")
"""What distributions build promtool without: it says nothing of the file."""
_CHECKING = re.compile(r"Checking '?(?P<path>.+?)'?(?:\s+(?:SUCCESS|FAILED)\b.*)?$")
_LINE = re.compile(r"^(?:line )?(\d+)(?::\d+)?: (.*)$")
_PATTERN = re.compile(r"`\^\(\?:(.*)\)\$`")
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)+)\"")


@dataclass(frozen=True, slots=True)
class _File:
    """A document as a program is given it: the file that it is from, and of each line the line there."""

    path: str
    copy: Path
    lines: Sequence[int]

    def place(self, line: int) -> Place:
        """Return where *line* of the copy is in the file."""
        return Place(self.path, self.lines[min(max(line, 1), len(self.lines)) - 1], 1)


@dataclass
class Validators:
    """Gathers documents, each as a small copy, and has the programs read them."""

    _files: dict[Asked, list[_File]] = field(default_factory=dict)
    _directory: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._directory is not None:
            self._directory.cleanup()

    def take(self, asked: Asked, node: Node) -> None:
        """Take the document *node*, unless it is a template, or one for a server that reads more."""
        if _is_foreign(asked, node):
            return
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="oneiric-check-")
        files = self._files.setdefault(asked, [])
        texts, lines = written(node if asked != "rules" else groups_of(node), key="groups" if asked == "rules" else "")
        copy = Path(self._directory.name) / f"{asked}-{len(files)}.yml"
        copy.write_text("\n".join(texts), encoding="utf-8", errors="replace")
        files.append(_File(node.text.source.path, copy, lines))

    def run(self, report: Report) -> tuple[str, ...]:
        """Have the programs read what was taken, and report what they refuse; return what they were not asked."""
        notices = []
        for asked, files in self._files.items():
            program, *_ = _COMMANDS[asked]
            number = f"{len(files)} {_NAMES[asked]}{'' if len(files) == 1 else 's'}"
            if shutil.which(program) is None:
                notices.append(f"{number} not validated: {program} is not on the path")
                continue
            for start in range(0, len(files), _AT_ONCE):
                if why := _ask(asked, files[start : start + _AT_ONCE], report):
                    notices.append(f"{number} not validated: {program} {why}")
                    break
        return tuple(notices)


def _is_foreign(asked: Asked, node: Node) -> bool:
    if asked == "rules":
        groups = groups_of(node).items
        keys = {key.text.text for group in groups for key, _ in group.pairs}
        return bool(keys & _FOREIGN_GROUP or node.get("namespace")) or any(_is_left_open(one) for one in groups)
    if asked == "prometheus":
        jobs = node.get("scrape_configs").items
        return any(key.text.text in _FOREIGN_JOB for job in jobs for key, _ in job.pairs) or _is_left_open(node)
    return _is_left_open(node)


def _is_left_open(node: Node) -> bool:
    """Whether a value of *node* is left to a reader or to a template; ``{{`` is also how notices are written."""
    texts = (one.text.text for one in node.walk() if one.kind == "string")
    return any(is_open(text.replace("{{", "")) or _VARIABLE.search(text) is not None for text in texts)


_VARIABLE = re.compile(r"\$\{[A-Za-z_]|\{\{-?\s*\.?(?:Values|Release|Chart)\b")


def _ask(asked: Asked, files: Sequence[_File], report: Report) -> str:
    """Report what the program refuses of *files*; return why it could not be asked, or ""."""
    command = [*_COMMANDS[asked], *(file.copy.name for file in files)]
    if asked == "prometheus":  # takes one file a time
        return next(
            (why for file in files if (why := _read(asked, [*command[:4], file.copy.name], [file], report))), ""
        )
    return _read(asked, command, files, report)


def _read(asked: Asked, command: Sequence[str], files: Sequence[_File], report: Report) -> str:
    with tempfile.TemporaryFile() as output:
        try:
            subprocess.run(  # noqa: S603 - the command is ours, and the names of the files are, too
                command,
                cwd=files[0].copy.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"took longer than {TIMEOUT_SECONDS:g} s"
        except OSError as error:
            return f"cannot be run: {error.strerror}"
        output.seek(0)
        said = output.read(MAX_OUTPUT_BYTES).decode("utf-8", "replace")
    by_name = {file.copy.name: file for file in files}
    own = [one for one in report if one.code in _OWN_CODES]
    reported = {(one.path, line) for one in own for line in (one.line - 1, one.line)}  # a query can begin below its key
    code = "ON014" if asked == "alertmanager" else "ON013"
    for file, message in _messages(said, by_name):
        place, words = _placed(file, message)
        if (place.path, place.line) not in reported and not _LEFT_OUT.search(words):
            level: Level | None = "note" if _LATER.search(words) else None
            report.add(place, code, f"{command[0]}: {words[:MAX_MESSAGE]}", level=level)
    return ""


def _messages(said: str, files: dict[str, _File]) -> Iterator[tuple[_File, str]]:
    """Give the messages *said* of each file: the lines after FAILED."""
    file: _File | None = None
    is_failed = False
    for line in said.splitlines():
        if (checking := _CHECKING.match(line.strip())) is not None and checking["path"] in files:
            file, is_failed = files[checking["path"]], False
        is_beginning = "FAILED:" in line
        is_failed = is_failed or is_beginning
        if file is not None and is_failed and (is_beginning or checking is None):
            text = _without_name(line.rpartition("FAILED:")[2].strip(), file.copy.name)
            if text and text != "yaml: unmarshal errors:" and not text.startswith("amtool: "):
                yield file, text


def _without_name(text: str, name: str) -> str:
    return text.removeprefix(f"parsing YAML file {name}: ").removeprefix(f"{name}: ")


def _placed(file: _File, message: str) -> tuple[Place, str]:
    """Return where in the file *message* is about, and its words without the line."""
    words = message.removeprefix("yaml: ")
    if (found := _LINE.match(words)) is not None and int(found[1]) > 0:
        return file.place(int(found[1])), found[2]
    words = re.sub(r"^0:0: ", "", words)
    texts = file.copy.read_text(encoding="utf-8").splitlines()
    patterns = [f"~{quote}{found}" for found in _PATTERN.findall(words) for quote in ("", '\\"')]
    for wanted in (*(f'"{one}"' for one in reversed(_QUOTED.findall(words))), *patterns):
        lines = [number for number, text in enumerate(texts, 1) if wanted in text]
        if lines:
            return file.place(lines[-1 if "repeated" in words else 0]), words
    return file.place(1), words
