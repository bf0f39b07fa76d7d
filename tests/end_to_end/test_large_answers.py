"""Runs with much in them: pages end early, and what fits nowhere is refused in words."""

from __future__ import annotations

import fleetlog
import grpc
from fleetlog_core import limits
from fleetlog_proto.v1 import query_pb2, query_pb2_grpc

from tests.end_to_end.refusals import SECONDS, refused


def test_a_search_that_finds_large_runs_ends_its_pages_early(embedded_target: str) -> None:
    runs, tags = 45, {f"t{number}": "v" * 16_000 for number in range(100)}
    started = []
    for number in range(runs):
        with fleetlog.start_run("large", f"{number}", namespace="large", target=embedded_target) as run:
            run.log({"x": float(number)})
        started.append(run.id)
    client = fleetlog.Client(embedded_target, "large")
    for run_id in started:
        client.update_run(run_id, tags=tags)
    found = client.search_runs(limit=None, order_by=["metrics.x ASC"])
    assert [run.id for run in found] == started
    assert all(run.tags == tags for run in found)
    with grpc.insecure_channel(embedded_target) as channel:
        # A client of gRPC's defaults, which takes 4 MiB.
        query = query_pb2_grpc.QueryServiceStub(channel)
        page = query.SearchRuns(query_pb2.SearchRunsRequest(namespace="large"), timeout=SECONDS)
        assert 0 < len(page.runs) < runs
        assert page.next_page_token
        answer = refused(
            lambda: query.GetRuns(query_pb2.GetRunsRequest(namespace="large", run_ids=started), timeout=SECONDS)
        )
    assert (answer.code, answer.reason) == ("RESOURCE_EXHAUSTED", "ANSWER_TOO_LARGE")
    assert f"{limits.RESPONSE_BYTES:,}" in answer.message
    assert "read_mask" in answer.message
    assert len(client.get_runs(started[:10])) == 10
