"""Columns that are held between questions, while runs come, change and go, against what was logged."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import pairwise

import fleetlog
import numpy as np
import pytest
from fleetlog._runs.run import Run
from fleetlog_core.ids import new_run_id
from fleetlog_query.calls.base import HELD_BYTES
from fleetlog_query.changes import feed as changes
from fleetlog_query.changes.held import Held
from fleetlog_query.column_cache import column_reads, splice
from fleetlog_query.column_cache.run_ids import Ids
from fleetlog_query.column_cache.splice import Move
from hypothesis import given
from hypothesis import strategies as st

START = 1_700_000_000_000
SLOT_MILLIS = 1_024


@dataclass
class Logged:
    """What is known of a run."""

    handle: Run
    params: dict[str, object]
    name: str
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


@pytest.mark.parametrize(
    ("few", "cuts", "most", "held"),
    [
        (column_reads.FEW, 8, changes.MOST, HELD_BYTES),
        (2, 8, changes.MOST, HELD_BYTES),
        (0, 2, changes.MOST, HELD_BYTES),
        (2, 8, 4, HELD_BYTES),
        (column_reads.FEW, 8, changes.MOST, 0),
    ],
)
def test_every_change_is_seen(
    embedded_target: str, experiment: str, monkeypatch: pytest.MonkeyPatch, few: int, cuts: int, most: int, held: int
) -> None:
    monkeypatch.setattr(column_reads, "FEW", few)
    monkeypatch.setattr(splice, "STRETCHES", cuts)
    monkeypatch.setattr(changes, "MOST", most)
    monkeypatch.setattr(Held, "held_bytes", held)
    rng, client = random.Random(few + cuts + most), fleetlog.Client(embedded_target)
    runs: dict[str, Logged] = {}
    for turn in range(6):
        for _ in range(rng.choice([0, 1, 5])):
            run_id = new_run_id(START + SLOT_MILLIS * rng.randrange(20)).hex()
            params: dict[str, object] = {"lr": rng.choice([0.1, 0.4, 0.9]), "model": rng.choice(["a", "b"])}
            name = f"run {rng.randrange(3)}"
            handle = fleetlog.start_run(experiment, name, run_id=run_id, params=params, target=embedded_target)
            runs[run_id] = Logged(handle, params, name)
        for run_id in rng.sample(list(runs), min(len(runs), 4)):
            run = runs[run_id]
            what = rng.randrange(6)
            if what < 2:
                run.losses += [rng.choice([rng.random(), float("nan"), float("inf")])]
                run.handle.log({"loss": run.losses[-1]}, step=turn)
            elif what == 2:
                run.tag = rng.choice(["x", "y", f"only once {turn}"])
                run.handle.set_tag("team", run.tag)
            elif what == 3:
                run.tag = None
                run.handle.delete_tags("team")
            elif what == 4:
                run.name = f"again {turn % 2}"
                run.handle.flush(level="applied")
                client.update_run(run_id, name=run.name)
            else:
                run.deleted = not run.deleted
                run.handle.flush(level="applied")
                (client.delete_run if run.deleted else client.restore_run)(run_id)
        fleetlog.flush(level="applied", target=embedded_target)
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
        by_name = client.select(experiments=[experiment], minimize="min(metrics.loss)", group_by="name", limit=200)
        lowest: dict[str, list[float]] = {}
        for run in runs.values():
            if not run.deleted and (losses := [loss for loss in run.losses if not math.isnan(loss)]):
                lowest.setdefault(run.name, []).append(min(losses))
        assert {one.values["name"]: (one.count, next(iter(one.objectives.values())).min) for one in by_name} == {
            name: (len(values), min(values)) for name, values in lowest.items()
        }
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
            ("name", [run.name for run in shown]),
        ):
            counts = sorted(Counter(texts).items(), key=lambda item: (-item[1], item[0]))
            for _ in range(2):
                values = client.values(key, experiments=[experiment])
                assert [(one.value, one.runs) for one in values] == counts
    for run in runs.values():
        run.handle.finish()


def ids_at(places: Collection[int]) -> Ids:
    return splice.ids_of({place.to_bytes(2, "big") + bytes(14) for place in places})


PLACES = st.sets(st.integers(0, 400), max_size=60)


@given(held=PLACES, changed=PLACES.filter(bool))
def test_what_changed_is_in_a_stretch(held: set[int], changed: set[int]) -> None:
    ids, among = ids_at(held), ids_at(changed)
    found = splice.stretches(ids, among)
    if found is None:
        # Most of the runs are between what changed.
        assert sum(min(changed) <= place <= max(changed) for place in held) > len(held) // 2
        return
    assert len(found) <= splice.STRETCHES
    assert all(first <= last for first, last in found)
    assert all(one[1] < other[0] for one, other in pairwise(found))
    assert all(any(first <= run_id <= last for first, last in found) for run_id in map(among.at, range(len(among))))
    inside = [place for place in held if any(first <= ids_at([place]).at(0) <= last for first, last in found)]
    assert len(inside) <= len(held) // 2 + len(found)


def test_stretches_are_cut_where_most_runs_are_between() -> None:
    ids = ids_at(range(300))
    changed = ids_at([*range(0, 90, 10), 200, 201, 299])
    found = splice.stretches(ids, changed)
    assert found is not None
    firsts = [int.from_bytes(first[:2], "big") for first, _ in found]
    assert {200, 299} <= set(firsts)
    assert splice.stretches(ids, ids_at(range(0, 300, 2))) is None


@given(
    old=st.dictionaries(st.integers(0, 40), st.integers(0, 9)),
    came=st.dictionaries(st.integers(0, 40), st.integers(0, 9)),
    changed=st.sets(st.integers(0, 40)), early=st.sets(st.integers(41, 50)),
)  # fmt: skip
def test_what_is_read_anew_replaces_what_was_there(
    old: dict[int, int], came: dict[int, int], changed: set[int], early: set[int]
) -> None:
    """Runs come and never go; only changed ones come, though others may be seen already."""
    now = sorted({*old, *(set(came) & changed)})
    before, among = ids_at(old), ids_at(changed)
    ids = splice.with_new(before, ids_at({*came, *early} & ({*now, *early})), among)
    assert ids.raw.tobytes() == ids_at(now).raw.tobytes()
    assert (ids is before) == (len(now) == len(old))
    move = Move.of(before, ids, among)
    assert move is not None
    values = move(np.array([old[place] for place in sorted(old)], np.int64), -1)
    assert values.tolist() == [-1 if place in changed else old[place] for place in now]
    assert sorted(move.changed.tolist()) == [row for row, place in enumerate(now) if place in changed]


def test_a_run_that_was_seen_early_makes_a_column_be_read_again() -> None:
    assert Move.of(ids_at([1, 2]), ids_at([1, 2, 3]), ids_at([2])) is None
    assert Move.of(ids_at([1, 2]), ids_at([1, 2, 3]), ids_at([2, 3])) is not None
