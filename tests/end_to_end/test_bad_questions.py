"""What is wrong or hostile in what is asked for: right words, nothing evaluated, nobody else's data, nobody held up."""

from __future__ import annotations

import base64
import math
import os
import time
from collections.abc import Iterator

import fleetlog
import grpc
import pytest
from fleetlog_proto.v1 import artifact_pb2, metric_pb2, position_pb2, query_pb2, query_pb2_grpc, scope_pb2

from tests.end_to_end.refusals import SECONDS, Refusal, refused

Search = query_pb2.SearchRunsRequest


@pytest.fixture(scope="module")
def query(embedded_target: str) -> Iterator[query_pb2_grpc.QueryServiceStub]:
    with grpc.insecure_channel(embedded_target) as channel:
        yield query_pb2_grpc.QueryServiceStub(channel)


@pytest.fixture(scope="module")
def runs(embedded_target: str) -> list[str]:
    """Five runs of namespace "asked"; the first has the tag ' OR 1=1 -- and a long series."""
    found = []
    for number in range(5):
        tags = {"name": "' OR 1=1 --" if number == 0 else "plain"}
        with fleetlog.start_run("e", f"r{number}", tags=tags, namespace="asked", target=embedded_target) as run:
            run.log({"x": float(number)}, step=1)
            if number == 0:
                run.log_series("long", steps=range(300_000), values=[0.0] * 300_000)
        found.append(run.id)
    client = fleetlog.Client(embedded_target, "asked")
    assert len(client.search_runs()) == 5
    return found


def search(query: query_pb2_grpc.QueryServiceStub, **fields: object) -> query_pb2.SearchRunsResponse:
    return query.SearchRuns(Search(namespace="asked", **fields), timeout=SECONDS)  # type: ignore[arg-type]


HOSTILE = [
    "' OR 1=1 --",
    "tags.name = '' OR 1=1 --",
    "tags.name = 'a'; DROP TABLE runs",
    "tags.name = 'a\\' OR 1=1 --",
    "'; DROP TABLE runs; --",
    "__import__('os').system('true')",
    "metrics.x > (SELECT 1)",
    "metrics.x > sleep(3)",
    "metrics.`x` > 0 UNION ALL SELECT 1",
    "attributes.nothing = 1",
    "x" * 90_000 + " = 1",
    "y" * 90_000 + ".x = 1",
    "metrics.x >",
    "metrics.x > 'text",
    "tags.name MATCHES '('",
    "(" * 5_000,
    "metrics.x > 0 AND " * 2_000 + "metrics.x > 0",
    "tags.name = '" + "x" * 200_000 + "'",
    "\x00",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:24]))
def test_a_hostile_filter_is_refused(query: query_pb2_grpc.QueryServiceStub, runs: list[str], text: str) -> None:
    answer = refused(lambda: search(query, filter=text))
    assert answer.code == "INVALID_ARGUMENT"
    assert answer.reason.startswith("FILTER_")
    assert answer.fields == ("filter",)
    explained = query_pb2.ExplainSearchRequest(search=Search(namespace="asked", filter=text))
    assert refused(lambda: query.ExplainSearch(explained, timeout=SECONDS)).reason == answer.reason
    assert len(search(query).runs) == len(runs)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('tags.name = "\' OR 1=1 --"', 1),
        ("tags.name = '''; DROP TABLE runs; --'", 0),
        ("tags.name LIKE '%'' OR %'", 1),
        ("params.`a b'; DROP` = 'x'", 0),
        ("tags.name = 'a\\\\'", 0),
        ("tags.name = '{namespace:String}'", 0),
        ("attributes.run_name = 'r1\t\n'", 0),
    ],
)
def test_what_looks_hostile_within_quotes_is_a_literal(
    query: query_pb2_grpc.QueryServiceStub, runs: list[str], text: str, found: int
) -> None:
    assert len(search(query, filter=text).runs) == found
    assert len(search(query).runs) == len(runs)


def test_a_regex_that_explodes_is_refused_or_bounded(query: query_pb2_grpc.QueryServiceStub, runs: list[str]) -> None:
    begun = time.monotonic()
    assert len(search(query, filter="tags.name MATCHES '(a+)+$'").runs) <= len(runs)
    assert time.monotonic() - begun < 60


def test_an_order_that_is_not_one(query: query_pb2_grpc.QueryServiceStub, runs: list[str]) -> None:
    for order in ("metrics.x; DROP TABLE runs", "1", "rand()", "metrics.x ASC, run_id", "x" * 100_000, ""):
        answer = refused(lambda order=order: search(query, order_by=[order]))  # type: ignore[misc]
        assert answer.code == "INVALID_ARGUMENT"
        assert answer.reason.startswith("FILTER_")
        assert answer.fields == ("order_by[0]",)
    assert refused(lambda: search(query, order_by=["metrics.x"] * 9)).reason == "ORDER_BY_INVALID"


def test_what_is_not_a_number_has_its_place_in_every_order(
    query: query_pb2_grpc.QueryServiceStub, embedded_target: str
) -> None:
    for name, value in (("nan", math.nan), ("high", math.inf), ("one", 1.0), ("low", -math.inf), ("none", None)):
        with fleetlog.start_run("e", name, namespace="not-numbers", target=embedded_target) as run:
            if value is not None:
                run.log({"x": value})
    client = fleetlog.Client(embedded_target, "not-numbers")
    for order, names in (("ASC", ["low", "one", "high"]), ("DESC", ["high", "one", "low"])):
        found = client.search_runs(order_by=[f"metrics.x {order}"])
        assert [run.name for run in found] == [*names, "nan", "none"]
        pages: list[str] = []
        request = Search(namespace="not-numbers", order_by=[f"metrics.x {order}"], page_size=1)
        while True:
            page = query.SearchRuns(request, timeout=SECONDS)
            pages += [run.name for run in page.runs]
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        assert pages == [*names, "nan", "none"]
    assert {run.name for run in client.search_runs("metrics.x > 0")} == {"one", "high"}


def test_page_sizes(query: query_pb2_grpc.QueryServiceStub, runs: list[str]) -> None:
    assert len(search(query, page_size=2**31 - 1).runs) == len(runs)
    for size in (-1, -(2**31)):
        answer = refused(lambda size=size: search(query, page_size=size))  # type: ignore[misc]
        assert (answer.code, answer.reason, answer.fields) == (
            "INVALID_ARGUMENT",
            "PAGE_SIZE_NEGATIVE",
            ("page_size",),
        )
        assert str(size) in answer.message


def test_page_tokens_fit_their_own_search_alone(query: query_pb2_grpc.QueryServiceStub, runs: list[str]) -> None:
    token = search(query, page_size=2).next_page_token
    assert len(search(query, page_size=2, page_token=token).runs) == 2
    raw = bytearray(base64.urlsafe_b64decode(token))
    raw[-1] ^= 1
    forged = base64.urlsafe_b64encode(bytes(raw)).decode()
    tokens: list[dict[str, object]] = [
        {"page_token": forged},
        {"page_token": token[:-4]},
        {"page_token": "x"},
        {"page_token": "ü" * 10},
        {"page_token": base64.urlsafe_b64encode(os.urandom(64)).decode()},
        {"page_token": token, "filter": "metrics.x > 0"},
        {"page_token": token, "order_by": ["metrics.x"]},
        {"page_token": token, "deleted_view": scope_pb2.DELETED_VIEW_ALL},
    ]
    for fields in tokens:
        answer = refused(lambda fields=fields: search(query, page_size=2, **fields))  # type: ignore[misc]
        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")
    foreign = Search(page_size=2, page_token=token)
    assert refused(lambda: query.SearchRuns(foreign, timeout=SECONDS)).reason == "PAGE_TOKEN_INVALID"
    listed = query_pb2.ListExperimentsRequest(namespace="asked", page_token=token)
    assert refused(lambda: query.ListExperiments(listed, timeout=SECONDS)).reason == "PAGE_TOKEN_INVALID"


def test_fields_of_questions_name_what_is_wrong(query: query_pb2_grpc.QueryServiceStub, runs: list[str]) -> None:
    read, listed, run = metric_pb2.ReadMetricRequest, artifact_pb2.ListArtifactsRequest, runs[0]

    def of(call: object, request: object) -> Refusal:
        return refused(lambda: list(call(request, timeout=SECONDS)))  # type: ignore[operator]

    for text in ("../../etc", "a/b", "f" * 10_240, "", "g" * 32, "0" * 31):
        for call, request in (
            (query.GetRun, query_pb2.GetRunRequest(run_id=text)),
            (query.GetRuns, query_pb2.GetRunsRequest(run_ids=[text])),
            (query.ReadMetric, read(run_ids=[text], keys=["x"])),
            (query.ListArtifacts, listed(run_id=text)),
            (query.DownloadArtifact, artifact_pb2.DownloadArtifactRequest(run_id=text, path="x")),
        ):
            answer = of(call, request)
            assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "INVALID_ID")
            assert answer.fields[0].startswith("run_id")
    for answer, reason in (
        (of(query.GetRun, query_pb2.GetRunRequest(namespace="../x", run_id=run)), "INVALID_NAMESPACE"),
        (of(query.GetRun, query_pb2.GetRunRequest(run_id=run, read_mask=["'; DROP"])), "READ_MASK_INVALID"),
        (of(query.GetRuns, query_pb2.GetRunsRequest(run_ids=[run] * 1_001)), "OVER_LIMIT"),
        (of(query.ReadMetric, read(run_ids=[run], keys=[])), "OVER_LIMIT"),
        (of(query.ReadMetric, read(run_ids=[run], keys=["x"] * 101)), "OVER_LIMIT"),
        (of(query.ReadMetric, read(run_ids=[run], keys=["x"], buckets=2**32 - 1)), "OVER_LIMIT"),
        (of(query.SearchRuns, Search(experiment_ids=range(1_001))), "OVER_LIMIT"),
        (of(query.SearchRuns, Search(experiment_names=["x"] * 1_001)), "OVER_LIMIT"),
        (of(query.SearchRuns, Search(read_mask=["metrics.x"] * 1_001)), "OVER_LIMIT"),
        (of(query.GetRun, query_pb2.GetRunRequest(run_id=run, read_mask=[f"metrics.{n}" for n in range(200_000)])),
         "OVER_LIMIT"),
        (of(query.ListArtifacts, listed(run_id=run, page_size=-1)), "PAGE_SIZE_NEGATIVE"),
        (of(query.ListArtifacts, listed(run_id=run, path="../..")), "ARTIFACT_PATH_INVALID"),
        (of(query.DownloadArtifact, artifact_pb2.DownloadArtifactRequest(run_id=run, path="/etc/passwd")),
         "ARTIFACT_PATH_INVALID"),
    ):  # fmt: skip
        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", reason)
        assert answer.fields


def test_names_of_a_megabyte_are_not_there(query: query_pb2_grpc.QueryServiceStub, runs: list[str]) -> None:
    large = "x" * 1_000_000
    for call, request in (
        (query.GetExperiment, query_pb2.GetExperimentRequest(namespace="asked", name=large)),
        (query.GetExperiment, query_pb2.GetExperimentRequest(namespace="asked", name="' OR 1=1 --")),
        (query.SearchRuns, Search(namespace="asked", experiment_names=["e", large])),
    ):
        answer = refused(lambda call=call, request=request: call(request, timeout=SECONDS))  # type: ignore[misc]
        assert (answer.code, answer.reason) == ("NOT_FOUND", "EXPERIMENT_NOT_FOUND")
        assert len(answer.message) < 200
    assert len(search(query, read_mask=[f"metrics.{large}", "metrics.x"]).runs) == len(runs)


def test_steps_and_keys_at_their_ends_answer(query: query_pb2_grpc.QueryServiceStub, runs: list[str]) -> None:
    for buckets in (0, 1, 10_000):
        for keys in (["x"], ["'; DROP TABLE points"], ["x\x00"], ["k" * 10_000]):
            request = metric_pb2.ReadMetricRequest(
                namespace="asked", run_ids=runs, keys=keys, buckets=buckets, min_step=-(2**63), max_step=2**63 - 1
            )
            parts = [part for response in query.ReadMetric(request, timeout=SECONDS) for part in response.parts]
            assert len(parts) == (5 if keys == ["x"] else 0)
    backwards = metric_pb2.ReadMetricRequest(namespace="asked", run_ids=runs, keys=["x"], min_step=5, max_step=-5)
    assert list(query.ReadMetric(backwards, timeout=SECONDS)) == []


def test_a_run_of_another_namespace_is_as_one_that_is_not_there(
    query: query_pb2_grpc.QueryServiceStub, runs: list[str]
) -> None:
    missing = os.urandom(16).hex()
    for make in (
        lambda run: query.GetRun(query_pb2.GetRunRequest(namespace="thief", run_id=run), timeout=SECONDS),
        lambda run: query.ListArtifacts(
            artifact_pb2.ListArtifactsRequest(namespace="thief", run_id=run), timeout=SECONDS
        ),
        lambda run: list(
            query.DownloadArtifact(
                artifact_pb2.DownloadArtifactRequest(namespace="thief", run_id=run, path="x"), timeout=SECONDS
            )
        ),
    ):
        foreign = refused(lambda make=make: make(runs[0]))  # type: ignore[misc]
        absent = refused(lambda make=make: make(missing))  # type: ignore[misc]
        assert (foreign.code, foreign.reason) == ("NOT_FOUND", "RUN_NOT_FOUND")
        assert foreign.message.replace(runs[0], missing) == absent.message
        assert foreign.fields == absent.fields
    stolen = query_pb2.GetRunsRequest(namespace="thief", run_ids=runs)
    assert len(query.GetRuns(stolen, timeout=SECONDS).runs) == 0
    read = metric_pb2.ReadMetricRequest(namespace="thief", run_ids=runs, keys=["x"])
    assert list(query.ReadMetric(read, timeout=SECONDS)) == []


def test_a_position_that_is_never_reached_ends_with_the_deadline(
    query: query_pb2_grpc.QueryServiceStub, runs: list[str]
) -> None:
    far = position_pb2.PartitionOffset(topic="events", partition=0, next_offset=2**62)
    request = query_pb2.GetRunRequest(namespace="asked", run_id=runs[0], at_least=position_pb2.Position(offsets=[far]))
    assert refused(lambda: query.GetRun(request, timeout=0.3)).code == "DEADLINE_EXCEEDED"


def test_those_who_leave_hold_up_nobody(query: query_pb2_grpc.QueryServiceStub, runs: list[str]) -> None:
    endless = metric_pb2.ReadMetricRequest(namespace="asked", run_ids=[runs[0]] * 1_000, keys=["long"] * 100)
    calls = [query.ReadMetric(endless, timeout=600) for _ in range(16)]
    for call in calls:
        next(call)
        call.cancel()
    for _ in range(20):
        assert refused(lambda: list(query.ReadMetric(endless, timeout=0.001))).code == "DEADLINE_EXCEEDED"
    begun = time.monotonic()
    assert len(search(query).runs) == len(runs)
    assert time.monotonic() - begun < 60
