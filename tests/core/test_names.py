"""What may stand as a name."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from oneiric.core.names import DOMAINS, MAX_NAME_CHARS, invalid_name, is_valid_name, validate_name


def test_domains_are_the_six() -> None:
    """Every runtime has the same six domains."""
    assert DOMAINS == ("adapter", "service", "task", "event", "workflow", "action")


@pytest.mark.parametrize("name", ["a", "demo.event", "queue/redis:7", " spaced ", "ключ", "\u00a0", "🗝"])
def test_name_passes_unchanged(name: str) -> None:
    """A name is returned as it is, nothing stripped or folded."""
    assert validate_name(name, field="key") == name


@pytest.mark.parametrize("name", ["", "a\n", "\x00", "a\x7f", "\x9f", "a\u2028b", "\u2029", "\ud800", None, 5, b"a"])
def test_what_is_no_name_is_refused(name: object) -> None:
    """Empty, with control characters, surrogates or line separators, or no string at all: a ValueError."""
    with pytest.raises(ValueError, match=r"^provider .* is not a valid name: allowed is a string of 1 to 256 char"):
        validate_name(name, field="provider")


def test_longest_name_is_256_characters() -> None:
    """256 characters are allowed, 257 are not."""
    assert (is_valid_name("a" * MAX_NAME_CHARS), is_valid_name("a" * (MAX_NAME_CHARS + 1))) == (True, False)


def test_error_shows_a_bounded_part_of_the_value() -> None:
    """A huge name does not make a huge message."""
    assert len(str(invalid_name("x" * 10**6, field="key"))) < 250


def test_forbidden_characters_are_those_of_their_unicode_categories() -> None:
    """Exactly control characters, surrogates, line and paragraph separators are refused."""
    refused = {code for code in range(sys.maxunicode + 1) if not is_valid_name(chr(code))}
    categories = {"Cc", "Cs", "Zl", "Zp"}
    assert refused == {code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in categories}
