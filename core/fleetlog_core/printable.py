"""Texts of others as a terminal, a log or a message may show them, and the characters that a name may not have. Pure.

A hidden character is one that is not seen where it stands: it moves the cursor, turns the direction of what follows,
or has no width. They are the control characters, the line and paragraph separators, half surrogate pairs, and what
Unicode calls Default_Ignorable_Code_Point: overrides and isolates of direction, zero-width characters, tags, fillers.
Joiners and variation selectors are hidden only where no letter or sign that they shape stands before them: Persian,
the scripts of India and emoji are written with them.
"""

from __future__ import annotations

import json
import re
import unicodedata

_HIDDEN = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
_JOINERS, _SELECTORS = "\u200c\u200d", "\ufe00-\ufe0f"
HIDDEN = re.compile(
    f"[{_HIDDEN}]"
    f"|(?<![^\x00-\x7f{_HIDDEN}{_JOINERS}])[{_JOINERS}]"
    # A digit and a selector begin a keycap.
    f"|(?<![^\x00-\x20{_HIDDEN}{_JOINERS}{_SELECTORS}])[{_SELECTORS}]"
)
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    return _SHORT.get(character) or ascii(character)[1:-1]


def printable(text: str) -> str:
    """The text on one line: hidden characters are escaped as Python does it, everything else stays as it is."""
    return HIDDEN.sub(_escaped, text)


def printable_lines(text: str) -> str:
    """The text with its line breaks, every line as by `printable`."""
    return "\n".join(map(printable, text.split("\n")))


def printable_json(text: str) -> str:
    """JSON of the same value, with hidden characters in its texts as JSON's own escapes; line breaks between stay."""
    return "\n".join(HIDDEN.sub(lambda match: json.dumps(match[0])[1:-1], line) for line in text.split("\n"))


def hidden_character(text: str) -> str:
    """The first hidden character, such as "U+202E RIGHT-TO-LEFT OVERRIDE"; "" when there is none."""
    match = HIDDEN.search(text)
    if match is None:
        return ""
    return f"U+{ord(match[0]):04X} {unicodedata.name(match[0], 'CONTROL CHARACTER')}"
