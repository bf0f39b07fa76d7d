"""Output as files that rotate: growing, closed, and removed at last."""

from __future__ import annotations

from fleetlog._capture.console_parts import (
    HEAD_BYTES,
    MAX_BYTES,
    MAX_PART_BYTES,
    PART_BYTES,
    QUICK_SECONDS,
    SLOW_SECONDS,
    ConsoleParts,
)


def test_lines_have_time_and_stream_and_no_secrets() -> None:
    parts = ConsoleParts("captured/console/x", 0.0)
    parts.feed("stdout", "epoch 1\n", 1_764_484_000_123)
    parts.feed("stderr", "password='hunter22' \x07 tab\there\n", 1_764_484_001_000)
    ((path, content),), removed = parts.write(10.0, is_last=True)
    assert path == "captured/console/x/00001.log"
    assert removed == []
    assert content.decode() == (
        "2025-11-30T06:26:40.123Z stdout epoch 1\n2025-11-30T06:26:41.000Z stderr password='***' \\x07 tab       here\n"
    )


def test_lines_of_both_streams_are_in_the_order_of_their_times() -> None:
    parts = ConsoleParts("c", 0.0)
    for number in range(4):
        parts.feed("stdout" if number % 2 else "stderr", f"line {number}\n", 1_000 * number)
    files, _ = parts.write(10.0, is_last=True)
    assert [line.split(" ", 2)[2] for line in files[0][1].decode().splitlines()] == [f"line {n}" for n in range(4)]


def test_a_part_is_written_soon_when_it_grew_and_later_when_little_came() -> None:
    parts = ConsoleParts("c", 0.0)
    assert not parts.is_due(1_000.0)
    parts.feed("stdout", "a\n" * 500, 0)
    assert not parts.is_due(QUICK_SECONDS - 1)
    assert parts.is_due(QUICK_SECONDS)
    parts.write(QUICK_SECONDS)
    parts.feed("stdout", "b\n", 0)
    assert not parts.is_due(2 * QUICK_SECONDS)
    assert parts.is_due(QUICK_SECONDS + SLOW_SECONDS)
    parts.write(QUICK_SECONDS + SLOW_SECONDS)
    assert not parts.is_due(1_000_000.0)
    assert parts.write(1_000_000.0) == ([], [])


def test_the_line_that_is_being_written_shows_too() -> None:
    parts = ConsoleParts("c", 0.0)
    parts.feed("stderr", "\r 10% of the epoch", 0)
    ((first, content),), _ = parts.write(5.0)
    assert content.endswith(b"10% of the epoch\n")
    parts.feed("stderr", "\r 99% of the epoch", 0)
    ((second, content),), _ = parts.write(10.0)
    assert first == second
    assert content.count(b"\n") == 1
    assert b"99%" in content


def test_large_output_is_closed_in_parts_that_fit_an_event_and_the_oldest_behind_the_head_go() -> None:
    parts = ConsoleParts("c", 0.0)
    kept: dict[str, bytes] = {}
    line = "x" * 1_000 + "\n"
    for number in range(200):
        parts.feed("stdout", line * 200, 0)
        files, removed = parts.write(float(number), is_last=number == 199)
        kept.update(files)
        for path in removed:
            del kept[path]
    sizes = [len(content) for content in kept.values()]
    assert max(sizes) <= MAX_PART_BYTES
    assert MAX_BYTES / 2 < sum(sizes) <= MAX_BYTES + 2 * MAX_PART_BYTES
    numbers = sorted(int(path[-9:-4]) for path in kept)
    assert numbers[0] == 1
    assert sum(len(kept[f"c/{number:05d}.log"]) for number in range(1, 7)) >= HEAD_BYTES
    assert numbers[-1] > len(numbers), "parts amid them are gone"


def test_a_part_is_closed_when_it_is_large_and_what_follows_is_in_another() -> None:
    parts = ConsoleParts("c", 0.0)
    parts.feed("stdout", ("y" * 99 + "\n") * (PART_BYTES // 50), 0)
    first, _ = parts.write(5.0)
    parts.feed("stdout", "the end\n", 0)
    second, _ = parts.write(10.0, is_last=True)
    text = b"".join(dict([*first, *second]).values())
    assert text.count(b"yyy\n") == PART_BYTES // 50
    assert text.endswith(b"the end\n")
    assert len(dict([*first, *second])) == 2
