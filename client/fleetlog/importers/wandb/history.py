"""Points of a run in W&B's records: its history, its system metrics, and numbers of its summary that no step has."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fleetlog.importers.columns import Columns
from fleetlog.importers.json_values import leaves, number_of
from fleetlog.importers.source import Points
from fleetlog.importers.times import millisecond_of, milliseconds_of
from fleetlog.importers.unread import UnreadItems
from fleetlog.importers.wandb.alike_steps import MOST, AlikeSteps, alike
from fleetlog.importers.wandb.messages import VALUE_FIELD, items, message, milliseconds

_STEPS = 2.0**63
TYPE = "._type"
"""End of the key that says what kind of a value is stored below the key in front of it."""
SYSTEM = "system."
"""Begin of the keys of system metrics, as W&B's pages have it."""
STEP, TIME, RUNTIME = "_step", "_timestamp", "_runtime"


FEW = 16
"""Steps below which a look at each item is faster."""
Slot = tuple[str, "array[int] | None", "array[float]"]
"""Key of an item, and the rows and values of its column; None for what is no metric."""


class History:
    """Takes a run's records one after another."""

    def __init__(self, start_time: int, unread: UnreadItems) -> None:
        self._where = ""
        self._unread = unread
        self._columns = Columns()
        self._keys: dict[bytes, str] = {}
        self._slots: dict[bytes, Slot] = {}
        self._waiting: list[tuple[int, bytes]] = []
        """Steps, with their offsets, that have not been looked at yet."""
        self._heads: list[bytes] = []
        """Heads of the items of the last step; none where the next ones are to be looked at one by one."""
        self._apart = 0
        """Steps that are looked at one by one before more of them are taken together."""
        self._time = start_time
        self._step = 0
        self._samples = 0
        self.texts: dict[str, array[int]] = {}
        """Offsets in the file of the records that have other values than numbers, by key."""

    def begin_file(self, where: str) -> None:
        """Begin a file: what `texts` says is of it."""
        self._where, self.texts = where, {}

    def add(self, offset: int, record: Any) -> Iterator[Points]:
        """Take a record. Yields points when there are many."""
        if record.history:
            self._waiting.append((offset, record.history))
            if len(self._waiting) >= MOST:
                yield from self.end_file()
        elif record.stats:
            yield from self.end_file()
            self._add_stats(offset, record.stats)
            yield from self._when_full()

    def end_file(self) -> Iterator[Points]:
        """End a file: `texts` is whole. Yields points when there are many."""
        waiting, self._waiting = self._waiting, []
        first = 0
        while first < len(waiting):
            count = self._add_alike(waiting, first)
            if not count:
                self._add_history(*waiting[first])
                count = 1
            first += count
            yield from self._when_full()

    def end(self, summary: Mapping[str, float]) -> Iterator[Points]:
        """Points that are left, and those numbers of the summary that no step has: they are of the last step."""
        yield from self.end_file()
        self._columns.begin_row(self._step, self._time)
        for key, number in summary.items():
            if key not in self._columns.keys:
                self._columns.add(key, number)
        yield from self._columns.taken()

    def _when_full(self) -> Iterator[Points]:
        if self._columns.is_full:
            yield from self._columns.taken()
            self._slots.clear()  # they lead to what was taken
            self._heads = []

    def _add_alike(self, waiting: Sequence[tuple[int, bytes]], first: int) -> int:
        """Take steps from the first on that have the items of the one before. Returns how many."""
        slots = [self._slots[head] for head in self._heads]
        metrics = sum(slot[1] is not None for slot in slots)
        # As many as fill the columns, and no more: points are given out behind the same step in any case.
        most = -(-self._columns.room // metrics) if metrics else 0
        some = [content for _, content in waiting[first : first + most]]
        if len(some) < FEW or self._apart:
            self._apart = max(0, self._apart - 1)
            return 0
        found = alike(some, self._heads)
        is_step = [slot[0] == STEP and found.steps is None for slot in slots]
        count = len(found.numbers) if (np.abs(found.numbers[:, is_step]) < _STEPS).all() else 0
        if count < FEW:
            self._apart = 4 * FEW
        if count:
            self._add_rows(found, slots, metrics)
        return count

    def _add_rows(self, found: AlikeSteps, slots: Sequence[Slot], metrics: int) -> None:
        count = len(found.numbers)
        steps = np.full(count, self._step) if found.steps is None else found.steps
        times = np.full(count, self._time)
        rows = array("q", range(self._columns.row + 1, self._columns.row + 1 + count))
        for (key, places, values), numbers in zip(slots, found.numbers.T, strict=True):
            if places is not None:
                places.extend(rows)
                values.frombytes(numbers.tobytes())
            elif key == TIME:
                times, is_none = milliseconds_of(numbers, self._time)
                # The time of the step before.
                before = np.maximum.accumulate(np.where(is_none, -1, np.arange(count)))
                times = np.where(before < 0, self._time, times[before])
            elif key == STEP and found.steps is None:
                steps = numbers.astype(np.int64)
        self._step, self._time = self._columns.begin_rows(steps, times)
        self._columns.count += count * metrics

    def _add_history(self, offset: int, content: bytes) -> None:
        history = message("History", content)
        if history is None:
            self._unread.add(self._where, "a step that can't be read", offset)
            return
        step, time, row = self._step, self._time, self._columns.row + 1
        slots, count = self._slots, 0
        others: list[tuple[str, bytes]] = []
        for item in history.item:
            head, _, rest = item.partition(VALUE_FIELD)
            slot = slots.get(head)
            if slot is None or not rest or rest[0] != len(rest) - 1 or rest[0] >= 0x80:
                ((key, text),) = items([item], self._keys)
                slot = self._slot(head, key)
            else:
                text = rest[1:]
            key, rows, values = slot
            try:
                number = float(text)
            except ValueError:
                others.append((key, text))
                continue
            if rows is not None:
                rows.append(row)
                values.append(number)
                count += 1
            elif key == TIME:
                time = millisecond_of(number) or time
            elif key == STEP:
                step = int(number) if abs(number) < _STEPS else step
        if history.HasField("step"):
            step = history.step.num
        self._step, self._time = step, time
        self._columns.begin_row(step, time)
        self._columns.count += count
        heads = [item.partition(VALUE_FIELD)[0] for item in history.item]
        keys = {slots[head][0] for head in heads if head in slots}
        # Keys that stand twice, or of which one is no number, are looked at one by one.
        self._heads = heads if not others and len(keys) == len(heads) else []
        if others:
            self._add_others(offset, others)

    def _slot(self, head: bytes, key: str) -> Slot:
        """Where the numbers of a key go: none for those that are no metrics."""
        rows, values = (None, array("d")) if key in (STEP, TIME, RUNTIME, "") else self._columns.column(key)
        found = self._slots[head] = (key, rows, values)
        return found

    def _add_others(self, offset: int, others: list[tuple[str, bytes]]) -> None:
        """Take what is no number of the row. Numbers that belong to an image, a histogram or a table are taken back."""
        media = media_prefixes(key for key, _ in others)
        for prefix in media:
            self.texts.setdefault(prefix[:-1], array("q")).append(offset)
        if media:
            self._columns.drop_from_row(media)
        for key, text in others:
            if not key:
                self._unread.add(self._where, "a value that can't be read", offset)
            elif not key.startswith(media):
                self._add_json(offset, key, text)

    def _add_json(self, offset: int, key: str, text: bytes) -> None:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            self._unread.add(self._where, "a value that is no JSON", offset)
            return
        if isinstance(value, dict) and "_type" in value:
            self.texts.setdefault(key, array("q")).append(offset)
            return
        for name, leaf in leaves(key, value):
            number = number_of(leaf)
            if number is not None:
                self._columns.add(name, number)
            elif leaf is not None:
                self.texts.setdefault(key, array("q")).append(offset)
                break

    def _add_stats(self, offset: int, content: bytes) -> None:
        stats = message("Stats", content)
        if stats is None:
            self._unread.add(self._where, "system metrics that can't be read", offset)
            return
        self._columns.begin_row(self._samples, milliseconds(stats.timestamp) or self._time)
        self._samples += 1
        for key, text in items(stats.item, self._keys):
            number = _number(text)
            if number is not None:
                self._columns.add(SYSTEM + key, number)


def media_prefixes(keys: Iterable[str]) -> tuple[str, ...]:
    """Begins of keys, with their dot, of values that are images, histograms, tables and the like."""
    return tuple(key.removesuffix(TYPE) + "." for key in keys if key.endswith(TYPE))


def _number(text: bytes) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
