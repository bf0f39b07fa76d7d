from fleetlog_ingest.materializer.fold.sequences import SequenceSet
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.integers(1, 60), max_size=80))
def test_it_is_a_set_whose_text_reads_back(sequences: list[int]) -> None:
    ours, plain = SequenceSet(), set[int]()
    for sequence in sequences:
        assert ours.add(sequence) == (sequence not in plain)
        plain.add(sequence)
    assert [n for n in range(62) if n in ours] == sorted(plain)
    again = SequenceSet.parse(ours.text())
    assert again.text() == ours.text()
    assert [n for n in range(62) if n in again] == sorted(plain)


def test_ranges_that_touch_are_one() -> None:
    ours = SequenceSet.parse("1-3,5-5,9-10")
    assert ours.add(4)
    assert ours.text() == "1-5,9-10"


def test_a_copy_changes_by_itself() -> None:
    ours = SequenceSet.parse("1-3")
    ours.copy().add(4)
    assert ours.text() == "1-3"
