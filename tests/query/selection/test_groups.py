"""Groups and their statistics, against Python's own statistics, group by group."""

from __future__ import annotations

import math
import statistics as plain

import numpy as np
import pytest
from fleetlog_query.column_cache.labels import Labels
from fleetlog_query.selection.groups import Candidates, kept, numbered, statistics
from hypothesis import given
from hypothesis import strategies as st

NUMBER = st.floats(-1e6, 1e6).map(lambda number: round(number, 9)) | st.sampled_from([0.0, -0.0, 0.1, 1e-30, 1.0])
TEXT = st.sampled_from(["", "a", "b", None])


def candidates(rows: list[tuple[int, list[float], int]]) -> Candidates:
    _, groups = np.unique([row[0] for row in rows], return_inverse=True)
    return Candidates(np.array([row[1] for row in rows]), groups, np.array([row[2] for row in rows], np.int64))


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 4), st.lists(NUMBER, min_size=2, max_size=2), st.integers(0, 99)), min_size=1
    )
)
def test_statistics_are_those_of_each_group(rows: list[tuple[int, list[float], int]]) -> None:
    found = statistics(candidates(rows))
    for place, name in enumerate(sorted({row[0] for row in rows})):
        mine = [row for row in rows if row[0] == name]
        assert found.counts[place] == len(mine)
        assert found.starts[place] == min(row[2] for row in mine)
        assert found.firsts[place] == next(at for at, row in enumerate(rows) if row[0] == name)
        for objective in range(2):
            values = [row[1][objective] for row in mine]
            scale = max(map(abs, values)) or 1.0
            assert found.means[place, objective] == pytest.approx(plain.fmean(values), abs=1e-12 * scale)
            assert found.medians[place, objective] == pytest.approx(plain.median(values), abs=1e-300)
            assert found.lows[place, objective] == min(values)
            assert found.highs[place, objective] == max(values)
            if len(values) == 1:
                assert math.isnan(found.stds[place, objective])
            else:
                assert found.stds[place, objective] == pytest.approx(plain.stdev(values), rel=1e-7, abs=1e-12 * scale)


@given(value=NUMBER, count=st.integers(1, 50))
def test_equal_values_have_themselves_as_mean_and_no_deviation(value: float, count: int) -> None:
    found = statistics(candidates([(0, [value], 0)] * count))
    assert found.means[0, 0] == value
    assert count == 1 or found.stds[0, 0] == 0


def test_infinite_values_stay_so() -> None:
    found = statistics(candidates([(0, [math.inf], 0), (0, [1.0], 0), (1, [-math.inf], 0), (1, [math.inf], 0)]))
    assert found.means[0, 0] == math.inf
    assert found.medians[0, 0] == math.inf
    assert np.isnan(found.means[1, 0])
    assert np.isnan(found.stds).all()
    assert (found.lows[1, 0], found.highs[1, 0]) == (-math.inf, math.inf)


@given(rows=st.lists(st.tuples(TEXT, TEXT)), data=st.data())
def test_the_same_texts_are_one_group(rows: list[tuple[str | None, str | None]], data: st.DataObject) -> None:
    labels = []
    for column in zip(*rows, strict=True):
        texts = sorted({text for text in column if text is not None})
        codes = [-1 if text is None else texts.index(text) for text in column]
        labels.append(Labels(np.array(codes, np.int32), texts))
        assert [labels[-1].at(place) for place in range(len(rows))] == list(column)
    some = data.draw(st.lists(st.sampled_from(range(len(rows))), unique=True).map(sorted)) if rows else []
    groups = numbered(labels, np.array(some, np.intp)).tolist()
    mine = [rows[place] for place in some]
    assert sorted(set(groups)) == list(range(len(set(mine))))
    assert len(set(zip(groups, mine, strict=True))) == len(set(mine))


@given(groups=st.lists(st.integers(0, 5), min_size=1), least=st.integers(1, 5))
def test_small_groups_go(groups: list[int], least: int) -> None:
    rows = [(group, [float(place)], place) for place, group in enumerate(groups)]
    left, places = kept(candidates(rows), least)
    expected = [place for place, group in enumerate(groups) if groups.count(group) >= least]
    assert places.tolist() == expected
    assert left.starts.tolist() == expected
    assert left.values[:, 0].tolist() == expected
    assert sorted(set(left.groups.tolist())) == list(range(len({groups[place] for place in expected})))
