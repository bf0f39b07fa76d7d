from __future__ import annotations

import json
import uuid

import fleetlog
import pytest
from fleetlog._transport.connection import connection_to
from fleetlog_proto.v1 import metric_pb2, query_pb2
from fleetlog_query.web.envelopes import END, HEAD, envelope
from google.protobuf import json_format

from tests.query.web.http import INGEST, JSON, PROTO, QUERY, Http

STEPS = 300


@pytest.fixture(scope="module")
def run(embedded_target: str) -> fleetlog.Run:
    with fleetlog.start_run("http", "one", params={"lr": 0.1}, tags={"team": "a"}, target=embedded_target) as run:
        for step in range(STEPS):
            run.log({"loss": 1 / (step + 1)}, step=step)
        run.flush(level="applied")
    fleetlog.Client(embedded_target).get_run(run.id)
    return run


def envelopes_of(body: bytes) -> list[tuple[int, bytes]]:
    found, place = [], 0
    while place < len(body):
        flags, length = HEAD.unpack_from(body, place)
        found.append((flags, body[place + HEAD.size : place + HEAD.size + length]))
        place += HEAD.size + length
    return found


def test_bytes_pass_through_unchanged(http: Http, run: fleetlog.Run, embedded_target: str) -> None:
    request = query_pb2.GetRunRequest(run_id=run.id)
    direct = connection_to(embedded_target).query.GetRun(request)
    answer = http.call(f"{QUERY}/GetRun", request.SerializeToString())
    assert (answer.status, answer.headers["content-type"]) == (200, PROTO)
    assert answer.body == direct.SerializeToString()


def test_json_is_the_same_run_as_the_clients(http: Http, run: fleetlog.Run, embedded_target: str) -> None:
    answer = http.call(f"{QUERY}/GetRun", {"runId": run.id})
    assert (answer.status, answer.headers["content-type"]) == (200, JSON)
    told = answer.json["run"]
    seen = fleetlog.Client(embedded_target).get_run(run.id)
    assert (told["runId"], told["name"], told["tags"]) == (seen.id, seen.name, dict(seen.tags))
    assert {one["key"]: one["real"] for one in told["params"]} == dict(seen.params)
    assert told["metrics"][0]["last"] == seen.metrics["loss"]
    direct = connection_to(embedded_target).query.GetRun(query_pb2.GetRunRequest(run_id=run.id))
    assert json_format.ParseDict(answer.json, query_pb2.GetRunResponse()) == direct


def test_names_of_the_proto_are_taken_in_json_too(http: Http, run: fleetlog.Run) -> None:
    assert http.call(f"{QUERY}/GetRun", {"run_id": run.id}).status == 200


def test_a_write_is_durable_and_seen_by_reads_that_wait_for_it(http: Http) -> None:
    name = uuid.uuid4().hex
    made = http.call(f"{INGEST}/CreateExperiment", {"name": name})
    assert made.status == 200, made.body
    found = http.call(f"{QUERY}/GetExperiment", {"name": name, "at_least": made.json["position"]})
    assert found.json["experiment"]["name"] == name


def test_a_stream_comes_in_envelopes(http: Http, run: fleetlog.Run, embedded_target: str) -> None:
    request = metric_pb2.ReadMetricRequest(run_ids=[run.id], keys=["loss"])
    direct = [one.SerializeToString() for one in connection_to(embedded_target).query.ReadMetric(request)]
    kind = "application/connect+proto"
    answer = http.call(f"{QUERY}/ReadMetric", envelope(request.SerializeToString()), kind)
    assert (answer.status, answer.headers["content-type"]) == (200, kind)
    *messages, (flags, end) = envelopes_of(answer.body)
    assert [message for _, message in messages] == direct
    assert (flags, json.loads(end)) == (END, {})


def test_a_stream_of_json_comes_in_envelopes_or_in_lines(http: Http, run: fleetlog.Run) -> None:
    request = json.dumps({"runIds": [run.id], "keys": ["loss"]}).encode()
    answer = http.call(f"{QUERY}/ReadMetric", envelope(request), "application/connect+json")
    (_, message), _ = envelopes_of(answer.body)
    lines = http.call(f"{QUERY}/ReadMetric", request, JSON)
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in lines.body.splitlines()] == [json.loads(message)]


def test_errors_keep_their_reason_and_column(http: Http) -> None:
    for body, kind in ((b'{"filter": "metrics.loss <"}', JSON), (_search("metrics.loss <"), PROTO)):
        answer = http.call(f"{QUERY}/SearchRuns", body, kind)
        assert (answer.status, answer.headers["content-type"]) == (400, JSON)
        told = answer.json
        assert (told["code"], told["reason"], told["metadata"]) == (
            "invalid_argument",
            "FILTER_SYNTAX",
            {"column": "15"},
        )
        assert told["message"].startswith("filter: column 15: expected")
        assert told["violations"][0]["field"] == "filter"
        assert {one["type"] for one in told["details"]} == {"google.rpc.ErrorInfo", "google.rpc.BadRequest"}


def test_what_is_not_there_is_404(http: Http) -> None:
    answer = http.call(f"{QUERY}/GetRun", {"runId": uuid.uuid4().hex})
    assert (answer.status, answer.json["code"], answer.json["reason"]) == (404, "not_found", "RUN_NOT_FOUND")


def test_a_stream_that_fails_says_so_at_its_end(http: Http) -> None:
    request = metric_pb2.ReadMetricRequest(run_ids=["x"], keys=["loss"])
    answer = http.call(f"{QUERY}/ReadMetric", envelope(request.SerializeToString()), "application/connect+proto")
    ((flags, end),) = envelopes_of(answer.body)
    assert (answer.status, flags) == (200, END)
    assert json.loads(end)["error"]["reason"] == "INVALID_ID"
    lines = http.call(f"{QUERY}/ReadMetric", {"run_ids": ["x"], "keys": ["loss"]})
    assert (lines.status, lines.json["reason"]) == (400, "INVALID_ID")


@pytest.mark.parametrize(
    ("path", "body", "kind", "status", "reason"),
    [
        (f"{QUERY}/Nothing", b"{}", JSON, 404, "METHOD_UNKNOWN"),
        ("/fleetlog.v1.Nothing/GetRun", b"{}", JSON, 404, "METHOD_UNKNOWN"),
        ("/grpc.health.v1.Health/Check", b"{}", JSON, 405, "METHOD_NOT_ALLOWED"),
        (f"{QUERY}/GetRun", b"{", JSON, 400, "JSON_INVALID"),
        (f"{QUERY}/GetRun", b'{"nothing": 1}', JSON, 400, "JSON_INVALID"),
        (f"{QUERY}/GetRun", b"\xff", JSON, 400, "JSON_INVALID"),
        (f"{QUERY}/GetRun", b"[" * 10_000, JSON, 400, "JSON_INVALID"),
        (f"{QUERY}/GetRun", b"\xff\xff", PROTO, 400, "UNDECODABLE"),
        (f"{QUERY}/GetRun", b"{}", "text/plain", 415, "CONTENT_TYPE_INVALID"),
        (f"{QUERY}/GetRun", b"{}", "application/connect+json", 415, "CONTENT_TYPE_INVALID"),
        (f"{QUERY}/ReadMetric", b"", PROTO, 415, "CONTENT_TYPE_INVALID"),
        (f"{QUERY}/ReadMetric", b"\0\0", "application/connect+proto", 400, "ENVELOPE_INVALID"),
        (f"{QUERY}/ReadMetric", b"\0\0\0\0\xff", "application/connect+proto", 400, "ENVELOPE_INVALID"),
        (f"{QUERY}/ReadMetric", b"", "application/connect+proto", 400, "ENVELOPE_INVALID"),
        (f"{QUERY}/ReadMetric", envelope(b"", 1), "application/connect+proto", 400, "ENVELOPE_INVALID"),
        (f"{INGEST}/AppendEvents", b"{}", JSON, 415, "CONTENT_TYPE_INVALID"),
    ],
)
def test_requests_that_are_none_are_refused_in_words(
    http: Http, path: str, body: bytes, kind: str, status: int, reason: str
) -> None:
    answer = http.call(path, body, kind)
    assert (answer.status, answer.json["reason"]) == (status, reason), answer.body


@pytest.mark.parametrize("millis", ["0", "-1", "1.5", "", "12345678901", "soon"])
def test_a_deadline_that_is_none_is_refused(http: Http, millis: str) -> None:
    answer = http.call(f"{QUERY}/GetRun", {}, **{"connect-timeout-ms": millis})
    assert (answer.status, answer.json["reason"]) == (400, "TIMEOUT_INVALID")


def test_the_callers_deadline_is_the_calls(http: Http) -> None:
    """What is waited for never comes: the server sees the deadline of the caller and answers by it."""
    never = {"offsets": [{"topic": "events", "partition": 0, "nextOffset": "1000000000000"}]}
    answer = http.call(f"{QUERY}/WaitForPosition", {"position": never}, **{"connect-timeout-ms": "300"})
    assert (answer.status, answer.json["code"]) == (504, "deadline_exceeded")


def _search(text: str) -> bytes:
    return query_pb2.SearchRunsRequest(filter=text).SerializeToString()
