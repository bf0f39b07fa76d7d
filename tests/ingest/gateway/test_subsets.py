from __future__ import annotations

import numpy as np
from fleetlog_core.rules.imports import check_import
from fleetlog_ingest.gateway.subsets import subset
from fleetlog_proto.v1 import event_pb2
from hypothesis import given
from hypothesis import strategies as st

from tests.ingest.tables import expanded, tables


@given(tables(), st.data())
def test_some_runs_of_a_table_are_what_they_were_in_it(runs: event_pb2.RunsImported, data: st.DataObject) -> None:
    whole = expanded(runs)
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(whole), max_size=len(whole)).filter(any)))
    found = subset(runs, kept)
    check_import(found, "runs")
    wanted = {run: events for (run, events), stays in zip(whole.items(), kept.tolist(), strict=True) if stays}
    assert _bytes(expanded(found)) == _bytes(wanted)


def _bytes(events: dict[bytes, list[event_pb2.Event]]) -> dict[bytes, list[bytes]]:
    """NaN is not itself."""
    return {run: [event.SerializeToString(deterministic=True) for event in told] for run, told in events.items()}
