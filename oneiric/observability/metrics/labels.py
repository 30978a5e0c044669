"""Label values: text that every exposition format can hold, of bounded length, whatever they were made of."""

from __future__ import annotations

import re
from typing import Final, TypeAlias, TypeGuard

LabelSet: TypeAlias = tuple[str, ...]

MAX_LABEL_CHARS: Final = 1024
"""Longest value of a label; a longer one is cut and ends in an ellipsis."""

_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def fit_labels(labels: tuple[object, ...]) -> LabelSet:
    """Return *labels* as text of at most MAX_LABEL_CHARS; never raises, and keeps what is so already.

    Lone surrogates, and control characters but for line feeds and tabs, are escaped as in a Python literal.
    """
    return tuple([value if _is_fit(value) else _fitted(value) for value in labels])


def _is_fit(value: object) -> TypeGuard[str]:
    return (
        type(value) is str and len(value) <= MAX_LABEL_CHARS and (value.isprintable() or _UNFIT.search(value) is None)
    )


def _fitted(value: object) -> str:
    try:
        text = str.__str__(value) if isinstance(value, str) else str(value)
        text = text[: MAX_LABEL_CHARS + 1]
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the value's own methods are foreign code
        text = f"<unprintable {type(value).__name__}: {type(error).__name__}>"
    text = _UNFIT.sub(_escaped, text)
    return text if len(text) <= MAX_LABEL_CHARS else text[: MAX_LABEL_CHARS - 1] + "…"


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
