"""Output as lines: what a terminal shows in the end."""

from __future__ import annotations

import pytest
from fleetlog._capture.terminal import LINE_CHARACTERS, OPEN_ROWS, Terminal
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.profiles import examples


def lines_of(*pieces: str) -> list[str]:
    terminal = Terminal()
    found = [line for number, piece in enumerate(pieces) for line in terminal.feed(piece, number)]
    return [line.text for line in found + terminal.close()]


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        (["a\nb\n"], ["a", "b"]),
        (["a", "b", "\n", "c"], ["ab", "c"]),
        (["a\r\nb\r\n"], ["a", "b"]),
        (["a\n\nb\n"], ["a", "", "b"]),
        (["\r 1%", "\r 50%", "\r100%", "\ndone\n"], ["100%", "done"]),
        (["long line\rshort"], ["shortline"]),
        (["long line\r\x1b[Kshort"], ["short"]),
        (["\x1b[31mred\x1b[0m and \x1b]0;title\x07plain\n"], ["red and plain"]),
        (["\x1b", "[3", "1mred\n"], ["red"]),
        (["ab\bc\n"], ["ac"]),
        (["one\ntwo\n\x1b[2A\r1\x1b[2B\rthree"], ["1ne", "two", "three"]),
    ],
)
def test_lines_are_what_a_terminal_shows(pieces: list[str], lines: list[str]) -> None:
    assert lines_of(*pieces) == lines


def test_several_bars_that_move_the_cursor_are_a_line_each() -> None:
    terminal = Terminal()
    for percent in range(0, 101, 10):
        terminal.feed(f"\router {percent}%", percent)
        terminal.feed(f"\n\rinner {percent}%\x1b[A", percent)
    assert [line.text for line in terminal.close()] == ["outer 100%", "inner 100%"]


def test_a_line_has_the_time_of_its_first_character() -> None:
    terminal = Terminal()
    terminal.feed("a", 5)
    terminal.feed("b\nc", 9)
    assert [(line.millis, line.text) for line in terminal.open_lines()] == [(5, "ab"), (9, "c")]


def test_rows_far_above_are_closed_and_memory_is_bounded() -> None:
    terminal = Terminal()
    closed = [line.text for number in range(100) for line in terminal.feed(f"{number}\n", 0)]
    assert closed == [str(number) for number in range(100 - OPEN_ROWS)]
    assert len(terminal.open_lines()) == OPEN_ROWS


def test_a_very_long_line_is_cut_and_says_so() -> None:
    (line,) = lines_of("x" * 3_000, "y" * 3_000, "z" * 3_000)
    assert line.startswith("x" * 3_000 + "y")
    assert line.endswith(" … cut")
    assert len(line) < LINE_CHARACTERS + 10


@given(st.lists(st.text(alphabet="ab\n\r\b\x1b[AK2;mé", max_size=20), max_size=20))
@settings(max_examples=examples(200))
def test_pieces_give_the_lines_of_the_whole(pieces: list[str]) -> None:
    assert lines_of(*pieces) == lines_of("".join(pieces))


@given(st.lists(st.text(alphabet=st.characters(blacklist_categories=["Cc", "Cs"]), max_size=50), max_size=40))
@settings(max_examples=examples(100))
def test_plain_lines_are_kept_as_they_are(lines: list[str]) -> None:
    while lines and not lines[-1]:
        lines.pop()
    assert lines_of(*(line + "\n" for line in lines)) == lines
