from __future__ import annotations

from fleetlog_core import limits
from fleetlog_core.rules.losses import OTHER, is_reason, loss_reason
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.text(max_size=100) | st.from_regex(r"[A-Z][A-Z0-9_]{0,70}", fullmatch=True)))
def test_a_writer_has_few_reasons_and_short_ones_whatever_it_is_given(reasons: list[str]) -> None:
    told: set[str] = set()
    kept = [loss_reason(reason, told) for reason in reasons]
    assert all(len(reason) <= limits.REASON_CHARACTERS and reason.isascii() for reason in kept)
    assert all(one in (reason, OTHER) for one, reason in zip(kept, reasons, strict=True))


def test_reasons_beyond_the_limit_become_one() -> None:
    told: set[str] = set()
    kept = [loss_reason(f"R{number}", told) for number in range(1_000)]
    assert kept == [f"R{number}" for number in range(limits.LOSS_REASONS)] + [OTHER] * (1_000 - limits.LOSS_REASONS)
    assert loss_reason("R3", told) == "R3"
    assert is_reason(OTHER)
