from __future__ import annotations

from fleetlog.loadtest.ledger import Findings, Ledger, compare_files, compare_series
from hypothesis import given
from hypothesis import strategies as st


def whole(steps: int) -> Ledger:
    ledger = Ledger()
    ledger.note_sent(range(steps))
    ledger.note_durable(range(steps))
    return ledger


def test_all_that_is_there_once_and_as_it_was_is_whole() -> None:
    found = compare_series(whole(3), [1.0, 2.0, 3.0], [0, 1, 2], [1.0, 2.0, 3.0], "x")
    assert found == Findings(compared=3)
    assert found.is_whole


def test_each_break_of_the_promise_is_counted_and_named() -> None:
    expected = [1.0, 2.0, 3.0, 4.0]
    found = compare_series(whole(4), expected, [0, 0, 2, 3, 9], [1.0, 1.0, 7.0, 4.0, 5.0], "run r m000")
    assert (found.compared, found.lost, found.twice, found.wrong, found.unsent) == (4, 1, 1, 1, 1)
    assert not found.is_whole
    assert "run r m000 step 1: acknowledged and not there" in found.named
    assert "run r m000 step 2: 7.0 is there, 3.0 was logged" in found.named


def test_what_was_not_answered_may_be_there_or_not() -> None:
    ledger = Ledger()
    ledger.note_sent(range(3))
    ledger.note_durable(range(1))
    assert ledger.unanswered_steps == 2
    for there in ([0], [0, 1], [0, 1, 2]):
        assert compare_series(ledger, [1.0, 2.0, 3.0], there, [1.0, 2.0, 3.0][: len(there)], "x").is_whole


def test_what_was_refused_must_not_be_there() -> None:
    ledger = Ledger()
    ledger.note_sent(range(3))
    ledger.note_durable(range(1))
    ledger.note_refused(range(1, 2))
    ledger.note_durable(range(2, 3))
    assert (ledger.durable, ledger.refused, ledger.durable_steps) == ([range(1), range(2, 3)], [range(1, 2)], 2)
    assert compare_series(ledger, [1.0, 2.0, 3.0], [0, 2], [1.0, 3.0], "x").is_whole
    assert compare_series(ledger, [1.0, 2.0, 3.0], [0, 1, 2], [1.0, 2.0, 3.0], "x").unsent == 1


@given(steps=st.integers(1, 40), missing=st.sets(st.integers(0, 39)), again=st.sets(st.integers(0, 39)))
def test_losses_and_copies_are_counted_exactly(steps: int, missing: set[int], again: set[int]) -> None:
    expected = [step / 3 for step in range(steps)]
    there = [step for step in range(steps) if step not in missing]
    there = sorted(there + [step for step in there if step in again])
    found = compare_series(whole(steps), expected, there, [expected[step] for step in there], "x")
    assert (found.lost, found.wrong, found.unsent) == (len(missing & set(range(steps))), 0, 0)
    assert found.twice == len((again - missing) & set(range(steps)))


def test_files_are_compared_by_their_digests() -> None:
    ledger = Ledger()
    ledger.files |= {"a": b"1", "b": b"2", "c": b"3"}
    found = compare_files(ledger, {"a": b"1", "b": b"other", "z": b""}, "run r")
    assert (found.files, found.lost_files) == (3, 2)
    assert found.named == [
        "run r file b: acknowledged and has other bytes", "run r file c: acknowledged and is not there"
    ]  # fmt: skip


def test_findings_of_machines_add_up() -> None:
    one, other = Findings(compared=3, lost=1, named=["a"]), Findings(compared=4, twice=2, named=["b"])
    one.add(other)
    assert one == Findings(compared=7, lost=1, twice=2, named=["a", "b"])
