"""Streams bring what searches find, whole, in their order, also while runs change."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Literal

import fleetlog
import pyarrow as pa
import pytest
from fleetlog._transport.connection import connection_to
from fleetlog._views import frames
from fleetlog.errors import from_call
from fleetlog_proto.v1 import query_pb2, run_pb2
from fleetlog_query.runs import run_columns
from fleetlog_query.stream import run_stream

from tests.query.random_runs import log_fleet

EXPERIMENT = "streams"
ORDERS = [
    (), ("start_time ASC",), ("metrics.x ASC",), ("metrics.y DESC", "params.x ASC"), ("params.y DESC",),
    ("tags.x ASC", "attributes.end_time DESC"), ("attributes.name ASC",), ("run_id DESC",),
]  # fmt: skip


@pytest.fixture(scope="module")
def fleet(embedded_target: str) -> int:
    return len(log_fleet(embedded_target, EXPERIMENT))


def request(**fields: object) -> query_pb2.SearchRunsRequest:
    return query_pb2.SearchRunsRequest(experiment_names=[EXPERIMENT], **fields)  # type: ignore[arg-type]


def stream(
    target: str, search: query_pb2.SearchRunsRequest, arrow: bool = False
) -> Iterator[query_pb2.StreamRunsResponse]:
    format_ = query_pb2.RUN_FORMAT_ARROW if arrow else query_pb2.RUN_FORMAT_MESSAGES
    try:
        yield from connection_to(target).query.StreamRuns(
            query_pb2.StreamRunsRequest(search=search, format=format_), timeout=60
        )
    except Exception as error:
        raise from_call(error, target) from None  # type: ignore[arg-type]


def searched(target: str, search: query_pb2.SearchRunsRequest) -> list[run_pb2.Run]:
    connection = connection_to(target)
    return list(connection.call(connection.query.SearchRuns, search).runs)


def ids_of(response: query_pb2.StreamRunsResponse) -> list[str]:
    if not response.arrow:
        return [run.run_id for run in response.runs]
    with pa.ipc.open_stream(io.BytesIO(response.arrow)) as reader:
        return [str(one) for one in reader.read_all()["run_id"].to_pylist()]


@pytest.mark.parametrize("order_by", ORDERS)
@pytest.mark.parametrize("filter_text", ["", "metrics.x IS NOT NULL OR params.y > 1"])
def test_a_stream_is_the_search_without_pages(
    embedded_target: str, fleet: int, order_by: tuple[str, ...], filter_text: str
) -> None:
    expected = searched(
        embedded_target, request(filter=filter_text, order_by=order_by, page_size=1_000, summaries=True)
    )
    assert len(expected) == fleet or filter_text
    asked = request(filter=filter_text, order_by=order_by, page_size=7, summaries=True)
    responses = list(stream(embedded_target, asked))
    assert [run for response in responses for run in response.runs] == expected
    assert [bool(response.resume_token) for response in responses] == [True] * (len(responses) - 1) + [False]
    columns = list(stream(embedded_target, asked, arrow=True))
    assert [run_id for response in columns for run_id in ids_of(response)] == [run.run_id for run in expected]
    assert [response.count for response in columns] == [response.count for response in responses]


@pytest.mark.parametrize("order_by", ORDERS)
@pytest.mark.parametrize("arrow", [False, True])
def test_a_stream_goes_on_behind_any_response(
    embedded_target: str, fleet: int, order_by: tuple[str, ...], arrow: bool
) -> None:
    responses = list(stream(embedded_target, request(order_by=order_by, page_size=7), arrow))
    whole = [ids_of(one) for one in responses]
    for place in range(3):
        asked = request(order_by=order_by, page_size=7, page_token=responses[place].resume_token)
        assert [ids_of(one) for one in stream(embedded_target, asked, arrow)] == whole[place + 1 :]
        page = searched(embedded_target, asked)
        assert [run.run_id for run in page] == whole[place + 1], "a token of a stream is one of a search"


def test_arrow_holds_what_messages_hold(embedded_target: str, fleet: int) -> None:
    client = fleetlog.Client(embedded_target)
    table = client.search_runs(experiments=[EXPERIMENT], limit=1_000).to_arrow()
    streamed = frames.table_of_batches(
        batch
        for response in stream(embedded_target, request(page_size=7), arrow=True)
        for batch in frames.batches_of(response.arrow)
    )
    assert streamed.schema == table.schema
    for name in table.schema.names:
        # As texts: NaN equals itself, and -0.0 is not 0.0.
        assert list(map(repr, streamed[name].to_pylist())) == list(map(repr, table[name].to_pylist())), name


def test_a_mask_leaves_out_columns(embedded_target: str, fleet: int) -> None:
    asked = request(read_mask=["metrics.x", "tags"])
    (response,) = stream(embedded_target, asked, arrow=True)
    with pa.ipc.open_stream(io.BytesIO(response.arrow)) as reader:
        names = [name for name in reader.schema.names if "." in name]
    assert {name.split(".")[0] for name in names} == {"metrics", "tags"}
    assert [name for name in names if name.startswith("metrics")] == ["metrics.x"]
    (response,) = stream(embedded_target, request(read_mask=["attributes"]), arrow=True)
    with pa.ipc.open_stream(io.BytesIO(response.arrow)) as reader:
        assert not [name for name in reader.schema.names if "." in name]


def test_runs_with_many_keys_go_in_smaller_blocks(
    embedded_target: str, fleet: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_columns, "MOST_CELLS", 100)
    monkeypatch.setattr(run_stream, "FIRST_BLOCK", 10)
    monkeypatch.setattr(run_stream, "BLOCK_CELLS", 50)
    monkeypatch.setattr(run_stream, "MESSAGE_BYTES", 500)
    expected = [run.run_id for run in searched(embedded_target, request(page_size=1_000))]
    for arrow in (False, True):
        responses = list(stream(embedded_target, request(), arrow))
        assert len(responses) > 3
        assert [run_id for response in responses for run_id in ids_of(response)] == expected
        asked = request(page_token=responses[1].resume_token)
        rest = [run_id for response in stream(embedded_target, asked, arrow) for run_id in ids_of(response)]
        assert rest == expected[sum(response.count for response in responses[:2]) :]


def test_a_run_too_large_for_a_message_says_so(
    embedded_target: str, fleet: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fleetlog_query.runs import arrow

    monkeypatch.setattr(arrow, "MOST_BYTES", 2_000)
    assert sum(one.count for one in stream(embedded_target, request(), arrow=True)) == fleet, "one by one they go"
    monkeypatch.setattr(arrow, "LARGEST_BYTES", 2_000)
    with pytest.raises(fleetlog.ResourceExhausted, match="name the keys you want in read_mask") as caught:
        list(stream(embedded_target, request(), arrow=True))
    assert caught.value.reason == "RUN_TOO_LARGE"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"filter": "metrics.x <"}, "FILTER_SYNTAX"),
        ({"order_by": ["nothing"]}, "FILTER_UNKNOWN_FIELD"),
        ({"page_token": "x"}, "PAGE_TOKEN_INVALID"),
        ({"page_size": -1}, "PAGE_SIZE_NEGATIVE"),
        ({"read_mask": ["x"]}, "READ_MASK_INVALID"),
        ({"experiment_ids": range(2_000)}, "OVER_LIMIT"),
    ],
)
def test_what_is_wrong_is_refused_as_in_a_search(
    embedded_target: str, fleet: int, fields: dict[str, object], reason: str
) -> None:
    with pytest.raises(fleetlog.InvalidArgument) as searching:
        searched(embedded_target, request(**fields))
    with pytest.raises(fleetlog.InvalidArgument) as streaming:
        list(stream(embedded_target, request(**fields)))
    assert streaming.value.violations[0].field.removeprefix("search.") == searching.value.violations[0].field
    assert streaming.value.reason == searching.value.reason == reason


def test_no_runs_are_no_responses(embedded_target: str, fleet: int) -> None:
    for arrow in (False, True):
        assert not list(stream(embedded_target, request(filter="metrics.nowhere = 1"), arrow))


def test_runs_that_change_places_come_once(embedded_target: str, experiment: str) -> None:
    """All values are turned around when the first of eight responses is here."""
    runs = [fleetlog.start_run(experiment, target=embedded_target) for _ in range(40)]
    for place, run in enumerate(runs):
        run.log({"x": float(place)}, step=0)
    fleetlog.flush(level="applied", target=embedded_target)
    asked = query_pb2.SearchRunsRequest(experiment_names=[experiment], order_by=["metrics.x ASC"], page_size=5)
    responses = stream(embedded_target, asked)
    found = ids_of(next(responses))
    for place, run in enumerate(runs):
        run.log({"x": float(-place)}, step=1)
    fleetlog.flush(level="applied", target=embedded_target)
    found += [run_id for response in responses for run_id in ids_of(response)]
    assert found == [run.id for run in runs]
    for run in runs:
        run.finish(wait=False)


def test_pages_by_start_time_show_each_run_once_while_others_start_and_change(
    embedded_target: str, experiment: str
) -> None:
    """By start time a page is behind the one before, whatever happens: the start of a run stays."""
    connection = connection_to(embedded_target)
    runs = [
        fleetlog.start_run(experiment, target=embedded_target, start_time=1_700_000_000_000 + place)
        for place in range(20)
    ]
    fleetlog.flush(level="applied", target=embedded_target)
    asked = query_pb2.SearchRunsRequest(experiment_names=[experiment], page_size=3)
    found: list[str] = []
    while True:
        response = connection.call(connection.query.SearchRuns, asked)
        found += [run.run_id for run in response.runs]
        asked.page_token = response.next_page_token
        if not asked.page_token:
            break
        # Before the next page a run begins, one before the cursor changes, one behind it too.
        runs[len(found)].log({"x": 1.0}, step=len(found))
        runs[0].set_tags({"seen": str(len(found))})
        fleetlog.start_run(experiment, target=embedded_target).finish(wait=False)
        fleetlog.flush(level="applied", target=embedded_target)
    assert found == [run.id for run in reversed(runs)]
    for run in runs:
        run.finish(wait=False)


def test_an_experiment_made_between_two_pages_is_no_matter(embedded_target: str) -> None:
    namespace = "pages-and-experiments"
    client = fleetlog.Client(embedded_target, namespace)
    for _ in range(3):
        fleetlog.start_run("one", namespace=namespace, target=embedded_target).finish(wait=False)
    fleetlog.flush(level="applied", target=embedded_target)
    connection = connection_to(embedded_target)
    asked = query_pb2.SearchRunsRequest(namespace=namespace, page_size=2)
    response = connection.call(connection.query.SearchRuns, asked)
    client.create_experiment("two")
    asked.page_token = response.next_page_token
    assert len(connection.call(connection.query.SearchRuns, asked).runs) == 1


@pytest.mark.parametrize(
    ("filter_text", "total", "expected", "bounded"),
    [
        ("", "exact", 12, False),
        ("", "at_least", 10, True),
        ("metrics.x < 5", "exact", 5, False),
        ("metrics.x < 5", "at_least", 5, False),
        ("metrics.x > 100", "exact", 0, False),
        ("", None, None, False),
    ],
)
def test_how_many_match(
    embedded_target: str, experiment: str, monkeypatch: pytest.MonkeyPatch, filter_text: str,
    total: Literal["exact", "at_least"] | None, expected: int | None, bounded: bool,
) -> None:  # fmt: skip
    from fleetlog_query.search import search

    monkeypatch.setattr(search, "TOTAL_AT_LEAST", 10)
    for place in range(12):
        with fleetlog.start_run(experiment, target=embedded_target) as run:
            run.log({"x": float(place)})
    client = fleetlog.Client(embedded_target)
    for limit in (2, 100):
        found = client.search_runs(filter_text, experiments=[experiment], limit=limit, total=total)
        if limit == 100 and expected is not None:
            assert (found.total, found.total_is_lower_bound) == (len(found), False), "all are there: nothing to count"
        else:
            assert (found.total, found.total_is_lower_bound) == (expected, bounded)


@pytest.mark.parametrize("order_by", ORDERS)
def test_ids_alone_are_the_order_of_the_search(
    embedded_target: str, fleet: int, order_by: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_stream, "IDS", 7)
    wanted = [run.run_id for run in searched(embedded_target, request(order_by=order_by, page_size=1_000))]
    query = connection_to(embedded_target).query
    asked = query_pb2.StreamRunsRequest(search=request(order_by=order_by), format=query_pb2.RUN_FORMAT_IDS)
    answers = list(query.StreamRuns(asked, timeout=60))
    packed = b"".join(answer.run_ids for answer in answers)
    assert [packed[place : place + 16].hex() for place in range(0, len(packed), 16)] == wanted
    assert [answer.count for answer in answers] == [len(answer.run_ids) // 16 for answer in answers]
    assert not any(answer.runs or answer.arrow for answer in answers)
    # It goes on behind what came, and the last part says that it is the last.
    asked.search.page_token = answers[1].resume_token
    rest = b"".join(answer.run_ids for answer in query.StreamRuns(asked, timeout=60))
    assert rest == packed[2 * 7 * 16 :]
    assert answers[-1].resume_token == ""
