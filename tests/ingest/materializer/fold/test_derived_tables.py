"""Bounds of start times, whatever the batch."""

from __future__ import annotations

from fleetlog_core.ids import new_run_id
from fleetlog_ingest.materializer.fold.derived_tables import run_skews
from fleetlog_ingest.materializer.fold.runs import Run
from hypothesis import given
from hypothesis import strategies as st

runs = st.lists(
    st.tuples(
        st.sampled_from(["default", "other"]),
        st.integers(0, 2),
        st.integers(0, 1 << 48),
        st.integers(-(1 << 40), 1 << 48),
    ),
    min_size=1,
    max_size=20,
)


@given(runs)
def test_no_start_is_outside_its_bounds(drawn: list[tuple[str, int, int, int]]) -> None:
    states = [
        ((namespace, new_run_id(millis % (1 << 48))), Run(experiment=experiment, start_time=start))
        for namespace, experiment, millis, start in drawn
    ]
    bounds = {(namespace, experiment): bound for namespace, experiment, *bound in run_skews(states)}
    for namespace, experiment in {(namespace, experiment) for namespace, experiment, *_ in drawn}:
        skews = [
            start - millis % (1 << 48)
            for space, number, millis, start in drawn
            if (space, number) == (namespace, experiment)
        ]
        assert bounds[namespace, experiment] == [max(skews), max(-skew for skew in skews)]
