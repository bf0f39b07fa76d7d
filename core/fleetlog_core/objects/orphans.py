"""Objects that nothing refers to: bytes whose event never came, or whose run was deleted for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, runtime_checkable

from fleetlog_core.objects.port import ObjectName

BATCH = 1_000
"""How many names are asked for at once."""
ORPHAN_AGE_DAYS = 14
"""How long bytes wait for their event: a client without a network may log an artifact long after it was uploaded."""
UPLOAD_AGE_DAYS = 7
"""How long an upload waits for its next part."""
_DAY_MILLIS = 86_400_000


@dataclass(frozen=True, slots=True)
class Listed:
    """An object that is there: name, length, and when it was last written (Unix milliseconds, the store's clock)."""

    name: ObjectName
    size_bytes: int
    stored_millis: int


@runtime_checkable
class Sweepable(Protocol):
    """A store that can be looked through. ObjectStoreUnavailable from each call."""

    def listed(self) -> Iterator[Listed]:
        """Every object, in any order. What is written or removed meanwhile may be there or not."""
        ...

    def remove(self, name: ObjectName, stored_before_millis: int) -> bool:
        """Remove it, unless it was written again since then. Whether it was removed."""
        ...

    def drop_uploads(self, begun_before_millis: int) -> int:
        """End the uploads that were begun before then and never completed; how many."""
        ...


@dataclass(frozen=True, slots=True)
class Swept:
    """What a collection saw and did."""

    objects: int
    """All that are in the store, the removed ones too."""
    removed: int
    removed_bytes: int
    uploads_dropped: int


def collect_orphans(
    store: Sweepable,
    referred: Callable[[Sequence[ObjectName]], Set[ObjectName]],
    now_millis: int,
    *,
    dry_run: bool = False,
) -> Swept:
    """Remove what nothing refers to and is older than ORPHAN_AGE_DAYS.

    `referred` answers which of some names an event in the log refers to. `dry_run`: only count what would be removed;
    uploads are not looked at.
    """
    before = now_millis - ORPHAN_AGE_DAYS * _DAY_MILLIS
    objects = removed = removed_bytes = 0
    for batch in _batches(store.listed()):
        objects += len(batch)
        old = [one for one in batch if one.stored_millis < before]
        kept = referred([one.name for one in old]) if old else frozenset[ObjectName]()
        for one in old:
            if one.name not in kept and (dry_run or store.remove(one.name, before)):
                removed += 1
                removed_bytes += one.size_bytes
    dropped = 0 if dry_run else store.drop_uploads(now_millis - UPLOAD_AGE_DAYS * _DAY_MILLIS)
    return Swept(objects, removed, removed_bytes, dropped)


def _batches(listed: Iterator[Listed]) -> Iterator[list[Listed]]:
    while batch := list(islice(listed, BATCH)):
        yield batch
