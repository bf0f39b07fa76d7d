"""Looking back: runs as they were at a time, through a real server."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fleetlog
import pytest
from fleetlog._transport.connection import connection_to
from fleetlog._values.as_of import as_of_message
from fleetlog_proto.v1 import query_pb2, scope_pb2, watch_pb2

from tests.client.cli.terminal import piped

NAMESPACE = "as-of"


@dataclass(frozen=True)
class Past:
    """A run, and moments: before it, while it was at work, when it was done, when it was deleted."""

    target: str
    run_id: str
    before: datetime
    working: datetime
    done: datetime
    deleted: datetime

    @property
    def client(self) -> fleetlog.Client:
        return fleetlog.Client(self.target, NAMESPACE)


def moment() -> datetime:
    """A time that is over: nothing that comes is of its millisecond."""
    now = datetime.now(UTC)
    while datetime.now(UTC) - now < timedelta(milliseconds=3):
        pass
    return now


@pytest.fixture(scope="module")
def past(embedded_target: str) -> Past:
    client = fleetlog.Client(embedded_target, NAMESPACE)
    before = moment()
    run = fleetlog.start_run(
        "tried", "first name", params={"lr": 0.1}, tags={"state": "new", "note": "x"}, target=embedded_target,
        namespace=NAMESPACE,
    )  # fmt: skip
    run.log({"loss": 3.0}, step=1)
    run.flush(level="applied")
    working = moment()
    run.log({"loss": 2.0}, step=5)
    # Out of order: it is not the latest by its step.
    run.log({"loss": 9.0}, step=2)
    run.finish()
    client.update_run(run.id, name="second name", tags={"state": "old"}, deleted_tags=["note"])
    client.update_experiment(client.get_experiment("tried").id, name="renamed")
    client.flush(level="applied")
    done = moment()
    client.delete_run(run.id)
    client.flush(level="applied")
    return Past(embedded_target, run.id, before, working, done, moment())


def test_a_run_is_what_it_was(past: Past) -> None:
    then = past.client.get_run(past.run_id, as_of=past.working)
    assert (then.name, then.state, then.tags["state"], then.tags["note"]) == ("first name", "RUNNING", "new", "x")
    assert (then.metrics["loss"], then.summary("loss").count, then.deleted) == (3.0, 1, False)
    done = past.client.get_run(past.run_id, as_of=past.done)
    assert (done.name, done.state, done.tags["state"], "note" in done.tags) == ("second name", "FINISHED", "old", False)
    assert (done.metrics["loss"], done.summary("loss").max, done.params) == (2.0, 9.0, {"lr": 0.1})
    assert past.client.get_run(past.run_id, as_of=past.deleted).deleted
    (again,) = past.client.get_runs([past.run_id], as_of=past.working)
    assert again.metrics == then.metrics


def test_a_search_finds_what_it_would_have_found(past: Past) -> None:
    def names(filter_: str, **where: object) -> list[str]:
        return [run.name for run in past.client.search_runs(filter_, **where)]  # type: ignore[arg-type]

    asked = "metrics.loss > 2.5 AND tags.state = 'new' AND state = 'RUNNING'"
    assert names(asked, as_of=past.working) == ["first name"]
    assert names(asked, as_of=past.done) == names(asked, as_of=past.deleted) == []
    assert names("max(metrics.loss) > 8", as_of=past.done) == ["second name"]
    assert names("", as_of=past.deleted) == names("") == []
    assert names("", as_of=past.deleted, deleted="all") == ["second name"]
    assert names("start_time > now() - 1h", as_of=past.done) == ["second name"]


def test_experiments_have_the_names_of_then(past: Past) -> None:
    assert len(past.client.search_runs(experiments=["tried"], as_of=past.working)) == 1
    assert len(past.client.search_runs(experiments=["renamed"], as_of=past.done)) == 1
    with pytest.raises(fleetlog.NotFound):
        past.client.search_runs(experiments=["renamed"], as_of=past.working)


def test_before_the_first_event_there_is_nothing(past: Past) -> None:
    for when in (past.before, datetime(1999, 1, 1, tzinfo=UTC), "1999-01-01", timedelta(weeks=5_000)):
        assert len(past.client.search_runs(as_of=when)) == 0
    with pytest.raises(fleetlog.NotFound):
        past.client.get_run(past.run_id, as_of=past.before)


def test_a_position_finds_the_same_for_ever(past: Past) -> None:
    found = past.client.search_runs(as_of=past.working)
    assert found.position is not None
    assert [run.name for run in past.client.search_runs(as_of=found.position)] == ["first name"]
    assert [run.name for run in past.client.stream_runs(as_of=found.position)] == ["first name"]
    assert past.client.get_run(past.run_id, as_of=found.position).metrics == {"loss": 3.0}
    assert past.client.search_runs().position is None


def test_now_is_as_of_now(past: Past) -> None:
    now = datetime.now(UTC)
    everything = past.client.search_runs(deleted="all", as_of=now, summaries=True)
    plain = past.client.search_runs(deleted="all", summaries=True)
    assert [repr(run) for run in everything] == [repr(run) for run in plain]


def test_a_selection_looks_back_too(past: Past) -> None:
    (best,) = past.client.select(minimize="metrics.loss", as_of=past.working)
    assert best.run_values == [{"metrics.loss": 3.0}]
    assert list(past.client.select(minimize="metrics.loss", as_of=past.before)) == []


def test_keys_and_values_are_those_that_runs_had(past: Past) -> None:
    client = past.client
    assert client.keys(as_of=past.before) == []
    working = {key.name: (key.runs, key.max) for key in client.keys(as_of=past.working)}
    assert working == {"metrics.loss": (1, 3.0), "params.lr": (1, 0.1), "tags.note": (1, None), "tags.state": (1, None)}
    done = {key.name: (key.runs, key.max) for key in client.keys(as_of=past.done)}
    assert done == {"metrics.loss": (1, 2.0), "params.lr": (1, 0.1), "tags.state": (1, None)}
    assert [key.name for key in client.keys("tags.note = 'x'", kind="params", as_of=past.working)] == ["params.lr"]
    assert client.keys("tags.note = 'x'", as_of=past.done) == []
    for when, state, name in ((past.working, "new", "first name"), (past.done, "old", "second name")):
        assert [found.value for found in client.values("tags.state", as_of=when)] == [state]
        assert [found.value for found in client.values("name", contains="NAME", as_of=when)] == [name]
    assert client.values("tags.state", as_of=past.deleted) == []


def test_files_are_those_that_a_run_had(embedded_target: str, tmp_path: Path) -> None:
    client = fleetlog.Client(embedded_target, "as-of-files")
    before, moments = moment(), []
    run = fleetlog.start_run("files", params={"lr": 0.1}, target=embedded_target, namespace=client.namespace)
    run.flush(level="applied")
    moments.append(moment())
    for text in ("first", "second one"):
        run.log_text(text, "notes/a.txt")
        run.flush(level="applied")
        moments.append(moment())
    run.finish()
    with pytest.raises(fleetlog.NotFound):
        client.list_artifacts(run.id, as_of=before)
    assert client.list_artifacts(run.id, as_of=moments[0]) == []
    for when, text in zip(moments[1:], ("first", "second one"), strict=True):
        assert [file.size_bytes for file in client.list_artifacts(run.id, as_of=when)] == [len(text)]
        target = tmp_path / text
        client.download_artifact(run.id, "notes/a.txt", target, as_of=when)
        assert target.read_text() == text
        (copied,) = client.download_artifacts(run.id, "notes", tmp_path / "all", as_of=when)
        assert copied.read_text() == text
    with pytest.raises(fleetlog.NotFound):
        client.download_artifact(run.id, "notes/a.txt", tmp_path / "none", as_of=moments[0])
    chosen = [client.select(minimize="params.lr", artifact="notes", as_of=when) for when in moments]
    assert [len(list(one)) for one in chosen] == [0, 1, 1]
    then = moments[1].isoformat()
    answer = piped(embedded_target, "artifacts", "ls", run.id, "--as-of", then, "--namespace", client.namespace)
    assert answer.lines[1].startswith("notes/a.txt\t5\t")


def test_pages_go_on_as_of_the_first(embedded_target: str) -> None:
    """Runs that change, and come, between two pages change none of them."""
    connection = connection_to(embedded_target)
    ids = []
    for place in range(6):
        with fleetlog.start_run(
            "paged", f"run {place}", target=embedded_target, namespace=NAMESPACE, start_time=1_700_000_000_000 + place
        ) as run:
            run.log({"loss": float(place)}, step=1)
        ids.append(run.id)
    client = fleetlog.Client(embedded_target, NAMESPACE)
    client.flush(level="applied")
    request = query_pb2.SearchRunsRequest(
        namespace=NAMESPACE, experiment_names=["paged"], order_by=["metrics.loss"], page_size=2,
        as_of=as_of_message(datetime.now(UTC) + timedelta(seconds=30)),
    )  # fmt: skip
    found: list[str] = []
    for _ in range(3):
        response = connection.call(connection.query.SearchRuns, request)
        found += [f"{run.name} {run.metrics[0].last}" for run in response.runs]
        request.page_token = response.next_page_token
        for run_id in ids:
            with fleetlog.start_run("paged", run_id=run_id, resume=True, target=embedded_target, namespace=NAMESPACE) as run:  # fmt: skip  # noqa: E501
                run.log({"loss": 100.0 - len(found)}, step=2 + len(found))
            client.update_run(run_id, name="another")
        with fleetlog.start_run("paged", "late", target=embedded_target, namespace=NAMESPACE) as run:
            run.log({"loss": 2.5}, step=1)
        client.flush(level="applied")
    assert found == [f"run {place} {float(place)}" for place in range(6)]
    assert not request.page_token


def test_what_can_not_be_answered_says_so(past: Past) -> None:
    reasons: dict[str, Callable[[], object]] = {
        "AS_OF_IN_FUTURE": lambda: past.client.search_runs(as_of=datetime.now(UTC) + timedelta(hours=1)),
        "AS_OF_INVALID": lambda: past.client.search_runs(as_of="yesterday"),
        "AS_OF_EMPTY": lambda: _call(past, scope_pb2.AsOf()),
        "POSITION_INVALID": lambda: _call(past, scope_pb2.AsOf(position=at("dead-letters", 1).message())),
        "AS_OF_UNSUPPORTED": lambda: _watch(past),
    }
    for reason, call in reasons.items():
        with pytest.raises(fleetlog.InvalidArgument) as caught:
            call()
        assert caught.value.reason == reason
    with pytest.raises(fleetlog.DeadlineExceeded):
        _call(past, scope_pb2.AsOf(position=at("events", 1 << 40).message()))


def at(topic: str, offset: int) -> fleetlog.Position:
    return fleetlog.Position(((topic, 0, offset),))


def _call(past: Past, when: scope_pb2.AsOf) -> query_pb2.SearchRunsResponse:
    connection = connection_to(past.target)
    return connection.call(connection.query.SearchRuns, query_pb2.SearchRunsRequest(as_of=when), 1.0)


def _watch(past: Past) -> object:
    connection = connection_to(past.target)
    request = watch_pb2.WatchRunsRequest(scope=scope_pb2.RunScope(as_of=as_of_message("1h")))
    return connection.retried(lambda: list(connection.query.WatchRuns(request)))


def test_the_command_line_looks_back(past: Past) -> None:
    when = past.working.isoformat()
    where = ("--namespace", NAMESPACE)
    answer = piped(
        past.target, "runs", "search", "--as-of", when, "-e", "tried", "--columns", "name,metrics.loss", *where
    )
    assert (answer.code, answer.lines[1:]) == (0, [f"{past.run_id}\tfirst name\t3.0"])
    answer = piped(past.target, "runs", "get", past.run_id, "--as-of", when, *where)
    assert "tags.state\tnew" in answer.lines
    answer = piped(past.target, "runs", "search", "--as-of", "900w ago", *where)
    assert (answer.code, len(answer.lines)) == (0, 1)
    answer = piped(past.target, "runs", "search", "--as-of", "2200-01-01T00:00:00Z", *where)
    assert answer.code != 0
    assert "yet to come" in answer.err


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1h30m", 5_400), ("2d ago", 172_800), ("0.5 h", 1_800)])
def test_distances_are_before_now(text: str, seconds: float) -> None:
    message = as_of_message(text)
    assert message is not None
    assert abs(message.time_millis / 1000 - (time.time() - seconds)) < 5
    assert as_of_message("2026-01-02T03:04:05Z") == as_of_message(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
