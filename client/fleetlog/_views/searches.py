"""Searches: some runs, or all of them as they stream in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleetlog_core.printable import printable
from fleetlog_proto.v1 import query_pb2, run_pb2

from fleetlog._transport.answers import bad_answer, understood
from fleetlog._transport.connection import connection_to
from fleetlog._transport.streaming import resumed
from fleetlog._transport.traces import trace_metadata
from fleetlog._values.as_of import AsOf, as_of_of
from fleetlog._values.position import Position
from fleetlog._views.frames import batches_of, table_of_batches
from fleetlog._views.notebook import RUNS, runs_html
from fleetlog._views.views import Reader, RunList, RunView

if TYPE_CHECKING:
    import pyarrow as pa

PAGE = 1_000
RETRIES = 8
"""How often in a row a stream is taken up again that brings nothing."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A search in words, line by line, and what it reads; `reads_points`: more than summaries and latest values."""

    lines: tuple[str, ...]
    reads_points: bool

    def __str__(self) -> str:
        return "\n".join(map(printable, self.lines))


class RunSearch:
    """A search without a limit: its runs can be streamed as often as wanted."""

    def __init__(
        self, target: str, request: query_pb2.SearchRunsRequest, reader: Reader, timeout_seconds: float
    ) -> None:
        self.target = target
        self._timeout_seconds = timeout_seconds
        self._request = request
        self.reader = reader

    @property
    def as_of(self) -> AsOf | None:
        """Moment that it is of; None = now."""
        return as_of_of(self._request)

    def first_page(self, size: int) -> query_pb2.SearchRunsResponse:
        """What SearchRuns answers."""
        request = query_pb2.SearchRunsRequest()
        request.CopyFrom(self._request)
        request.page_size = size
        connection = connection_to(self.target)
        page = connection.call(connection.query.SearchRuns, request, self._timeout_seconds)
        if len(page.runs) > size:
            raise bad_answer(self.target, f"a page of {len(page.runs):,} runs, and {size:,} were asked for")
        return page

    def view(self, run: run_pb2.Run) -> RunView:
        """A run of an answer. BAD_ANSWER."""
        with understood(self.target, "a run"):
            return RunView(run, self.reader, self.as_of)

    def runs(self) -> Iterator[RunView]:
        """Every run, in order; as many are at hand as one response holds."""
        for response in self._responses(query_pb2.RUN_FORMAT_MESSAGES):
            for run in response.runs:
                yield self.view(run)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The runs as Arrow: some hundred runs a batch, with the columns that these have."""
        for response in self._responses(query_pb2.RUN_FORMAT_ARROW):
            with understood(self.target, "a table of runs"):
                batches = list(batches_of(response.arrow))
            yield from batches

    def _responses(self, format_: query_pb2.RunFormat.ValueType) -> Iterator[query_pb2.StreamRunsResponse]:
        request = query_pb2.StreamRunsRequest(search=self._request, format=format_)
        responses = resumed(
            self.target, lambda stub: stub.StreamRuns(request, metadata=trace_metadata()), lambda: RETRIES
        )
        with closing(responses):
            for response in responses:
                yield response
                if not response.resume_token:
                    return
                request.search.page_token = response.resume_token


class AllRuns(RunList):
    """All the runs of a search that has many: read when they are looked at.

    Iterating reads them all and keeps them; to_arrow, to_pandas and to_polars read them as columns and make no object
    for each run.
    """

    def __init__(self, search: RunSearch, total: int | None, total_is_lower_bound: bool) -> None:
        self._search = search
        self._read: Sequence[RunView] | None = None
        self.total, self.total_is_lower_bound = total, total_is_lower_bound

    @property
    def _runs(self) -> Sequence[RunView]:
        if self._read is None:
            self._read = list(self._search.runs())
        return self._read

    def __repr__(self) -> str:
        return super().__repr__() if self._read is not None else "<fleetlog.RunList, not read yet>"

    def _repr_html_(self) -> str:
        if self._read is not None:
            return super()._repr_html_()
        # A look at a cell must not read millions of runs.
        runs = [self._search.view(run) for run in self._search.first_page(RUNS).runs]
        return runs_html(runs, self.total, self._search.reader, self._search.as_of)

    def to_arrow(self) -> pa.Table:
        """See RunList.to_arrow."""
        batches = list(self._search.batches())
        with understood(self._search.target, "a table of runs"):
            return table_of_batches(batches)


def search(search: RunSearch, limit: int | None) -> RunList:
    """The first runs of a search, or all with None."""
    if limit is not None and limit <= 0:
        return RunList(())
    page = search.first_page(PAGE if limit is None else min(PAGE, limit))
    found = _found(search, page, limit)
    found.position = Position.of(page.as_of) if page.HasField("as_of") else None
    return found


def _found(search: RunSearch, page: query_pb2.SearchRunsResponse, limit: int | None) -> RunList:
    total = page.total_count if page.HasField("total_count") else None
    if page.next_page_token and limit is None:
        return AllRuns(search, total, page.total_count_is_lower_bound)
    if page.next_page_token and limit is not None and len(page.runs) < limit:
        # Not page by page: a run that moves from one to another meanwhile would come twice or not at all.
        return RunList(list(itertools.islice(search.runs(), limit)), total, page.total_count_is_lower_bound)
    return RunList([search.view(run) for run in page.runs], total, page.total_count_is_lower_bound)
