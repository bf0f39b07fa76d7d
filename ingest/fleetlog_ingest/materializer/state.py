"""What the fold has to know of the log before a batch."""

from __future__ import annotations

from dataclasses import dataclass, field

from fleetlog_ingest.materializer.runs import Run
from fleetlog_ingest.materializer.sequences import SequenceSet

RunKey = tuple[str, bytes]
"""Namespace, run id."""
WriterKey = tuple[str, bytes, bytes]
"""Namespace, run id, writer id."""


@dataclass(frozen=True, slots=True)
class State:
    """Runs that are there, sequences that were applied, texts of params by key.

    Of a batch it holds at least what the batch's events speak of. The fold never changes one; it answers with what
    became different.
    """

    runs: dict[RunKey, Run] = field(default_factory=dict)
    writers: dict[WriterKey, SequenceSet] = field(default_factory=dict)
    params: dict[RunKey, dict[str, str]] = field(default_factory=dict)

    def after(self, changes: State) -> State:
        """The state with the changes of a fold."""
        return State(
            {**self.runs, **changes.runs}, {**self.writers, **changes.writers}, {**self.params, **changes.params}
        )
