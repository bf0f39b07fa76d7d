from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from speedrun_log import LAST_STEP, LONGEST_MILLIS, RunLog, parse_log, parse_number


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("4.3", 4.3, ""), ("-4", -4, ""), ("+5", 5, ""), ("5.", 5, ""), (".5", 0.5, ""), ("1e-4", 1e-4, ""),
        ("1E3", 1e3, ""), ("nan", math.nan, ""), ("NaN", math.nan, ""), ("inf", math.inf, ""), ("-inf", -math.inf, ""),
        ("1e400", math.inf, ""), ("17862ms", 17_862, "ms"), ("142.9ms", 142.9, "ms"), ("1.5s", 1_500, "ms"),
        (".5s", 500, "ms"), ("5us", 0.005, "ms"), ("5µs", 0.005, "ms"), ("5μs", 0.005, "ms"), ("5ns", 5e-6, "ms"),
        ("2m", 120_000, "ms"), ("2min", 120_000, "ms"), ("1h", 3_600_000, "ms"), ("1d", 86_400_000, "ms"),
        ("-1ms", -1, "ms"), ("1e-3s", 1, "ms"), ("nanms", math.nan, "ms"), ("99.9%", 99.9, "%"), ("1.5GB", 1.5, "GB"),
        ("5M", 5, "M"), ("3tok/s", 3, "tok/s"),
    ],
)  # fmt: skip
def test_numbers_and_their_units(text: str, number: float, unit: str) -> None:
    parsed = parse_number(text)
    assert parsed is not None
    assert parsed[1] == unit
    assert parsed[0] == pytest.approx(number, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    "text",
    ["", "abc", "info", "nano", "infinite", "3/4", "10:30", "2025-01-04", "1,000", "1_000", "1.2.3", "--5", "+", "-",
     ".", "0x10", "4e2b97c", "3f2a9c", "12-a", "v2"],
)  # fmt: skip
def test_texts_are_no_numbers(text: str) -> None:
    assert parse_number(text) is None


def points(log: RunLog, name: str) -> list[tuple[int, int, float]]:
    series = log.series[name]
    return list(zip(series.steps, series.elapsed_millis, series.values, strict=True))


def test_a_log_as_the_speedrun_writes_it() -> None:
    log = parse_log(
        [
            "step:0/1770 val_loss:10.8258 train_time:0ms step_avg:nanms\n",
            "step:125/1770 val_loss:4.3 train_time:17862ms step_avg:142.9ms\n",
            "step:250/1770 val_loss: 4.1 train_time:35.7s step_avg:142.8ms\n",
            "step:250/1770 val_loss:4.05\n",
        ]
    )
    assert (log.lines, log.strange_lines, log.planned_steps, log.elapsed_millis) == (4, 0, 1770, 35_700)
    assert points(log, "val_loss") == [(0, 0, 10.8258), (125, 17_862, 4.3), (250, 35_700, 4.1), (250, 35_700, 4.05)]
    assert points(log, "train_time") == [(0, 0, 0.0), (125, 17_862, 17_862.0), (250, 35_700, 35_700.0)]
    assert [value for _, _, value in points(log, "step_avg")][1:] == [142.9, 142.8]
    assert math.isnan(log.series["step_avg"].values[0])
    assert log.units == {"train_time": "ms", "step_avg": "ms"}
    assert log.texts == {}
    assert log.points == 10


def test_any_name_any_number_of_pairs() -> None:
    log = parse_log(["s:0 trl:11.0 lr:0.0001 norm:13.2", "s:-3 trl/a.b-c:1 lr:abc lr:def x:", "s:7"])
    assert sorted(log.series) == ["lr", "norm", "trl", "trl/a.b-c"]
    assert points(log, "trl/a.b-c") == [(-3, 0, 1.0)]
    assert log.texts == {"lr": "def", "x": ""}
    assert (log.lines, log.planned_steps) == (3, None)


@pytest.mark.parametrize(
    "line",
    ["no pair here", "loss:4.3 step:5", "step:five x:1", "step:1.5 x:1", "=====", "Traceback (most recent call last):",
     f"step:{LAST_STEP + 1} x:1", "step:" + "9" * 5_000 + " x:1", "step: x:1", "\0\ufffd"],
)  # fmt: skip
def test_odd_lines_are_counted_and_passed_over(line: str) -> None:
    log = parse_log([line, "", "  \n", "step:1 x:2"])
    assert (log.lines, log.strange_lines) == (1, 1)
    assert points(log, "x") == [(1, 0, 2.0)]


@pytest.mark.parametrize("clock", ["nan", "inf", "-inf", "-5ms", "1e300ms", "1e400", "200000d"])
def test_a_clock_that_is_no_time_dates_nothing(clock: str) -> None:
    log = parse_log(["step:1 train_time:1s x:1", f"step:2 train_time:{clock} x:1", "step:3 train_time:2s x:1"])
    assert [elapsed for _, elapsed, _ in points(log, "x")] == [1_000, 1_000, 2_000]
    assert len(log.series["train_time"].values) == 3, "the value itself is kept"


@given(st.lists(st.text(st.sampled_from("step:123/.e-+naif mx\t٣é\0")) | st.text(), max_size=5))
def test_any_text_gives_points_that_fleetlog_takes(lines: list[str]) -> None:
    log = parse_log(lines)
    assert log.lines + log.strange_lines <= len(lines)
    for series in log.series.values():
        assert len(series.steps) == len(series.values) == len(series.elapsed_millis) > 0
        assert all(abs(step) <= LAST_STEP for step in series.steps)
        assert all(0 <= elapsed <= LONGEST_MILLIS for elapsed in series.elapsed_millis)


@given(
    st.dictionaries(st.from_regex(r"[a-z][a-z_/.]{0,9}", fullmatch=True), st.floats(), min_size=1, max_size=5),
    st.integers(-LAST_STEP, LAST_STEP),
)
def test_what_is_written_is_read(values: dict[str, float], step: int) -> None:
    log = parse_log([f"step:{step} " + " ".join(f"{name}:{value!r}" for name, value in values.items())])
    assert {name: (series.steps, repr(series.values[0])) for name, series in log.series.items()} == {
        name: ([step], repr(value)) for name, value in values.items()
    }
