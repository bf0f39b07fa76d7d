"""Where a run stands among others that it goes on from, or that go on from it: forks and rewinds. Pure.

fork      goes on from a step of its source, and stands beside it
rewind    goes on from a step of its source, and takes its place: the source is superseded. The first rewind of a
          run in log order counts; a later one is hidden
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from fleetlog_core.ids import ID_BYTES

from fleetlog_ingest.materializer.fold.table_schemas import fixed16
from fleetlog_ingest.materializer.fold.tables import Columns

NO_RUN = bytes(ID_BYTES)


@dataclass(frozen=True, slots=True)
class Branch:
    """Columns of `runs` on branches; ids are NO_RUN where there is none."""

    source_run_id: bytes = NO_RUN
    source_step: int = 0
    root_run_id: bytes = NO_RUN
    """First branch of the run; NO_RUN of the first itself."""
    number: int = 0
    superseded_by: bytes = NO_RUN

    @property
    def is_superseded(self) -> bool:
        """True if another branch stands in its place."""
        return self.superseded_by != NO_RUN

    def after_rewind(self, branch_run_id: bytes) -> Branch:
        """Branch of the source once it was rewound."""
        return replace(self, superseded_by=branch_run_id)


ALONE = Branch()
"""Branch of a run that nobody branched, and that goes on from none."""


def forked(source_run_id: bytes, step: int) -> Branch:
    """Branch of a fork."""
    return Branch(source_run_id, step)


def rewound(source_run_id: bytes, source: Branch, step: int) -> Branch:
    """Branch of a rewind."""
    root = source_run_id if source.root_run_id == NO_RUN else source.root_run_id
    return Branch(source_run_id, step, root, source.number + 1)


def branch_columns(branches: Sequence[Branch]) -> Columns:
    """Columns of `runs` and of `run_history` on branches, a row each."""
    return {
        "source_run_id": fixed16([one.source_run_id for one in branches]),
        "source_step": np.array([one.source_step for one in branches], dtype=np.int64),
        "root_run_id": fixed16([one.root_run_id for one in branches]),
        "branch": np.array([one.number for one in branches], dtype=np.uint32),
        "superseded_by": fixed16([one.superseded_by for one in branches]),
    }
