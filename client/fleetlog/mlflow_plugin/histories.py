"""Points of metrics, as MLflow's pages and client ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlflow.entities import Metric
from mlflow.entities.metric import MetricWithRunId
from mlflow.store.entities.paged_list import PagedList
from mlflow.utils.search_utils import SearchUtils

from fleetlog._views.series import Series
from fleetlog.client import Client
from fleetlog.mlflow_plugin.entities import distinct_points, shown_value
from fleetlog.mlflow_plugin.errors import translated
from fleetlog.mlflow_plugin.searching import SearchStore

Points = list[tuple[int, int, float]]
"""Time, step and value of each."""


class HistoryStore(SearchStore):
    """Points of the namespace's metrics."""

    def get_metric_history(
        self, run_id: str, metric_key: str, max_results: int | None = None, page_token: str | None = None
    ) -> PagedList:
        """Returns the points of a metric by time, step and value, those that are the same once."""
        offset = SearchUtils.parse_start_offset_from_page_token(page_token)
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

    def _points(self, run_ids: Sequence[str], key: str) -> dict[str, Points]:
        self.writers.flush()
        client = Client(self.place.target, self.place.namespace)
        known = [run_id for run_id in dict.fromkeys(run_ids) if _is_id(run_id)]
        with translated():
            series = client.read_series(known, [key]) if known and key else []
        return {one.run_id: distinct_points(list(_rows(one))) for one in series}


def _is_id(run_id: str) -> bool:
    return len(run_id) == 32 and not set(run_id) - set("0123456789abcdef")


def _rows(series: Series) -> Iterable[tuple[int, int, float]]:
    return zip(series.times.tolist(), series.steps.tolist(), series.values.tolist(), strict=True)


def _metric(key: str, point: tuple[int, int, float]) -> Metric:
    time, step, value = point
    return Metric(key, shown_value(value), time, step)
