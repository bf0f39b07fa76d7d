"""What came of an import, to the last item: what came, what was there, and what could not come and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fleetlog_core.printable import printable

from fleetlog.importers.source import Unread

KEPT = 10_000
"""Maximum of items that are named; further ones are counted."""


@dataclass(slots=True)
class Report:
    """What came of an import."""

    runs: int = 0
    """Runs of the source that are here now, those included that were here before."""
    new_runs: int = 0
    points: int = 0
    """Points that this import brought: acknowledged, and readable when it ended."""
    files: int = 0
    file_bytes: int = 0
    experiments: int = 0
    models: int = 0
    """Registered models; `versions` are theirs."""
    versions: int = 0
    logged_models: int = 0
    faults: list[Unread] = field(default_factory=list)
    """What should have come and did not."""
    notes: list[Unread] = field(default_factory=list)
    """What is known to have no place here, and what was changed to have one."""
    more_faults: int = 0
    """Faults beyond those that are named."""

    @property
    def is_complete(self) -> bool:
        """True if everything came that has a place here."""
        return not self.faults

    def add(self, items: Sequence[Unread]) -> None:
        """Take note of items that did not come as they were."""
        for one in items:
            into = self.faults if one.is_fault else self.notes
            if len(into) < KEPT:
                into.append(one)
            else:
                self.more_faults += one.is_fault

    def to_dict(self) -> dict[str, Any]:
        """Returns all of it as JSON has it."""
        counts = {
            name: getattr(self, name)
            for name in (
                "runs", "new_runs", "points", "files", "file_bytes", "experiments", "models", "versions",
                "logged_models", "more_faults",
            )
        }  # fmt: skip
        return {
            **counts,
            "is_complete": self.is_complete,
            "faults": [_item(one) for one in self.faults],
            "notes": [_item(one) for one in self.notes],
        }


def in_words(one: Unread) -> str:
    """Returns an item in a line: where, at which offset, how much, and why."""
    at = "" if one.offset is None else f", at {one.offset:,}"
    count = "" if one.count == 1 else f" ({one.count:,} items)"
    return printable(f"{one.where}{at}{count}: {one.why}")


def _item(one: Unread) -> dict[str, Any]:
    found: dict[str, Any] = {"where": one.where, "why": one.why, "count": one.count}
    return found if one.offset is None else {**found, "offset": one.offset}
