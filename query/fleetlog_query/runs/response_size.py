"""How much an answer may hold: pages end early when their runs are large, and nothing is sent that can't be taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from fleetlog_core import limits
from fleetlog_core.errors import ResourceExhausted
from fleetlog_proto.v1 import aggregate_pb2, logged_model_pb2, query_pb2, run_pb2, selection_pb2

PROBE_RUNS = 100
"""Runs that tell how large those of a page are."""

Response = TypeVar(
    "Response", query_pb2.GetRunResponse, query_pb2.GetRunsResponse, query_pb2.SearchRunsResponse,
    selection_pb2.SelectRunsResponse, logged_model_pb2.GetLoggedModelResponse,
    logged_model_pb2.SearchLoggedModelsResponse, aggregate_pb2.AggregateMetricResponse,
)  # fmt: skip


def runs_that_fit(probe: Sequence[run_pb2.Run]) -> int:
    """Count of runs like these that make a page, at least 1."""
    size = sum(run.ByteSize() for run in probe)
    return max(1, limits.PAGE_BYTES * len(probe) // max(1, size)) if probe else 1


def checked(response: Response) -> Response:
    """The response. ResourceExhausted ANSWER_TOO_LARGE when it is more than gRPC may send."""
    size = response.ByteSize()
    if size > limits.RESPONSE_BYTES - 1024:
        raise ResourceExhausted(
            "ANSWER_TOO_LARGE",
            f"the answer has {size:,} bytes, at most {limits.RESPONSE_BYTES:,}; ask for fewer, or name in"
            " read_mask what is wanted",
        )
    return response
