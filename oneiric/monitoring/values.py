"""What the texts among the settings of the bundle must look like."""

from __future__ import annotations

import difflib
import re
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from oneiric.observability.catalogue import CATALOGUE, RESOLUTION_DURATION, SWAP_DURATION

LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_NAME = re.compile(r"[A-Za-z0-9][\w./:-]{0,127}")
_TARGET = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[\w.-]+):(\d{1,5})")
_PATH = re.compile(r"[\w./-]{1,200}")
_PATTERN = re.compile(r"/[\w./*-]{1,199}")
_ROUTE = re.compile(r"/[\w./~-]{0,199}")
_UNIT = re.compile(r"[\w@.-]{1,120}\.service")
_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w.-]{1,128}")
_USER = re.compile(r"[\w.@+-]{1,64}")
_HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)")
_SECRET = re.compile(r"(?=(?:[A-Za-z_-]*\d){3})[\w-]{20,}")
_MAX_PORT = 65_535
_RESERVED = frozenset({"alertname", "instance", "job", "le", "severity", "team"}).union(
    *(metric.label_names for metric in CATALOGUE.metrics)
)
"""Labels that metrics, alerts and scrapes have: one of the targets under such a name would be renamed, or hidden."""


def checked_name(text: str) -> str:
    """Return *text*; ValueError unless it can stand in a label, a file and a query as it is."""
    if not _NAME.fullmatch(text):
        raise ValueError("must begin with a letter or digit, and have letters, digits and ./:_- only, at most 128")
    return text


def checked_matchers(matchers: dict[str, str]) -> dict[str, str]:
    """Return *matchers*; ValueError for a name that is no label's, or a value that would need escapes."""
    for name, value in matchers.items():
        if name in _RESERVED:
            raise ValueError(
                f"{name!r} is a label of Oneiric's own metrics and alerts: name one that the scrape configuration gives"
                f" to targets, other than {', '.join(sorted(_RESERVED))}"
            )
        if not LABEL_NAME.fullmatch(name) or name.startswith("__"):
            raise ValueError(f"{name!r} must be the name of a target's label: letters, digits and _, not __ first")
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


def checked_route(text: str) -> str:
    """Return *text*; ValueError unless it is the path of a URL that needs no escapes."""
    if not _ROUTE.fullmatch(text):
        raise ValueError("must be the path of a URL that begins with / and has letters, digits and ./_~- only")
    return text


def checked_unit(text: str) -> str:
    """Return *text*; ValueError unless it is the name of a service of systemd."""
    if not _UNIT.fullmatch(text):
        raise ValueError("must be the name of a service of systemd, such as oneiric.service")
    return text


def checked_address(text: str) -> str:
    """Return *text*; ValueError unless it is empty or an e-mail address."""
    if text and not _ADDRESS.fullmatch(text):
        raise ValueError("must be an e-mail address")
    return text


def checked_user(text: str) -> str:
    """Return *text*; ValueError unless it is empty or the name of a user."""
    if text and not _USER.fullmatch(text):
        raise ValueError("must be letters, digits and .@+_- only, at most 64")
    return text


def checked_hours(text: str) -> str:
    """Return *text*; ValueError unless it is empty or hours of a day, the later ones last."""
    begin, _, end = text.partition("-")
    if text and (not _HOURS.fullmatch(text) or begin >= end):
        raise ValueError("must be HH:MM-HH:MM, the first before the second, 24:00 the latest")
    return text


def checked_timezone(text: str) -> str:
    """Return *text*; ValueError unless it is a time zone of the IANA's database."""
    known = available_timezones()
    if text not in known and text != "UTC":
        close = difflib.get_close_matches(text, known, n=1)
        raise ValueError("must be a time zone such as Europe/Berlin" + (f"; did you mean {close[0]}?" if close else ""))
    return text


def checked_public(text: str) -> str:
    """Return the URL *text*; ValueError if its path has what looks like a key: that belongs into a file."""
    if any(_SECRET.fullmatch(part) for part in re.split(r"[/:.]", urlsplit(text).path)):
        raise ValueError("has what looks like a secret, which must be in a file of its own")
    return text


def checked_url(text: str) -> str:
    """Return *text* without a slash at its end; ValueError unless it is an http(s) URL without a login or a query."""
    if not _is_plain_url(text):
        raise ValueError("must be http://HOST or https://HOST, perhaps with a port and a path, no login and no query")
    return text.rstrip("/")


def checked_optional_url(text: str) -> str:
    """Return *text* as :func:`checked_url` does, or "" as it is."""
    return checked_url(text) if text else text


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
