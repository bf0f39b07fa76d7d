"""fleetlog runs writers: the processes that write to a run."""

from __future__ import annotations

from fleetlog.cli.context import AsJson, Namespace, RunId, Target
from fleetlog.cli.output import print_json, print_rows
from fleetlog.cli.run_ids import find_run
from fleetlog.client import Client


def writers(run_id: RunId, target: Target = None, namespace: Namespace = None, as_json: AsJson = False) -> None:
    """List the processes that write to a run: rank, whether it is at work, when it was last heard of, what is missing.

    Example: fleetlog runs writers 0190a3b4
    """
    client = Client(target, namespace)
    found = client.writers(find_run(client, run_id))
    if as_json:
        print_json([vars(one) for one in found])
        return
    rows = [(one.rank, one.state, one.last_time, one.last_sequence, one.missing_events, one.id) for one in found]
    print_rows(["rank", "state", "last record", "events", "missing", "writer_id"], rows)
