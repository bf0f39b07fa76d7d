"""Bounds and marks of change, whatever the batch."""

from __future__ import annotations

from fleetlog_core.ids import SLOT_BITS, new_run_id
from fleetlog_ingest.materializer.followers import run_changes, run_skews
from fleetlog_ingest.materializer.runs import Run
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
WRITER = bytes(range(16))


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


def test_a_batch_changes_the_slots_of_its_runs_alone() -> None:
    first, later = new_run_id(5 << SLOT_BITS), new_run_id((9 << SLOT_BITS) + 1)

    def changes(*rows: tuple[str, bytes, int]) -> dict[tuple[str, int], int]:
        writers = [(namespace, run_id, WRITER, 0, "1-2", offset) for namespace, run_id, offset in rows]
        return {(namespace, slot): change for namespace, slot, change in run_changes(writers)}

    one = changes(("default", first, 7))
    assert list(one) == [("default", 5)]
    assert one == changes(("default", first, 7))
    assert one[("default", 5)] != changes(("default", first, 8))[("default", 5)]
    both = changes(("default", first, 7), ("default", later, 7), ("other", first, 7))
    assert set(both) == {("default", 5), ("default", 9), ("other", 5)}
    assert all(0 < change < 1 << 64 for change in both.values())


def test_changes_of_one_slot_add_up_in_64_bits() -> None:
    near = [new_run_id(5 << SLOT_BITS) for _ in range(50)]
    rows = [("default", run_id, WRITER, 0, "1", 1) for run_id in near]
    ((_, _, whole),) = run_changes(rows)
    apart = sum(change for row in rows for _, _, change in run_changes([row]))
    assert whole == apart % (1 << 64)
