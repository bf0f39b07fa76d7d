"""What was read and still holds: until the next batch is applied.

Small reads that every search makes, such as the number of an experiment's name, cost as much as a small search.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from fleetlog_core.applied import AppliedWatch

Name = TypeVar("Name", bound=Hashable)
Value = TypeVar("Value")
KEPT = 1_000


class Kept(Generic[Name, Value]):
    """Values by name, of one generation of the warehouse. Used from many threads.

    Nothing is kept while nobody tells the watch of batches: every value is read then.
    """

    def __init__(self, applied: AppliedWatch | None) -> None:
        self._applied = applied
        self._held: tuple[int | None, dict[Name, Value]] = (None, {})

    def get(self, name: Name, read: Callable[[], Value]) -> Value:
        """The value; `read` when it is not at hand."""
        generation = None if self._applied is None else self._applied.generation
        if generation is None:
            return read()
        held, values = self._held
        if held != generation or len(values) >= KEPT:
            values = {}
            self._held = (generation, values)
        if name not in values:
            # Should another batch come while it is read, the value is of that one or of this: both may be given here.
            values[name] = read()
        return values[name]
