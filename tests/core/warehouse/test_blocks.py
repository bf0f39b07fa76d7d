from __future__ import annotations

import pytest
from fleetlog_core.warehouse.blocks import after, dumped, grown, lost, merged, parsed

BEFORE = {"points": ((1, 4), (6, 9)), "runs": ((1, 3),)}


def test_touching_ranges_are_one() -> None:
    assert merged([(5, 5), (1, 2), (3, 4), (8, 9)]) == ((1, 5), (8, 9))
    assert merged([(1, 9), (2, 3)]) == ((1, 9),)


def test_a_merge_that_closes_a_gap_loses_nothing() -> None:
    assert lost(BEFORE, {"points": ((1, 9),), "runs": ((1, 3),)}) == ()


@pytest.mark.parametrize("now", [(), ((1, 4),), ((1, 4), (6, 8)), ((2, 9),)])
def test_a_block_that_no_part_covers_is_lost(now: tuple[tuple[int, int], ...]) -> None:
    assert lost(BEFORE, {"points": now, "runs": ((1, 3),), "attrs": ((1, 1),)}) == ("points",)


def test_a_table_that_is_gone_is_lost() -> None:
    assert lost(BEFORE, {"points": ((1, 9),)}) == ("runs",)


def test_blocks_after_the_last_one_are_told() -> None:
    assert grown(BEFORE, {"points": ((1, 9),), "runs": ((1, 4),), "attrs": ((1, 1),)}) == ("attrs", "runs")


def test_what_ends_after_the_last_one_is_all_that_came_after() -> None:
    found = {"points": ((1, 4), (9, 12)), "attrs": ((0, 0),)}
    assert after(BEFORE, found) == {"points": ((9, 12),), "attrs": ((0, 0),)}
    assert lost(after(BEFORE, found), {"points": ((1, 9),), "attrs": ((0, 3),)}) == ("points",)


def test_blocks_are_the_same_after_text() -> None:
    assert parsed(dumped(BEFORE)) == BEFORE


@pytest.mark.parametrize("text", ["", "[]", '{"points": 1}', '{"points": [1]}', "null"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parsed(text)
