"""What the fold has to know of the log before a batch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from fleetlog_core.endings import Work

from fleetlog_ingest.materializer.fold.logged_models import Model
from fleetlog_ingest.materializer.fold.runs import Run
from fleetlog_ingest.materializer.fold.sequences import SequenceSet

RunKey = tuple[str, bytes]
"""Namespace, id of the run or of the logged model."""
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


@dataclass(slots=True)
class RunContent:
    """What a run has of which events come again; see repeats."""

    points: dict[str, list[npt.NDArray[np.uint64]]] | None = field(default_factory=dict)
    """Hashes of points by metric; None: they are too many to be known."""
    tags: set[tuple[str, str]] = field(default_factory=set)
    """Key and text of each that was ever set."""
    paths: set[str] = field(default_factory=set)
    """Paths of artifacts."""
    told: set[tuple[bytes, int]] = field(default_factory=set)
    """Writer and sequence of events of which the run has a problem."""

    def copy(self) -> RunContent:
        """An equal one that changes by itself."""
        points = None if self.points is None else {key: list(hashes) for key, hashes in self.points.items()}
        return RunContent(points, set(self.tags), set(self.paths), set(self.told))


@dataclass(frozen=True, slots=True)
class State:
    """Runs that are there, sequences that were applied, texts of params and datasets by key, and the keys of runs that
    may come to a limit of theirs in the batch (a run that is not in `keys` can't). In `content` are the runs of which
    events of the batch come again, with what they hold. `linked` is of links to models as `datasets` is of datasets;
    `models` are the logged models that are there.

    Of a batch it holds at least what the batch's events speak of. The fold never changes one; it answers with what
    became different.
    """

    runs: dict[RunKey, Run] = field(default_factory=dict)
    writers: dict[WriterKey, SequenceSet] = field(default_factory=dict)
    params: Written = field(default_factory=dict)
    datasets: Written = field(default_factory=dict)
    keys: dict[RunKey, RunKeys] = field(default_factory=dict)
    content: dict[RunKey, RunContent] = field(default_factory=dict)
    linked: Written = field(default_factory=dict)
    models: dict[RunKey, Model] = field(default_factory=dict)
    work: dict[WriterKey, Work] = field(default_factory=dict)
    """Writers that tell when they end."""

    def after(self, changes: State) -> State:
        """The state with the changes of a fold."""
        return State(
            {**self.runs, **changes.runs},
            {**self.writers, **changes.writers},
            {**self.params, **changes.params},
            {**self.datasets, **changes.datasets},
            {**self.keys, **changes.keys},
            {**self.content, **changes.content},
            {**self.linked, **changes.linked},
            {**self.models, **changes.models},
            {**self.work, **changes.work},
        )
