"""ListDatasets."""

from __future__ import annotations

from fleetlog_core import limits
from fleetlog_core.rules.names import check_namespace
from fleetlog_core.serving.errors import Context
from fleetlog_proto.v1 import dataset_pb2

from fleetlog_query.calls.base import QueryCalls, check_count
from fleetlog_query.datasets import list_datasets
from fleetlog_query.search.token import check_page_size


class DatasetCalls(QueryCalls):
    """Data that runs read."""

    async def ListDatasets(  # noqa: N802
        self, request: dataset_pb2.ListDatasetsRequest, context: Context
    ) -> dataset_pb2.ListDatasetsResponse:
        """See the proto."""
        namespace = check_namespace(request.namespace)
        check_count("experiment_ids", len(request.experiment_ids), 0, limits.EXPERIMENTS_PER_SEARCH)
        size, asked = check_page_size(request.page_size, 1_000, 10_000), sorted(set(request.experiment_ids))
        purpose = f"datasets:{namespace}:{asked}"
        after = self._tokens.read(purpose, request.page_token) if request.page_token else None
        place = None if after is None else (int(after[0]), str(after[1]))
        await self._wait(request.at_least, context)
        if not asked:
            every = await self._do(context, self._experiments.all, namespace)
            asked = [one.experiment_id for one in every if not one.deleted]
        found = await self._do(context, list_datasets, self._warehouse, namespace, asked, place, size + 1)
        token = self._tokens.make(purpose, list(found[size - 1][0])) if len(found) > size else ""
        return dataset_pb2.ListDatasetsResponse(datasets=[one for _, one in found[:size]], next_page_token=token)
