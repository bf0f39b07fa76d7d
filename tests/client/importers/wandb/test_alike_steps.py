"""Steps that are taken together give the points that a look at each of their items gives."""

from __future__ import annotations

import math
import random

import pytest
from fleetlog.importers.protobuf_bytes import field, varint
from fleetlog.importers.source import Points
from fleetlog.importers.unread import UnreadItems
from fleetlog.importers.wandb import alike_steps, history
from fleetlog.importers.wandb.alike_steps import alike
from fleetlog.importers.wandb.history import History
from fleetlog.importers.wandb.messages import message
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.profiles import examples

_KEYS = ("loss", "train/accuracy of a long name", "é", "_step", "_timestamp", "_runtime")
_ODD = ("null", '"text"', "[1, 2]", '{"a": 1.5}', '{"_type": "histogram"}', "Infinity", "-Infinity", "NaN", "1e999", "")
Told = tuple[list[tuple[str, bytes, bytes, bytes]], dict[str, list[int]], list[object]]


@pytest.mark.parametrize("many_texts", [1, 10**9])
@settings(max_examples=examples(40))
@given(number=st.integers(0, 2**32))
def test_steps_together_give_what_each_alone_gives(many_texts: int, number: int) -> None:
    contents = _contents(random.Random(number))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alike_steps, "_MANY_TEXTS", many_texts)
        together = _told(contents)
        patch.setattr(history, "FEW", 10**9)
        assert together == _told(contents)


@pytest.mark.parametrize("many_texts", [1, 10**9])
def test_numbers_and_steps_are_those_that_were_written(monkeypatch: pytest.MonkeyPatch, many_texts: int) -> None:
    monkeypatch.setattr(alike_steps, "_MANY_TEXTS", many_texts)
    values = [math.pi * 10.0**place for place in range(-150, 150)]
    steps = [place * place * 1_000_003 for place in range(300)]
    contents = [_step({"loss": repr(value), "_step": "0"}, step) for value, step in zip(values, steps, strict=True)]
    found = alike(contents, [field(2, b"loss"), field(2, b"_step")])
    assert found.numbers.tolist() == [[value, 0.0] for value in values]
    assert found.steps is not None
    assert found.steps.tolist() == steps


@pytest.mark.parametrize(
    ("odd", "count"),
    [
        (field(1, field(2, b"loss") + b"\x82\x01\x021.5"), 3),
        (field(1, field(2, b"loss") + b"\x82\x01\x041.5"), 3),
        (field(1, field(2, b"lose") + b"\x82\x01\x031.5"), 3),
        (field(1, field(2, b"loss") + b"\x82\x01\x031,5"), 3),
        (field(1, field(2, b"loss") + b"\x82\x01\x031.5") + b"\x12\x02\x08\x80", 3),
        (field(1, field(2, b"loss") + b"\x82\x01\x031.5") + b"\x12\x03\x08\x01", 3),
        (field(1, field(2, b"loss")), 3),
        (b"\x0a", 3),
        (b"", 3),
        (field(1, field(2, b"loss") + b"\x82\x01\x031.5") + field(2, b"\x08\x80\x01"), 5),
    ],
)
def test_a_step_that_differs_ends_them(odd: bytes, count: int) -> None:
    plain = field(1, field(2, b"loss") + b"\x82\x01\x031.5") + field(2, b"\x08\x07")
    assert len(alike([plain, plain, plain, odd, plain], [field(2, b"loss")]).numbers) == count


def _contents(chance: random.Random) -> list[bytes]:
    found = []
    keys, has_step = list(_KEYS), chance.random() < 0.7
    often = chance.choice([0.0, 0.02, 0.2])
    for place in range(chance.choice([10, 100, 700])):
        if chance.random() < often:
            keys = chance.sample(_KEYS, chance.randint(0, len(_KEYS)))
        texts = {key: repr(chance.gauss(0, 10.0 ** chance.randint(-30, 30))) for key in keys}
        if "_timestamp" in texts:
            texts["_timestamp"] = repr(1_700_000_000 + place / 7)
        if "_step" in texts:
            texts["_step"] = str(place)
        if keys and chance.random() < often:
            texts[chance.choice(keys)] = chance.choice(_ODD)
        found.append(_step(texts, chance.choice([place, place << 40]) if has_step else None))
        if chance.random() < often / 4:
            found.append(chance.randbytes(5))
    return found


def _step(texts: dict[str, str], step: int | None) -> bytes:
    items = [
        field(1, field(2, key.encode()) + b"\x82\x01" + varint(len(text)) + text.encode())
        for key, text in texts.items()
    ]
    return b"".join(items) + (b"" if step is None else field(2, b"\x08" + varint(step)))


def _told(contents: list[bytes]) -> Told:
    unread = UnreadItems()
    taken = History(1_600_000_000_000, unread)
    taken.begin_file("run.wandb")
    points: list[Points] = []
    for offset, content in enumerate(contents):
        record = message("Record", field(2, content) if offset % 90 != 89 else field(7, b"\x12\x03\x08\x80\x01"))
        assert record is not None
        points += taken.add(offset, record)
    points += taken.end({})
    told = [(one.key, one.steps.tobytes(), one.values.tobytes(), one.times.tobytes()) for one in points]
    return told, {key: list(offsets) for key, offsets in taken.texts.items()}, list(unread())
