"""Points of metrics, as MLflow's pages and client ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Unpack

from mlflow.entities import Metric
from mlflow.entities.metric import MetricWithRunId
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.tracking import MAX_RESULTS_GET_METRIC_HISTORY
from mlflow.utils.search_utils import SearchUtils

from fleetlog._views.series import Series, Which
from fleetlog.client import Client
from fleetlog.mlflow_plugin.entities import distinct_points, shown_value
from fleetlog.mlflow_plugin.errors import translated
from fleetlog.mlflow_plugin.page_answers import points_answer
from fleetlog.mlflow_plugin.page_tokens import page_start
from fleetlog.mlflow_plugin.searching import SearchStore

Points = list[tuple[int, int, float]]
"""Time, step and value of each."""


class HistoryStore(SearchStore):
    """Points of the namespace's metrics."""

    def get_metric_history(
        self, run_id: str, metric_key: str, max_results: int | None = None, page_token: str | None = None
    ) -> PagedList:
        """Returns the points of a metric by time, step and value, those that are the same once."""
        offset = page_start(page_token)
        points = self._points([run_id], metric_key).get(run_id, [])[offset:]
        token = None
        if max_results is not None and len(points) > max_results:
            points, token = points[:max_results], SearchUtils.create_page_token(offset + max_results)
        return PagedList([_metric(metric_key, point) for point in points], token)

    def get_metric_history_bulk(
        self, run_ids: Sequence[str], metric_key: str, max_results: int
    ) -> list[MetricWithRunId]:
        """Returns points of a metric of several runs, by run."""
        found = self._points(run_ids, metric_key)
        every = [(run_id, point) for run_id in sorted(found) for point in found[run_id]]
        return [MetricWithRunId(_metric(metric_key, point), run_id) for run_id, point in every[:max_results]]

    def get_metric_history_bulk_interval_from_steps(
        self, run_id: str, metric_key: str, steps: Sequence[int], max_results: int
    ) -> list[MetricWithRunId]:
        """Returns the points of a metric at some steps, by step, time and value."""
        wanted = set(steps)
        if not wanted:
            return []
        found = self._points([run_id], metric_key, min_step=min(wanted), max_step=max(wanted)).get(run_id, [])
        points = _by_step([point for point in found if point[1] in wanted], max_results)
        return [MetricWithRunId(_metric(metric_key, point), run_id) for point in points]

    def get_metric_history_bulk_interval(
        self, run_ids: Sequence[str], metric_key: str, max_results: int, start_step: int | None, end_step: int | None
    ) -> list[MetricWithRunId]:
        """Returns points of a metric of several runs for a chart: about `max_results` steps, the same ones for all,
        with the first and the last of each run. The server chooses them, where MLflow's own code reads all that there
        is. Without a first step it is 0, as MLflow has it."""
        return [
            MetricWithRunId(_metric(metric_key, point), run_id)
            for run_id, points in self._sampled(run_ids, metric_key, max_results, start_step, end_step)
            for point in points
        ]

    def interval_json(
        self, run_ids: Sequence[str], metric_key: str, max_results: int, start_step: int | None, end_step: int | None
    ) -> str:
        """As get_metric_history_bulk_interval: MLflow's answer to its page."""
        return points_answer(metric_key, self._sampled(run_ids, metric_key, max_results, start_step, end_step))

    def _sampled(
        self, run_ids: Sequence[str], key: str, sample: int, start_step: int | None, end_step: int | None
    ) -> list[tuple[str, Points]]:
        found = self._points(run_ids, key, sample=sample, min_step=start_step or 0, max_step=end_step)
        return [(run_id, _by_step(found.get(run_id, []), MAX_RESULTS_GET_METRIC_HISTORY)) for run_id in run_ids]

    def _points(
        self, run_ids: Sequence[str], key: str, sample: int | None = None, **which: Unpack[Which]
    ) -> dict[str, Points]:
        self.writers.flush()
        self.writers.position()
        client = Client(self.place.target, self.place.namespace)
        known = [run_id for run_id in dict.fromkeys(run_ids) if _is_id(run_id)]
        with translated():
            series = client.read_series(known, [key], sample=sample, **which) if known and key else []
        return {one.run_id: distinct_points(list(_rows(one))) for one in series}


def _by_step(points: Points, max_results: int) -> Points:
    return sorted(points, key=itemgetter(1, 0))[:max_results]


def _is_id(run_id: str) -> bool:
    return len(run_id) == 32 and not set(run_id) - set("0123456789abcdef")


def _rows(series: Series) -> Iterable[tuple[int, int, float]]:
    return zip(series.times.tolist(), series.steps.tolist(), series.values.tolist(), strict=True)


def _metric(key: str, point: tuple[int, int, float]) -> Metric:
    time, step, value = point
    return Metric(key, shown_value(value), time, step)
