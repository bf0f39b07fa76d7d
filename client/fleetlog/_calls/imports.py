"""Runs that were made elsewhere, brought here as tables."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import event_pb2, ingest_pb2, position_pb2

from fleetlog._calls.experiments import ExperimentCalls
from fleetlog._delivery.diagnostics import diagnostics
from fleetlog._imports.importing import LeftOutValue, messages, told_of
from fleetlog._imports.run_tables import RunTable
from fleetlog._imports.tables import Table
from fleetlog._values import arguments
from fleetlog._views.views import Experiment

IN_FLIGHT = 6
"""Tables on their way while the next one is made."""
TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class ImportedRuns:
    """What became of a table: how many runs were imported, and how many were there already and stay as they are.

    `left_out` are values that no run can have, such as a metric that is no number; the rest of their rows is imported.
    """

    imported: int
    existing: int
    ids: tuple[bytes, ...]
    left_out: tuple[LeftOutValue, ...] = ()

    @property
    def run_ids(self) -> list[str]:
        """The ids of all of them, by row."""
        return [run_id.hex() for run_id in self.ids]


class ImportCalls(ExperimentCalls):
    """Tables of runs."""

    def import_runs(
        self, table: Table, experiment: str | int | Experiment, *, on_progress: Callable[[int, int], None] | None = None
    ) -> ImportedRuns:
        """Bring runs here that were made elsewhere, a row each: thousands a second, durable when it returns.

        Again with the same run ids it adds nothing twice, so an import that broke off can be repeated.

        Args:
            table: A dict of columns, a pandas or polars DataFrame or an Arrow table, such as `mlflow.search_runs()` or
                `search_runs(...).to_pandas()` give; see docs/importing.md for its columns.
            experiment: Name, number or Experiment. One by name is made when it is not there.
            on_progress: Is told (rows that are done, rows in all).

        Returns:
            ImportedRuns: how many are new, how many were there, their ids, and what was left out.

        Raises:
            ValueError: A column or a cell can't be of a run.
            FleetlogError: The server refused them, or does not answer.

        Examples:
            >>> done = client.import_runs({"params.lr": [0.1, 0.2], "metrics.val_loss": [3.4, 3.3]}, "sweep")
            >>> done.imported
            2

        """
        rows = RunTable(table)
        known = arguments.experiment(experiment)
        number = known if isinstance(known, int) else self.create_experiment(known, exist_ok=True).id
        imported = existing = done = 0
        # Once, before them: tables wait for what this process wrote, not for one another.
        at_least = self._connection.position()
        left_out: list[LeftOutValue] = []
        under_way: deque[tuple[int, Future[ingest_pb2.ImportRunsResponse]]] = deque()
        with ThreadPoolExecutor(IN_FLIGHT, "fleetlog-import") as pool:

            def settle(most: int) -> None:
                nonlocal imported, existing, done
                while len(under_way) > most:
                    count, future = under_way.popleft()
                    response = future.result()
                    self._connection.saw(response.position)
                    imported, existing, done = imported + response.imported, existing + response.existing, done + count
                    if on_progress is not None:
                        on_progress(done, rows.count)

            for count, message in messages(rows, number, left_out):
                under_way.append((count, pool.submit(self._import, message, at_least)))
                settle(IN_FLIGHT)
            settle(0)
        if left_out:
            diagnostics.warning("%s", told_of(left_out))
        return ImportedRuns(imported, existing, tuple(rows.ids), tuple(left_out))

    def _import(self, runs: event_pb2.RunsImported, at_least: position_pb2.Position) -> ingest_pb2.ImportRunsResponse:
        request = ingest_pb2.ImportRunsRequest(
            namespace=self.namespace, request_id=new_random_id(), runs=runs, at_least=at_least
        )
        return self._connection.call(self._connection.ingest.ImportRuns, request, TIMEOUT_SECONDS)
