"""Kinds of values in configurations of Alloy, Promtail and Loki, and what does not have the form that it should."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from alloy import Block, Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Kind: TypeAlias = "Callable[[Any], bool]"
Shape: TypeAlias = "tuple[dict[str, Kind], set[str], set[str]]"

GO_DURATION = re.compile(r"0|(?:\d+(?:\.\d+)?(?:[nu\u00b5]?s|ms|m|h))+")
PROMETHEUS_DURATION = re.compile(r"0|(?:\d+y)?(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?:\d+ms)?")


def string(value: Any) -> bool:
    """Whether *value* is a text, or what stands for one."""
    return isinstance(value, str | Reference)


def boolean(value: Any) -> bool:
    """Whether *value* is true or false, and no text that says so."""
    return isinstance(value, bool)


def number(value: Any) -> bool:
    """Whether *value* is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def go_duration(value: Any) -> bool:
    """Whether *value* is a duration as Go reads it, whose longest unit is the hour."""
    return isinstance(value, str) and GO_DURATION.fullmatch(value) is not None


def duration(value: Any) -> bool:
    """Whether *value* is a duration as Prometheus reads it, with days and weeks."""
    return isinstance(value, str) and bool(value) and PROMETHEUS_DURATION.fullmatch(value) is not None


def strings(value: Any) -> bool:
    """Whether *value* is a list of texts."""
    return isinstance(value, list) and all(map(string, value))


def mapping(value: Any) -> bool:
    """Whether *value* is a map of texts."""
    return isinstance(value, dict) and all(map(string, value.values()))


def targets(value: Any) -> bool:
    """Whether *value* is a list of maps, or what another component exports."""
    return isinstance(value, Reference) or (isinstance(value, list) and all(map(mapping, value)))


def receivers(value: Any) -> bool:
    """Whether *value* is a list of what other components take lines with."""
    return isinstance(value, list) and all(
        isinstance(one, Reference) and one.text.endswith(".receiver") for one in value
    )


def rules(value: Any) -> bool:
    """Whether *value* is what another component exports as its rules."""
    return isinstance(value, Reference) and value.text.endswith(".rules")


def one_of(*allowed: str) -> Kind:
    """Return the kind of a text that is one of *allowed*."""
    return lambda value: value in allowed


def faults_of_alloy(
    blocks: Iterable[Block], known: dict[str, Shape], required: dict[str, set[str]], within: str = ""
) -> list[str]:
    """Return what of *blocks* is not *known*, is of another kind, or is *required* and missing."""
    found = []
    for block in blocks:
        name = f"{within}/{block.name}" if within else block.name
        if name not in known:
            found.append(f"{name}: not known")
            continue
        kinds, inner, _ = known[name]
        found += [f"{name}.{key}: not known" for key in block.attributes if key not in kinds]
        found += [
            f"{name}.{key}: {value!r}" for key, value in block.attributes.items() if not kinds.get(key, bool)(value)
        ]
        found += [f"{name}.{key}: missing" for key in sorted(required.get(name, set()) - block.attributes.keys())]
        found += [f"{name}: no block {part.name}" for part in block.blocks if part.name not in inner]
        found += faults_of_alloy((part for part in block.blocks if part.name in inner), known, required, name)
    return found


def faults_of_yaml(document: Any, form: Any, path: str = "") -> list[str]:
    """Return the paths of *document* that *form* does not have, whose value is of another kind, or that are missing.

    A form is a kind, a list of one form, or a map of forms; a name of it that ends with ``!`` must be there, and ``*``
    stands for any.
    """
    if callable(form):
        return [] if form(document) else [f"{path}: {document!r}"]
    if isinstance(document, list) and isinstance(form, list):
        return [found for item in document for found in faults_of_yaml(item, form[0], f"{path}[]")]
    if not isinstance(document, dict) or not isinstance(form, dict):
        return [f"{path}: {document!r}"]
    forms = {name.removesuffix("!"): inner for name, inner in form.items()}
    missing = [name[:-1] for name in form if name.endswith("!") and name[:-1] not in document]
    found = [f"{path}.{name}: missing" for name in missing]
    for name, value in document.items():
        inner = forms.get(name, forms.get("*"))
        found += [f"{path}.{name}: not known"] if inner is None else faults_of_yaml(value, inner, f"{path}.{name}")
    return found
