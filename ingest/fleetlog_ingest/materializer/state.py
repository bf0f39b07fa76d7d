"""What the fold has to know of the log before a batch."""

from __future__ import annotations

from dataclasses import dataclass, field

from fleetlog_ingest.materializer.runs import Run
from fleetlog_ingest.materializer.sequences import SequenceSet

RunKey = tuple[str, bytes]
"""Namespace, run id."""
WriterKey = tuple[str, bytes, bytes]
"""Namespace, run id, writer id."""
Written = dict[RunKey, dict[str, str]]
"""Texts by key, of what is written once."""


@dataclass(slots=True)
class RunKeys:
    """The distinct keys that a run ever had; params and datasets are in State.params and .datasets."""

    metrics: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)

    def copy(self) -> RunKeys:
        """Equal ones that change by themselves."""
        return RunKeys(set(self.metrics), set(self.tags))


@dataclass(frozen=True, slots=True)
class State:
    """Runs that are there, sequences that were applied, texts of params and datasets by key, and the keys of runs that
    may come to a limit of theirs in the batch (a run that is not in `keys` can't).

    Of a batch it holds at least what the batch's events speak of. The fold never changes one; it answers with what
    became different.
    """

    runs: dict[RunKey, Run] = field(default_factory=dict)
    writers: dict[WriterKey, SequenceSet] = field(default_factory=dict)
    params: Written = field(default_factory=dict)
    datasets: Written = field(default_factory=dict)
    keys: dict[RunKey, RunKeys] = field(default_factory=dict)

    def after(self, changes: State) -> State:
        """The state with the changes of a fold."""
        return State(
            {**self.runs, **changes.runs},
            {**self.writers, **changes.writers},
            {**self.params, **changes.params},
            {**self.datasets, **changes.datasets},
            {**self.keys, **changes.keys},
        )
