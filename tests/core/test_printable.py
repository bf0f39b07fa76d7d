from __future__ import annotations

import json
import unicodedata

import pytest
from fleetlog_core.printable import HIDDEN, hidden_character, printable, printable_json, printable_lines
from hypothesis import given
from hypothesis import strategies as st

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("loss", "loss"),
        ("étude 日本 🚀", "étude 日本 🚀"),
        ("a\tb\nc\r", r"a\tb\nc\r"),
        ("\x1b[2J\x07\x7f\x9b31m", r"\x1b[2J\x07\x7f\x9b31m"),
        ("pay\u202e001", r"pay\u202e001"),
        ("\u2066a\u2069\u200e\u061c", r"\u2066a\u2069\u200e\u061c"),
        ("lo\u200bss\ufeff\u2060", r"lo\u200bss\ufeff\u2060"),
        ("a\U000e0041\U000e0100", r"a\U000e0041\U000e0100"),
        ("caf\udce9", r"caf\udce9"),
        ("a\u2028b\xadc\u3164", r"a\u2028b\xadc\u3164"),
        ("[red]x[/red]", "[red]x[/red]"),
    ],
)
def test_hidden_characters_are_shown_as_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert bool(hidden_character(text)) == (text != shown)


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم",
        "क्\u200dष",
        "👩\u200d🔬",
        "❤\ufe0f\u200d🔥",
        "1\ufe0f\u20e3",
        "🏳\ufe0f\u200d🌈",
        "שלום",
        "e\u0301",
    ],
)
def test_joiners_and_selectors_stay_where_a_script_or_an_emoji_has_them(text: str) -> None:
    assert printable(text) == text
    assert not hidden_character(text)


@pytest.mark.parametrize("text", ["lo\u200dss", "\u200cx", "é\u200d\u200dx", "a \ufe0f", "😀\ufe0f\ufe0e", "\ufe01"])
def test_joiners_and_selectors_with_nothing_to_shape_are_hidden(text: str) -> None:
    assert printable(text) != text


@given(ANY_TEXT)
def test_what_is_shown_is_one_line_without_controls_and_stays_as_it_is(text: str) -> None:
    shown = printable(text)
    assert not HIDDEN.search(shown)
    assert printable(shown) == shown
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in shown)
    shown.encode()


def test_every_format_character_is_hidden_but_for_marks_before_digits() -> None:
    """Characters that stay precede numbers or musical signs and are drawn."""
    seen = {
        chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cf" and not HIDDEN.match(chr(code))
    }
    assert all(
        "ARABIC" in unicodedata.name(one)
        or "SYRIAC" in unicodedata.name(one)
        or "KAITHI" in unicodedata.name(one)
        or "EGYPTIAN" in unicodedata.name(one)
        for one in seen
    )


@given(st.recursive(ANY_TEXT, lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner)))
def test_json_stays_the_same_value_without_hidden_characters(value: object) -> None:
    for indent in (None, 2):
        text = printable_json(json.dumps(value, indent=indent, ensure_ascii=False))
        assert json.loads(text) == json.loads(json.dumps(value))
        assert not HIDDEN.search(text.replace("\n", ""))


def test_lines_stay_lines() -> None:
    assert printable_lines("a\x1b\nb\tc\n") == "a\\x1b\nb\\tc\n"


def test_the_first_hidden_character_is_named() -> None:
    assert hidden_character("a\u202eb\u200b") == "U+202E RIGHT-TO-LEFT OVERRIDE"
    assert hidden_character("a\x1b") == "U+001B CONTROL CHARACTER"
    assert hidden_character("a") == ""
