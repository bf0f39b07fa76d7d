"""Reads and changes from outside a run. Reads see everything that this process wrote before, without asking."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Unpack

from fleetlog_core.ids import new_random_id
from fleetlog_core.rules.paths import check_artifact_path
from fleetlog_proto.v1 import event_pb2, ingest_pb2, query_pb2, scope_pb2, selection_pb2, watch_pb2

from fleetlog.comparing import Comparison, Of
from fleetlog.connection import Connection, connection_to, resolve_namespace
from fleetlog.deliveries import flush, wait_applied
from fleetlog.errors import FleetlogError, NotFound
from fleetlog.facets import KeyInfo, ValueCount, list_keys, list_values
from fleetlog.searches import RunSearch, search
from fleetlog.selection import Objective, Selection, mode_of, objectives_of, statistic_of
from fleetlog.series import Buckets, Series, Which, gather, metric_request
from fleetlog.views import Experiment, RunList, RunView
from fleetlog.watching import RunChanges, RunWatch

_VIEWS = {
    "active": scope_pb2.DELETED_VIEW_ACTIVE,
    "deleted": scope_pb2.DELETED_VIEW_DELETED,
    "all": scope_pb2.DELETED_VIEW_ALL,
}
_TOTALS = {
    None: query_pb2.TOTAL_COUNT_NONE,
    "at_least": query_pb2.TOTAL_COUNT_AT_LEAST,
    "exact": query_pb2.TOTAL_COUNT_EXACT,
}
PAGE = 1000
READ_SECONDS = 60.0


class Client:
    """A server's runs in one namespace. Cheap to make; one process shares one connection to each server."""

    def __init__(self, target: str | None = None, namespace: str | None = None) -> None:
        self.target = connection_to(target).target
        self.namespace = resolve_namespace(namespace)

    @property
    def _connection(self) -> Connection:
        # Looked up each time: after a fork the parent's channel can't be used.
        return connection_to(self.target)

    # -- runs -------------------------------------------------------------------------------------------------

    def search_runs(
        self,
        filter: str = "",  # noqa: A002
        *,
        experiments: Sequence[str | int] = (),
        order_by: Sequence[str] = (),
        limit: int | None = 100,
        read_mask: Sequence[str] = (),
        summaries: bool = False,
        deleted: str = "active",
        total: str | None = None,
    ) -> RunList:
        """Runs that match a filter; see docs/filter.md. `limit=None` is all of them, read when they are looked at.

        `experiments` are names or numbers, none = all; `order_by` has items such as "metrics.val_loss ASC"; `read_mask`
        names what to fill ("attributes", "params", "metrics.val_loss", …), empty = everything. `total` counts what
        matches without the limit: "exact", or "at_least", which stops at 10,000.
        """
        request = self._search_request(filter, experiments, order_by, read_mask, summaries, deleted)
        request.total_count = _TOTALS[total]
        return search(RunSearch(self.target, request, self), limit)

    def stream_runs(
        self,
        filter: str = "",  # noqa: A002
        *,
        experiments: Sequence[str | int] = (),
        order_by: Sequence[str] = (),
        read_mask: Sequence[str] = (),
        summaries: bool = False,
        deleted: str = "active",
    ) -> Iterator[RunView]:
        """All runs that match, one after another, however many: only some are at hand at a time. See search_runs.

        Which runs and in which order is as of the beginning: a run that changes meanwhile comes once. Goes on by itself
        when the connection breaks; runs that changed places meanwhile may then come twice or not.
        """
        request = self._search_request(filter, experiments, order_by, read_mask, summaries, deleted)
        return RunSearch(self.target, request, self).runs()

    def watch_runs(
        self,
        filter: str = "",  # noqa: A002
        *,
        experiments: Sequence[str | int] = (),
        order_by: Sequence[str] = (),
        limit: int = 100,
        read_mask: Sequence[str] = (),
        deleted: str = "active",
    ) -> Iterator[RunChanges]:
        """The first runs of a search, and again whenever they change: what is new is told within a third of a second.

        The first item has all of them; it comes at once. Goes on by itself when the server is away for a while, and
        misses nothing. `limit` is at most 1,000; the rest as in search_runs.
        """
        scope = scope_pb2.RunScope(
            namespace=self.namespace,
            experiment_ids=[one for one in experiments if isinstance(one, int)],
            experiment_names=[one for one in experiments if isinstance(one, str)],
            filter=filter,
            deleted_view=_VIEWS[deleted],
            at_least=self._connection.position(),
        )
        request = watch_pb2.WatchRunsRequest(scope=scope, order_by=order_by, limit=limit, read_mask=read_mask)
        return RunWatch(self.target, request, self).changes()

    def _search_request(
        self, filter_: str, experiments: Sequence[str | int], order_by: Sequence[str], read_mask: Sequence[str],
        summaries: bool, deleted: str,
    ) -> query_pb2.SearchRunsRequest:  # fmt: skip
        return query_pb2.SearchRunsRequest(
            namespace=self.namespace,
            experiment_ids=[one for one in experiments if isinstance(one, int)],
            experiment_names=[one for one in experiments if isinstance(one, str)],
            filter=filter_,
            order_by=order_by,
            read_mask=read_mask,
            summaries=summaries,
            deleted_view=_VIEWS[deleted],
            at_least=self._connection.position(),
        )

    def get_run(self, run_id: str) -> RunView:
        """One run with summaries and problems. NotFound."""
        request = query_pb2.GetRunRequest(namespace=self.namespace, run_id=run_id, at_least=self._connection.position())
        return RunView(self._connection.call(self._connection.query.GetRun, request, READ_SECONDS).run, self)

    def get_runs(self, run_ids: Sequence[str], *, summaries: bool = False) -> RunList:
        """Runs by id, in the order asked for; those that are not there are left out."""
        runs: list[RunView] = []
        for first in range(0, len(run_ids), PAGE):
            request = query_pb2.GetRunsRequest(
                namespace=self.namespace,
                run_ids=run_ids[first : first + PAGE],
                summaries=summaries,
                at_least=self._connection.position(),
            )
            response = self._connection.call(self._connection.query.GetRuns, request, READ_SECONDS)
            runs += [RunView(run, self) for run in response.runs]
        return RunList(runs)

    def compare(self, run_ids: Sequence[str], *, of: Of = "last") -> Comparison:
        """Runs side by side: params and tags that differ, and all metrics. NotFound when one of them is not there.

        `of`: which number of each metric, "last", "min", "max", "mean" or "first".
        """
        runs = self.get_runs(run_ids, summaries=of != "last")
        if len(runs) < len(run_ids):
            there = {run.id for run in runs}
            missing = [one for one in run_ids if one.lower().replace("-", "") not in there]
            raise NotFound("RUN_NOT_FOUND", f"there is no run {missing[0]} in this namespace")
        return Comparison(runs, of)

    def best_run(
        self,
        experiment: str | int,
        *,
        minimize: str | None = None,
        maximize: str | None = None,
        filter: str = "",  # noqa: A002
    ) -> RunView | None:
        """The run with the lowest or highest number, None when no run has one.

        Of "metrics.x", "params.x", "min(metrics.x)", "metrics.x - metrics.y", …: what order_by of a search may say.
        """
        if (minimize is None) == (maximize is None):
            raise ValueError("give one of minimize and maximize, for example minimize='metrics.val_loss'")
        key = minimize or maximize or ""
        there = f"{key} != NaN"
        runs = self.search_runs(
            f"({filter}) AND {there}" if filter else there,
            experiments=[experiment],
            order_by=[f"{key} {'ASC' if minimize else 'DESC'}"],
            limit=1,
        )
        return runs[0] if runs else None

    def select(
        self,
        where: str = "",
        *,
        experiments: Sequence[str | int] = (),
        minimize: str | Sequence[str] | None = None,
        maximize: str | Sequence[str] | None = None,
        objectives: Sequence[str | Objective] = (),
        mode: str = "lexicographic",
        group_by: str | Sequence[str] = (),
        min_count: int = 1,
        statistic: str = "mean",
        confidence: float = 0.95,
        artifact: str = "",
        limit: int = 10,
        runs_per_group: int = 1,
        read_mask: Sequence[str] = (),
        deleted: str = "active",
    ) -> Selection:
        """The best runs, or with `group_by` the best groups of runs (such as the seeds of one setting), and why.

        client.select(experiments=["speedrun"], minimize="metrics.train_time", where="metrics.val_loss <= 3.28")
        client.select(minimize="min(metrics.val_loss)", group_by=["params.lr", "params.layers"], min_count=3)
        client.select(objectives=["metrics.val_loss ASC", "metrics.accuracy DESC"], mode="pareto")

        `where` is a filter; each of its parts that AND joins is asked one after another, and `why()` of the answer
        says how many runs each put aside. Several objectives (in the order `objectives`, `minimize`, `maximize`)
        become one order by `mode`: lexicographic, weighted or pareto. `statistic` (mean, median, best or worst) stands
        for a group. `artifact`: only runs with an artifact of this path or below it. `read_mask` as in search_runs;
        empty = attributes and what objectives and groups name. InvalidArgument.
        """
        wanted = objectives_of(minimize, maximize, objectives)
        request = selection_pb2.SelectRunsRequest(
            scope=self._scope(where, experiments, deleted),
            objectives=[one.message() for one in wanted],
            mode=mode_of(mode),
            group_by=[group_by] if isinstance(group_by, str) else group_by,
            min_count=min_count,
            statistic=statistic_of(statistic),
            confidence=confidence,
            limit=limit,
            runs_per_group=runs_per_group,
            artifact_path=artifact,
            read_mask=read_mask,
        )
        response = self._connection.call(self._connection.query.SelectRuns, request, READ_SECONDS)
        return Selection.of(response, [one.value for one in wanted], self)

    def update_run(
        self,
        run_id: str,
        *,
        name: str | None = None,
        tags: Mapping[str, object] | None = None,
        deleted_tags: Iterable[str] = (),
        state: str | None = None,
        deleted: bool | None = None,
    ) -> None:
        """Rename, tag, end, delete or restore a run from outside its training code. NotFound, InvalidArgument."""
        request = ingest_pb2.UpdateRunRequest(
            namespace=self.namespace,
            run_id=run_id,
            request_id=new_random_id(),
            name=name,
            tags={str(key): str(value) for key, value in (tags or {}).items()},
            deleted_tags=deleted_tags,
            state=event_pb2.RunState.Value(f"RUN_STATE_{(state or 'UNSPECIFIED').upper()}"),
            deleted=deleted,
        )
        # The gateway looks the run up: what this process wrote of it must be there.
        wait_applied(self._connection, READ_SECONDS)
        self._connection.saw(self._connection.call(self._connection.ingest.UpdateRun, request).position)

    def delete_run(self, run_id: str) -> None:
        """Hide a run from searches; its data stays."""
        self.update_run(run_id, deleted=True)

    def restore_run(self, run_id: str) -> None:
        """Bring a deleted run back."""
        self.update_run(run_id, deleted=False)

    # -- facets -----------------------------------------------------------------------------------------------

    def keys(
        self,
        filter: str = "",  # noqa: A002
        *,
        experiments: Sequence[str | int] = (),
        kind: str = "",
        contains: str = "",
        deleted: str = "active",
    ) -> list[KeyInfo]:
        """The metrics, params and tags that runs have, with counts and ranges; `kind` is one of these three words."""
        return list_keys(self._connection, self._scope(filter, experiments, deleted), kind, contains)

    def values(
        self,
        key: str,
        filter: str = "",  # noqa: A002
        *,
        experiments: Sequence[str | int] = (),
        contains: str = "",
        limit: int | None = 100,
        deleted: str = "active",
    ) -> list[ValueCount]:
        """The values of "params.model", "tags.team" or an attribute such as "user", the most frequent first."""
        return list_values(self._connection, self._scope(filter, experiments, deleted), key, contains, limit)

    def _scope(self, where: str, experiments: Sequence[str | int], deleted: str) -> scope_pb2.RunScope:
        return scope_pb2.RunScope(
            namespace=self.namespace,
            experiment_ids=[one for one in experiments if isinstance(one, int)],
            experiment_names=[one for one in experiments if isinstance(one, str)],
            filter=where,
            deleted_view=_VIEWS[deleted],
            at_least=self._connection.position(),
        )

    # -- metrics ----------------------------------------------------------------------------------------------

    def read_metric(self, run_id: str, key: str, *, last: int | None = None, **which: Unpack[Which]) -> Series:
        """The points of a metric, those of every writer; none at all when the run has no such metric.

        `last`: only so many points, the last ones. See fleetlog.series.Which for the rest.
        """
        series = self.read_series([run_id], [key], last=last, **which)
        return series[0] if series else Series(key, b"", b"", b"", run_id)

    def read_series(
        self, run_ids: Sequence[str], keys: Sequence[str], *, last: int | None = None, per_rank: bool = False,
        **which: Unpack[Which],
    ) -> list[Series]:  # fmt: skip
        """Points of metrics of many runs (up to 1,000, of 100 metrics), by run, key and rank as asked for.

        Series that are not there are left out. `last`: of each only so many points, the last; `per_rank`: the points
        of each rank are a series by themselves.
        """
        return self._read(metric_request(run_ids, keys, which, last=last, per_rank=per_rank))[0]

    def read_buckets(self, run_id: str, key: str, buckets: int, **which: Unpack[Which]) -> Buckets:
        """A metric in at most `buckets` buckets."""
        found = self.read_curves([run_id], [key], buckets, **which)
        return found[0] if found else Buckets(key, [], run_id)

    def read_curves(
        self, run_ids: Sequence[str], keys: Sequence[str], buckets: int = 1000, *, per_rank: bool = False,
        **which: Unpack[Which],
    ) -> list[Buckets]:  # fmt: skip
        """Metrics of many runs in at most so many buckets each, the same ones for all, so that their curves line up.

        No extreme is lost: every point is in a bucket, and each has its lowest and highest value.
        """
        if buckets < 1:
            raise ValueError(f"buckets is {buckets}, expected at least 1")
        return self._read(metric_request(run_ids, keys, which, buckets=buckets, per_rank=per_rank))[1]

    def _read(self, request: query_pb2.ReadMetricRequest) -> tuple[list[Series], list[Buckets]]:
        connection = self._connection
        request.namespace = self.namespace
        request.at_least.CopyFrom(connection.position())
        with connection.calling():
            return gather(connection.query.ReadMetric(request, timeout=READ_SECONDS))

    # -- experiments ------------------------------------------------------------------------------------------

    def experiments(self, *, deleted: str = "active") -> list[Experiment]:
        """All experiments by number."""
        request = query_pb2.ListExperimentsRequest(
            namespace=self.namespace,
            page_size=PAGE,
            deleted_view=_VIEWS[deleted],
            at_least=self._connection.position(),
        )
        found: list[Experiment] = []
        while True:
            response = self._connection.call(self._connection.query.ListExperiments, request, READ_SECONDS)
            found += [Experiment.of(one) for one in response.experiments]
            if not response.next_page_token:
                return found
            request.page_token = response.next_page_token

    def get_experiment(self, which: str | int) -> Experiment:
        """One experiment by name or number. NotFound."""
        request = query_pb2.GetExperimentRequest(namespace=self.namespace, at_least=self._connection.position())
        if isinstance(which, int):
            request.experiment_id = which
        else:
            request.name = which
        return Experiment.of(self._connection.call(self._connection.query.GetExperiment, request).experiment)

    def create_experiment(
        self, name: str, tags: Mapping[str, object] | None = None, *, exist_ok: bool = False
    ) -> Experiment:
        """Make an experiment. AlreadyExists unless exist_ok."""
        request = ingest_pb2.CreateExperimentRequest(
            namespace=self.namespace,
            request_id=new_random_id(),
            name=name,
            tags={str(key): str(value) for key, value in (tags or {}).items()},
            exist_ok=exist_ok,
        )
        response = self._connection.call(self._connection.ingest.CreateExperiment, request)
        self._connection.saw(response.position)
        return Experiment.of(response.experiment)

    def update_experiment(
        self, experiment_id: int, *, name: str | None = None, tags: Mapping[str, object] | None = None
    ) -> Experiment:
        """Rename an experiment or set tags. NotFound, AlreadyExists."""
        request = ingest_pb2.UpdateExperimentRequest(
            namespace=self.namespace,
            request_id=new_random_id(),
            experiment_id=experiment_id,
            name=name,
            tags={str(key): str(value) for key, value in (tags or {}).items()},
        )
        response = self._connection.call(self._connection.ingest.UpdateExperiment, request)
        self._connection.saw(response.position)
        return Experiment.of(response.experiment)

    def delete_experiment(self, experiment_id: int) -> Experiment:
        """Hide an experiment and its runs from searches."""
        request = ingest_pb2.DeleteExperimentRequest(
            namespace=self.namespace, request_id=new_random_id(), experiment_id=experiment_id
        )
        response = self._connection.call(self._connection.ingest.DeleteExperiment, request)
        self._connection.saw(response.position)
        return Experiment.of(response.experiment)

    def restore_experiment(self, experiment_id: int) -> Experiment:
        """Bring a deleted experiment back."""
        request = ingest_pb2.RestoreExperimentRequest(
            namespace=self.namespace, request_id=new_random_id(), experiment_id=experiment_id
        )
        response = self._connection.call(self._connection.ingest.RestoreExperiment, request)
        self._connection.saw(response.position)
        return Experiment.of(response.experiment)

    # -- artifacts --------------------------------------------------------------------------------------------

    def list_artifacts(self, run_id: str, path: str = "") -> list[query_pb2.Artifact]:
        """Files of a run (path, size_bytes, sha256), all or those below a path."""
        request = query_pb2.ListArtifactsRequest(
            namespace=self.namespace, run_id=run_id, path=path, at_least=self._connection.position()
        )
        found: list[query_pb2.Artifact] = []
        while True:
            response = self._connection.call(self._connection.query.ListArtifacts, request, READ_SECONDS)
            found += response.artifacts
            if not response.next_page_token:
                return found
            request.page_token = response.next_page_token

    def download_artifact(self, run_id: str, path: str, to: str | Path) -> Path:
        """Download a file into a folder, or to a path; verified before it shows. The path it was written to.

        A download that broke off goes on where it stopped.
        """
        check_artifact_path(path)
        target = Path(to) / path if Path(to).is_dir() else Path(to)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        offset = part.stat().st_size if part.exists() else 0
        request = query_pb2.DownloadArtifactRequest(
            namespace=self.namespace,
            run_id=run_id,
            path=path,
            offset_bytes=offset,
            at_least=self._connection.position(),
        )
        expected = b""
        try:
            connection = self._connection
            with part.open("ab") as file, connection.calling():
                for response in connection.query.DownloadArtifact(request, timeout=3600.0):
                    if response.HasField("artifact"):
                        expected = response.artifact.sha256
                    file.write(response.chunk)
        except FleetlogError:
            if not part.stat().st_size:
                part.unlink()
            raise
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        if digest != expected:
            part.unlink()
            raise FleetlogError("DIGEST_MISMATCH", f"{path} did not arrive as it was stored; download it again")
        part.replace(target)
        return target

    def flush(self, timeout: float = 30.0, level: str = "durable") -> None:
        """Wait until everything this process logged is durable, or (level "applied") can be read."""
        flush(self.target, timeout, level)
