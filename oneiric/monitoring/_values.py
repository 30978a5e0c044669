"""What the texts among the settings of the bundle must look like."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from oneiric.observability.catalogue import RESOLUTION_DURATION, SWAP_DURATION

LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_NAME = re.compile(r"[A-Za-z0-9][\w./:-]{0,127}")
_TARGET = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[\w.-]+):(\d{1,5})")
_PATH = re.compile(r"[\w./-]{1,200}")
_PATTERN = re.compile(r"/[\w./*-]{1,199}")
_UNIT = re.compile(r"[\w@.-]{1,120}\.service")
_CHANNEL = re.compile(r"#[a-z0-9_-]{0,59}")
_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w.-]{1,128}")
_MAX_PORT = 65_535


def checked_name(text: str) -> str:
    """Return *text*; ValueError unless it can stand in a label, a file and a query as it is."""
    if not _NAME.fullmatch(text):
        raise ValueError("must begin with a letter or digit, and have letters, digits and ./:_- only, at most 128")
    return text


def checked_matchers(matchers: dict[str, str]) -> dict[str, str]:
    """Return *matchers*; ValueError for a name that is no label's, or a value that would need escapes."""
    for name, value in matchers.items():
        if not LABEL_NAME.fullmatch(name) or name in {"job", "instance"} or name.startswith("__"):
            raise ValueError(f"{name!r} must be the name of a target's label, other than job and instance")
        checked_name(value)
    return matchers


def checked_target(text: str) -> str:
    """Return *text*; ValueError unless it is HOST:PORT."""
    port = _TARGET.fullmatch(text)
    if port is None or not 0 < int(port[1]) <= _MAX_PORT:
        raise ValueError(f"{text!r} must be HOST:PORT")
    return text


def checked_targets(targets: tuple[str, ...]) -> tuple[str, ...]:
    """Return *targets*; ValueError unless each is HOST:PORT."""
    return tuple(map(checked_target, targets))


def checked_path(text: str) -> str:
    """Return *text*; ValueError unless it is empty or a path that needs no quotes."""
    if text and not _PATH.fullmatch(text):
        raise ValueError("must be a path of letters, digits and ./_- only")
    return text


def checked_pattern(text: str) -> str:
    """Return *text*; ValueError unless it is the absolute path of files, perhaps with ``*``, that needs no quotes."""
    if not _PATTERN.fullmatch(text):
        raise ValueError("must be an absolute path of letters, digits and ./_-* only")
    return text


def checked_unit(text: str) -> str:
    """Return *text*; ValueError unless it is the name of a service of systemd."""
    if not _UNIT.fullmatch(text):
        raise ValueError("must be the name of a service of systemd, such as oneiric.service")
    return text


def checked_channel(text: str) -> str:
    """Return *text*; ValueError unless the names of Slack's channels can begin with it."""
    if not _CHANNEL.fullmatch(text):
        raise ValueError("must be # and lower-case letters, digits, _ and -, at most 60")
    return text


def checked_address(text: str) -> str:
    """Return *text*; ValueError unless it is empty or an e-mail address."""
    if text and not _ADDRESS.fullmatch(text):
        raise ValueError("must be an e-mail address")
    return text


def checked_url(text: str) -> str:
    """Return *text* without a slash at its end; ValueError unless it is an http(s) URL without a login or a query."""
    if not _is_plain_url(text):
        raise ValueError("must be http://HOST or https://HOST, perhaps with a port and a path, no login and no query")
    return text.rstrip("/")


def _is_plain_url(text: str) -> bool:
    if not text.isprintable() or " " in text or set(text) & set("@?#\"'`{}<>|\\^"):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def checked_swap_bound(seconds: float) -> float:
    """Return *seconds*; ValueError unless it is the bound of a bucket: what lies between two cannot be counted."""
    bounds = [bound / 1000 for bound in SWAP_DURATION.buckets]
    if seconds not in bounds:
        raise ValueError(f"must be a bound of the histogram's buckets: {', '.join(f'{bound:g}' for bound in bounds)}")
    return seconds


def checked_quantile_bound(seconds: float) -> float:
    """Return *seconds*; ValueError unless a quantile can be above: none is beyond the last bucket."""
    if seconds >= (last := RESOLUTION_DURATION.buckets[-1]):
        raise ValueError(f"must be below {last:g}, the last bound of the histogram's buckets")
    return seconds
