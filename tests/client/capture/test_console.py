"""Output that is seen on its way: nothing of it is doubled, changed or held up."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import pytest
from fleetlog._capture import console as module
from fleetlog._capture.console import MAX_CHARACTERS, Console


@contextmanager
def redirected() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Streams of the test's own. Not by a fixture: pytest sets its own streams behind those."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        yield out, err


@contextmanager
def recorded() -> Iterator[tuple[Console, io.StringIO, io.StringIO]]:
    with redirected() as (out, err):
        console = Console(lambda: None)
        console.open()
        yield console, out, err
        console.close()


def seen(console: Console) -> list[tuple[str, str]]:
    return [(one.stream, one.text) for one in console.take()]


def test_what_is_printed_is_written_once_and_seen() -> None:
    with recorded() as (console, out, err):
        print("hello")
        sys.stderr.write("warning\n")
        sys.stdout.writelines(["a", "b"])
        assert out.getvalue() == "hello\nab"
        assert err.getvalue() == "warning\n"
        both = seen(console)
        assert "".join(text for stream, text in both if stream == "stdout") == "hello\nab"
        assert "".join(text for stream, text in both if stream == "stderr") == "warning\n"
        assert seen(console) == []


def test_a_handler_of_logging_that_holds_the_stream_is_seen() -> None:
    with redirected():
        handler = logging.StreamHandler(sys.stderr)
        console = Console(lambda: None)
        console.open()
        handler.emit(logging.LogRecord("a", logging.INFO, "f", 1, "logged", (), None))
        assert seen(console) == [("stderr", "logged\n")]
        console.close()


def test_streams_are_as_they_were_behind_the_end() -> None:
    with recorded() as (console, out, err):
        console.close()
        assert "write" not in vars(out)
        assert "write" not in vars(err)
        print("unseen")
        assert seen(console) == []
        assert out.getvalue() == "unseen\n"


def test_a_wrapper_of_somebody_else_stays_and_nothing_is_doubled() -> None:
    with recorded() as (console, stream, _):
        out: Any = stream
        before = out.write
        others: list[str] = []

        def write(text: str) -> int:
            others.append(text)
            return int(before(text))

        out.write = write
        print("x", end="")
        console.close()
        print("y", end="")
        assert out.write is write
        assert "".join(others) == "xy"
        assert out.getvalue() == "xy"
        assert "".join(text for _, text in seen(console)) == "x"


def test_one_stream_under_both_names_is_seen_once() -> None:
    both = io.StringIO()
    with redirect_stdout(both), redirect_stderr(both):
        console = Console(lambda: None)
        console.open()
        both.write("x")
        assert seen(console) == [("stdout", "x")]
        console.close()
    assert "write" not in vars(both)


class Slotted:
    __slots__ = ("written",)

    def __init__(self) -> None:
        self.written = ""

    def write(self, text: str) -> None:
        self.written += text


@pytest.mark.parametrize("stream", [None, Slotted()], ids=["no stream", "a stream that lets nothing be set"])
def test_a_stream_that_is_not_ours_to_wrap_is_left_alone(monkeypatch: pytest.MonkeyPatch, stream: Any) -> None:
    monkeypatch.setattr(sys, "stdout", stream)
    console = Console(lambda: None)
    console.open()
    print("x", end="")
    assert seen(console) == []
    console.close()
    monkeypatch.undo()


def test_an_error_of_what_looks_on_never_reaches_who_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "time", None)
    with recorded() as (_, out, _err):
        print("x", end="")
        assert out.getvalue() == "x"


def test_errors_of_the_stream_itself_are_its_users() -> None:
    with recorded() as (console, out, _):
        wrong: Any = 5
        with pytest.raises(TypeError):
            sys.stdout.write(wrong)
        out.close()
        with pytest.raises(ValueError, match="closed"):
            sys.stdout.write("x")
        assert seen(console) == []


def test_more_than_fits_is_left_out_and_counted() -> None:
    with recorded() as (console, _, _err):
        for _ in range(5):
            sys.stdout.write("x" * (MAX_CHARACTERS // 4))
        last = seen(console)[-1]
        assert last == ("stderr", f"\n[fleetlog: {MAX_CHARACTERS // 4:,} characters of output were left out]\n")
        sys.stdout.write("again")
        assert seen(console) == [("stdout", "again")]


def test_much_output_wakes_who_takes_it() -> None:
    woken: list[bool] = []
    with redirected():
        console = Console(lambda: woken.append(True))
        console.open()
        for _ in range(100):
            sys.stdout.write("x" * 10_000)
        console.close()
    assert woken == [True]
