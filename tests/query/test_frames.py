"""Columns that are held between questions, while runs come, change and go, against what was logged."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import fleetlog
import numpy as np
import pytest
from fleetlog.run import Run
from fleetlog_core.ids import new_run_id
from fleetlog_query.facets.segments import SLOTS, WHOLE, Span
from fleetlog_query.frames import frames, marks
from fleetlog_query.frames.marks import Marks
from fleetlog_query.frames.splice import cuts_of, fits, met_inside, spliced, spliced_ids
from fleetlog_query.selection.meet import Ids
from hypothesis import given, settings
from hypothesis import strategies as st

START = 1_700_000_000_000
SLOT_MILLIS = 1_024


@dataclass
class Logged:
    """What is known of a run."""

    handle: Run
    params: dict[str, object]
    losses: list[float] = field(default_factory=list)
    tag: str | None = None
    deleted: bool = False


def chosen(runs: dict[str, Logged]) -> dict[str, tuple[float, str | None]]:
    """What the selection below is to find: the last loss and the tag, by run."""
    return {
        run_id: (run.losses[-1], run.tag)
        for run_id, run in runs.items()
        if not run.deleted and run.losses and run.losses[-1] == run.losses[-1] and run.params["lr"] < 0.5  # type: ignore[operator]
    }


@pytest.mark.parametrize(("spans", "held"), [(2, frames.HELD_BYTES), (8, frames.HELD_BYTES), (8, 0)])
def test_every_change_is_seen(
    embedded_target: str, experiment: str, monkeypatch: pytest.MonkeyPatch, spans: int, held: int
) -> None:
    monkeypatch.setattr(marks, "SPANS", spans)
    monkeypatch.setattr(frames, "HELD_BYTES", held)
    rng, client = random.Random(spans), fleetlog.Client(embedded_target)
    runs: dict[str, Logged] = {}
    for turn in range(8):
        for _ in range(rng.choice([0, 1, 5])):
            run_id = new_run_id(START + SLOT_MILLIS * rng.randrange(20)).hex()
            params: dict[str, object] = {"lr": rng.choice([0.1, 0.4, 0.9]), "model": rng.choice(["a", "b"])}
            handle = fleetlog.start_run(experiment, run_id=run_id, params=params, target=embedded_target)
            runs[run_id] = Logged(handle, params)
        for run_id in rng.sample(list(runs), min(len(runs), 4)):
            run = runs[run_id]
            what = rng.randrange(5)
            if what < 2:
                run.losses += [rng.choice([rng.random(), float("nan"), float("inf")])]
                run.handle.log({"loss": run.losses[-1]}, step=turn)
            elif what == 2:
                run.tag = rng.choice(["x", "y", f"only once {turn}"])
                run.handle.set_tag("team", run.tag)
            elif what == 3:
                run.tag = None
                run.handle.delete_tags("team")
            else:
                run.deleted = not run.deleted
                run.handle.flush(level="applied")
                (client.delete_run if run.deleted else client.restore_run)(run_id)
        fleetlog.flush(embedded_target, level="applied")
        if not runs:
            continue
        found = client.select(
            "params.lr < 0.5", experiments=[experiment], minimize="metrics.loss", limit=200, read_mask=["tags"]
        )
        assert {
            one.run.id: (next(iter(one.run_values[0].values())), one.run.tags.get("team")) for one in found
        } == chosen(runs)
        by_tag = client.select(
            "params.lr < 0.5", experiments=[experiment], minimize="metrics.loss", group_by="tags.team", limit=200
        )
        assert {one.values["tags.team"]: one.count for one in by_tag} == Counter(
            tag for _, tag in chosen(runs).values()
        )
        shown = [run for run in runs.values() if not run.deleted]
        for descending in (False, True):
            losses = [run.losses[-1] for run in shown if run.losses and not math.isnan(run.losses[-1])]
            # The first two of a server's life ask the tables, and the column is read meanwhile.
            order = f"metrics.loss {'DESC' if descending else 'ASC'}"
            first = client.search_runs(experiments=[experiment], order_by=[order], limit=max(len(losses) // 2, 1))
            assert [run.metrics["loss"] for run in first[: len(losses)]] == (
                sorted(losses, reverse=descending)[: max(len(losses) // 2, 1)]
            )
        assert found.candidates == len(shown)
        for key, texts in (
            ("params.model", [str(run.params["model"]) for run in shown]),
            ("tags.team", [run.tag for run in shown if run.tag is not None]),
        ):
            counts = sorted(Counter(texts).items(), key=lambda item: (-item[1], item[0]))
            for _ in range(2):
                values = client.values(key, experiments=[experiment])
                assert [(one.value, one.runs) for one in values] == counts
    for run in runs.values():
        run.handle.finish()


SLOT_NUMBERS = st.dictionaries(st.integers(0, 30), st.integers(1, 3), max_size=12)


@settings(deadline=None)
@given(before=SLOT_NUMBERS, now=SLOT_NUMBERS)
def test_what_changed_is_in_a_span(before: dict[int, int], now: dict[int, int]) -> None:
    def of(numbers: dict[int, int]) -> Marks:
        slots = sorted(numbers)
        return Marks(np.array(slots, np.uint64), np.array([numbers[slot] for slot in slots], np.uint64))

    spans = of(now).changed(of(before))
    differ = {slot for slot in {*before, *now} if before.get(slot) != now.get(slot)}
    assert differ <= {slot for span in spans for slot in range(span.first, span.until)}
    assert len(spans) <= marks.SPANS
    assert all(one.until < other.first for one, other in pairwise(spans))
    assert bool(spans) == bool(differ)


@settings(deadline=None)
@given(
    old=st.dictionaries(st.integers(0, 40), st.integers(0, 9)),
    came=st.dictionaries(st.integers(0, 40), st.integers(0, 9)),
    edges=st.lists(st.integers(0, 41), max_size=6, unique=True).map(sorted), whole=st.booleans(),
)  # fmt: skip
def test_parts_that_are_read_anew_replace_what_was_there(
    old: dict[int, int], came: dict[int, int], edges: list[int], whole: bool
) -> None:
    def ids_of(slots: list[int]) -> Ids:
        return Ids(np.array([Span(slot, SLOTS).since_id or bytes(16) for slot in slots], "V16"))

    spans = [WHOLE] if whole else [Span(*pair) for pair in zip(edges[::2], edges[1::2], strict=False)]
    inside = {slot for span in spans for slot in range(span.first, min(span.until, 99))}
    # Runs come and never go.
    now = sorted({*old, *(set(came) & inside)})
    read = [slot for slot in now if slot in inside]
    before, fresh = ids_of(sorted(old)), ids_of(read)
    cuts, fresh_cuts = cuts_of(before, spans), cuts_of(fresh, spans)
    ids = spliced_ids(before, cuts, fresh, fresh_cuts)
    assert ids.raw.tobytes() == ids_of(now).raw.tobytes()
    new_cuts = cuts_of(ids, spans)
    assert fits(cuts, len(before), new_cuts, len(ids))
    values = spliced(np.array([old[slot] for slot in sorted(old)], np.int64), cuts, len(ids), new_cuts, -1)
    with_value = [slot for slot in read if slot in came]
    if inside:
        rows, places = met_inside(ids, new_cuts, ids_of(with_value))
        values[places] = np.array([came[slot] for slot in with_value], np.int64)[rows]
    assert values.tolist() == [came.get(slot, -1) if slot in inside else old[slot] for slot in now]


def test_a_run_that_was_seen_early_makes_a_column_be_read_again() -> None:
    ids = Ids(np.array([bytes([place]) + bytes(15) for place in range(4)], "V16"))
    less = Ids(ids.raw[1:])
    spans = [Span(SLOTS - 1, SLOTS)]
    assert not fits(cuts_of(less, spans), 3, cuts_of(ids, spans), 4)
    assert fits([(0, 3)], 3, [(0, 4)], 4)
