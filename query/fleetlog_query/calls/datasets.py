"""ListDatasets."""

from __future__ import annotations

from fleetlog_core import limits
from fleetlog_core.errors import check_count
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import dataset_pb2

from fleetlog_query.calls.base import QueryCalls
from fleetlog_query.datasets import list_datasets, place_of
from fleetlog_query.search.paging import Page


class DatasetCalls(QueryCalls):
    """Data that runs read."""

    async def ListDatasets(  # noqa: N802
        self, request: dataset_pb2.ListDatasetsRequest, context: Context
    ) -> dataset_pb2.ListDatasetsResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        check_count("experiment_ids", len(request.experiment_ids), 0, limits.EXPERIMENTS_PER_SEARCH)
        page = Page.of(self._tokens, request, namespace, 1_000, 10_000)
        await self._wait(request.at_least, context)
        ids = await self._do(context, self._experiment_ids, namespace, request.experiment_ids)
        found = await self._do(context, list_datasets, self._warehouse, namespace, ids, page.after, page.size + 1)
        datasets, token = page.cut(found, place_of)
        return dataset_pb2.ListDatasetsResponse(datasets=datasets, next_page_token=token)
