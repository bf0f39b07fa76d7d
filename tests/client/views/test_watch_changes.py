"""A watch, by the responses that it gets: what it makes of them, and what it asks for when they break off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from fleetlog._views import watching
from fleetlog._views.watching import RETRIES, RunChanges, RunWatch
from fleetlog.errors import DeadlineExceeded, FleetlogError
from fleetlog_proto.v1 import position_pb2, run_pb2, watch_pb2

from tests.client.test_views import Asked

IDS = [f"{number:032x}" for number in range(1, 5)]
POSITION = position_pb2.Position(offsets=[position_pb2.PartitionOffset(topic="events", next_offset=7)])


def run(place: int, name: str = "a") -> run_pb2.Run:
    message = run_pb2.Run(run_id=IDS[place], name=name)
    message.metrics.add(key="x", last=float("nan"))
    return message


def response(position: bool = True, **fields: Any) -> watch_pb2.WatchRunsResponse:
    return watch_pb2.WatchRunsResponse(position=POSITION if position else None, **fields)


class Stub:
    """Takes the requests."""

    def __init__(self) -> None:
        self.requests: list[watch_pb2.WatchRunsRequest] = []

    def WatchRuns(self, request: watch_pb2.WatchRunsRequest, metadata: object) -> None:  # noqa: N802
        self.requests.append(request)


Part = watch_pb2.WatchRunsResponse | Exception


class Watched:
    """A watch over streams of responses, each asked for by a request of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *streams: Sequence[Part], limit: int = 10) -> None:
        self.stub, self.retries = Stub(), list[int | None]()
        rest = iter(streams)

        def resumed(
            target: str, start: Callable[[Any], object], retries: Callable[[], int | None]
        ) -> Iterator[watch_pb2.WatchRunsResponse]:
            self.retries.append(retries())
            start(self.stub)
            for part in next(rest):
                if isinstance(part, Exception):
                    raise part
                yield part

        monkeypatch.setattr(watching, "resumed", resumed)
        self._watch = RunWatch("nowhere:1", watch_pb2.WatchRunsRequest(limit=limit), Asked())

    def changes(self) -> list[RunChanges]:
        return list(self._watch.changes())


def ids(runs: Sequence[Any]) -> list[int]:
    return [IDS.index(one.id) for one in runs]


def test_what_entered_left_and_changed_is_told_with_all_runs_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    first = response(entered=[run(0), run(1)], order=IDS[:2], snapshot=True)
    later = response(entered=[run(2)], left=[IDS[0]], changed=[run(1, "b")], order=[IDS[2], IDS[1]])
    begun, change = Watched(monkeypatch, [first, later]).changes()
    assert (ids(begun.runs), ids(begun.entered), begun.snapshot) == ([0, 1], [0, 1], True)
    assert (ids(change.runs), ids(change.entered), ids(change.left), ids(change.changed)) == ([2, 1], [2], [0], [1])
    assert ([one.name for one in change.changed], [one.name for one in change.left]) == (["b"], ["a"])
    assert not change.snapshot


def test_parts_of_a_change_are_one_change(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [response(position=False, entered=[run(0)], snapshot=True), response(entered=[run(1)], order=IDS[:2])]
    (change,) = Watched(monkeypatch, parts).changes()
    assert (ids(change.runs), change.snapshot) == ([0, 1], True)


def test_a_run_that_is_the_same_is_no_change_and_another_order_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    first = response(entered=[run(0), run(1)], order=IDS[:2], snapshot=True)
    same, moved = response(changed=[run(0)]), response(order=[IDS[1], IDS[0]])
    _, change = Watched(monkeypatch, [first, same, moved]).changes()
    assert (ids(change.runs), ids(change.changed)) == ([1, 0], [])


def test_a_watch_that_lost_its_log_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = DeadlineExceeded("POSITION_NOT_REACHED", "the log is another one")
    first = response(entered=[run(0)], order=IDS[:1], snapshot=True)
    watched = Watched(monkeypatch, [first, gone], [response(entered=[run(1)], order=[IDS[1]], snapshot=True)])
    assert [ids(change.runs) for change in watched.changes()] == [[0], [1]]
    assert [request.HasField("resume_from") for request in watched.stub.requests] == [False, False]
    assert watched.retries == [RETRIES, RETRIES], "nobody is known to answer"


def test_what_a_watch_holds_is_told_where_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, [response(entered=[run(1), run(0)], order=[IDS[1], IDS[0]], snapshot=True)])
    watched.changes()
    watched._watch._start(watched.stub)  # type: ignore[arg-type]
    (_, again) = watched.stub.requests
    assert (list(again.known), again.resume_from) == ([IDS[1], IDS[0]], POSITION)


def test_another_deadline_and_one_before_any_answer_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (DeadlineExceeded("POSITION_NOT_REACHED", "late"), DeadlineExceeded("DEADLINE_EXCEEDED", "late")):
        with pytest.raises(DeadlineExceeded):
            Watched(monkeypatch, [error]).changes()


def test_a_change_without_an_end_is_a_bad_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = [response(position=False, entered=[run(0)])] * (2 * watching.WATCHED + 1)
    with pytest.raises(FleetlogError) as caught:
        Watched(monkeypatch, endless).changes()
    assert caught.value.reason == "BAD_ANSWER"


def test_an_order_of_runs_that_nobody_told_of_is_a_bad_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FleetlogError) as caught:
        Watched(monkeypatch, [response(entered=[run(0)], order=IDS[:2], snapshot=True)]).changes()
    assert caught.value.reason == "BAD_ANSWER"
