"""What is worth one line a process: variables that set nothing, and settings that nothing reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel

from oneiric.core.names import DOMAINS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SHARED_CACHE = "the sources of one runtime share one cache, which `cache_dir` and `remote` describe"

NOT_READ: dict[str, str] = {
    "config_dir": "settings files are found as described above",
    "app.debug": "set `logging.level` instead",
    **{f"{domain}s.options": "set `provider_settings` of the provider instead" for domain in DOMAINS},
    **{
        f"remotes.*.{field}": _SHARED_CACHE
        for field in ("cache_dir", "cache_max_age", "cache_scan_interval", "cache_high_ratio")
    },
    "profile.inline_manifest_only": "switch remote sources off with `remote_enabled`",
    "runtime_paths.workflow_checkpoints_enabled": "workflows keep no checkpoints in this release",
    "runtime_paths.workflow_checkpoints_path": "workflows keep no checkpoints in this release",
}
"""Settings that are accepted and nothing in the package reads, ``*`` standing for any name; and what to do instead."""

TEXTS = {
    "unread": "nothing reads these settings, see docs/settings.md for each: {}",
    "unknown": "these environment variables are no settings and are ignored: {}",
}
"""What a warning says of each kind of note; the subjects stand for ``{}``."""


class Note(NamedTuple):
    """Something that whoever made the settings should know: its kind, a key of TEXTS, and what it is about."""

    kind: str
    subject: str


def unread_settings(settings: BaseModel) -> Iterator[str]:
    """Yield each setting that was set in *settings* although nothing reads it."""
    for key in NOT_READ:
        yield from _set_keys(settings, key.split("."), ())


def _set_keys(value: Any, path: Sequence[str], at: tuple[str, ...]) -> Iterator[str]:
    if not path:
        yield ".".join(at)
    elif isinstance(value, BaseModel):
        if path[0] in value.model_fields_set:
            yield from _set_keys(getattr(value, path[0]), path[1:], (*at, path[0]))
    elif isinstance(value, dict) and path[0] == "*":
        for name, inner in value.items():
            yield from _set_keys(inner, path[1:], (*at, name))
