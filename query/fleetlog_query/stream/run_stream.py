"""StreamRuns' core: all runs of a search, a response at a time, read no faster than they are taken.

The order is read once, as pages have it; then its runs are read a block at a time, a few blocks ahead. Which runs come
and in which order is as of the beginning; what they hold is as of when their block is read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from fleetlog_core import limits
from fleetlog_proto.v1 import query_pb2, run_pb2

from fleetlog_query.order.run_order import RunOrder
from fleetlog_query.runs.documents import Documents
from fleetlog_query.runs.read_mask import ReadMask
from fleetlog_query.runs.response_size import PROBE_RUNS, runs_that_fit
from fleetlog_query.runs.run_columns import RunBlock, RunColumns
from fleetlog_query.search.search import Search, Searcher
from fleetlog_query.search.token import check_page_size
from fleetlog_query.sql.branches import Branches
from fleetlog_query.warehouse.cancellable import CancellableWarehouse
from fleetlog_query.warehouse.holding import Holding

READ_SECONDS = 60.0
"""Maximum seconds of one response's reads: a stream as a whole takes as long as its reader."""
BLOCK = 20_000
"""Maximum runs that are read at a time."""
FIRST_BLOCK = 100
"""Tells how many keys such runs have."""
BLOCK_CELLS = 500_000
"""Values that are read at a time, if the runs of a block are like those of one before."""
AHEAD = 2
"""Blocks that are read beside each other, and ahead of what is sent: each statement takes one core."""
IDS = 65_536
"""Ids in one response: 1 MiB."""
MESSAGE_COPIES = 4
"""A run as a message takes about this many times its encoded size."""
MESSAGE_BYTES = limits.PAGE_BYTES
"""Maximum bytes of the runs in one response."""


@dataclass(frozen=True)
class RunStream:
    """A stream that is asked for."""

    search: Search
    mask: ReadMask
    summaries: bool
    format: query_pb2.RunFormat.ValueType


class RunStreams:
    """Makes the responses of streams."""

    def __init__(
        self, warehouse: CancellableWarehouse, searcher: Searcher, documents: Documents,
        branches: Branches,
    ) -> None:  # fmt: skip
        self._warehouse = warehouse
        self._searcher = searcher
        self._documents = documents
        self._columns = RunColumns(warehouse, branches)

    def responses(self, stream: RunStream, holding: Holding) -> Iterator[query_pb2.StreamRunsResponse]:
        """All of them; none for no runs. InvalidArgument as Searcher.search, TimedOut, ResourceExhausted.

        `holding` is told what is kept between two responses, and what is being read meanwhile.
        """
        size = check_page_size(stream.search.page_size, limits.PAGE_SIZE, limits.PAGE_SIZE)
        found = self._searcher.order(stream.search)
        if found is None:
            return
        order = found.order
        holding.bytes = order.ids.nbytes
        make = {query_pb2.RUN_FORMAT_ARROW: self._arrow, query_pb2.RUN_FORMAT_IDS: self._ids}.get(
            stream.format, self._messages
        )
        for response, upto in make(order, found.first, stream, size, holding):
            if upto < len(order):
                response.resume_token = found.token_behind(upto)
            yield response

    def _ids(
        self, order: RunOrder, first: int, stream: RunStream, size: int, holding: Holding
    ) -> Iterator[tuple[query_pb2.StreamRunsResponse, int]]:
        for begin in range(first, len(order), IDS):
            ids = order.ids[begin : begin + IDS]
            yield query_pb2.StreamRunsResponse(run_ids=ids.tobytes(), count=len(ids)), begin + len(ids)

    def _messages(
        self, order: RunOrder, first: int, stream: RunStream, size: int, holding: Holding
    ) -> Iterator[tuple[query_pb2.StreamRunsResponse, int]]:
        count, begun = min(size, PROBE_RUNS), holding.bytes
        while first < len(order):
            run_ids = order.part(first, count)
            places = {run_id.hex(): first + place for place, run_id in enumerate(run_ids)}
            runs = self._documents.read(
                stream.search.namespace,
                run_ids,
                stream.mask,
                stream.summaries,
                stream.search.as_of,
                keep=False,
            )
            holding.bytes = begun + MESSAGE_COPIES * sum(run.ByteSize() for run in runs)
            for some in _by_size(runs):
                yield query_pb2.StreamRunsResponse(runs=some, count=len(some)), places[some[-1].run_id] + 1
            first += count
            count = min(size, runs_that_fit(runs))

    def _arrow(
        self, order: RunOrder, begin: int, stream: RunStream, size: int, holding: Holding
    ) -> Iterator[tuple[query_pb2.StreamRunsResponse, int]]:
        # Only here: whoever asks for no Arrow needs none.
        from fleetlog_query.runs.arrow import streams

        search = stream.search

        def read(first: int, count: int) -> Future[list[RunBlock]]:
            data = order.ids[first : first + count].tobytes()
            return self._warehouse.beside(
                lambda: list(self._columns.read(search.namespace, search.experiments, data, stream.mask, search.as_of))
            )

        count, begun = FIRST_BLOCK, holding.bytes
        reading: deque[tuple[int, int, Future[list[RunBlock]]]] = deque()
        while reading or begin < len(order):
            if not reading:
                reading.append((begin, count, read(begin, count)))
                begin += count
            first, asked, made = reading.popleft()
            blocks = made.result()
            cells = sum(len(column.places) for block in blocks for column in block.keys)
            fitting = max(1, BLOCK_CELLS * asked // max(1, cells))
            # The next ones are read while these are put into Arrow.
            while len(reading) < AHEAD and begin < len(order):
                count = min(fitting, BLOCK)
                reading.append((begin, count, read(begin, count)))
                begin += count
            # Blocks are like those before them.
            size_of_run = sum(block.bytes for block in blocks) / asked
            holding.bytes = begun + int(size_of_run * (asked + sum(count for _, count, _ in reading)))
            for block in blocks:
                row = 0
                for arrow, rows in streams(block, size):
                    row += rows
                    upto = first + int(block.places[row - 1]) + 1
                    yield query_pb2.StreamRunsResponse(arrow=arrow, count=rows), upto


def _by_size(runs: list[run_pb2.Run]) -> Iterator[list[run_pb2.Run]]:
    """Parts that fit a response."""
    some: list[run_pb2.Run] = []
    total = 0
    for run in runs:
        size = run.ByteSize()
        if some and total + size > MESSAGE_BYTES:
            yield some
            some, total = [], 0
        some.append(run)
        total += size
    if some:
        yield some
