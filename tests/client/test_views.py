"""Runs as they were read: every field of the message under its name, and what can't be said is an error in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Unpack

import pytest
from fleetlog._values.as_of import AsOf
from fleetlog._values.position import Position
from fleetlog._views.artifacts import Artifact
from fleetlog._views.comparing import Comparison
from fleetlog._views.series import Branch, Buckets, Series, Which
from fleetlog._views.views import Experiment, RunList, RunView
from fleetlog.errors import FleetlogError, InvalidArgument
from fleetlog_proto.v1 import artifact_pb2, event_pb2, experiment_pb2, position_pb2, run_pb2

RUN = "0" * 31 + "1"


class Asked:
    """A reader that remembers what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def read_metric(
        self, run_id: str, key: str, *, branch: Branch | None = None, last: int | None = None, **which: Unpack[Which]
    ) -> Series:
        self.calls.append((run_id, key, last, which))
        return Series(key, b"", b"", b"", run_id)

    def read_buckets(
        self, run_id: str, key: str, buckets: int, *, branch: Branch | None = None, **which: Unpack[Which]
    ) -> Buckets:
        self.calls.append((run_id, key, buckets, which))
        return Buckets(key, [], run_id)

    def read_curves(
        self, run_ids: Sequence[str], keys: Sequence[str], buckets: int = 1000, *, as_of: AsOf | None = None
    ) -> list[Buckets]:
        self.calls.append((run_ids, keys, buckets, as_of))
        return []

    def run_url(self, run_id: str) -> str | None:
        return None


def run_of(**fields: Any) -> run_pb2.Run:
    run = run_pb2.Run(
        run_id=RUN, experiment_id=3, name="a", user="me", state=event_pb2.RUN_STATE_FINISHED, start_time_millis=1_000,
        params=[event_pb2.Param(key="lr", real=0.5), event_pb2.Param(key="on", truth=True)], tags={"team": "b"},
    )  # fmt: skip
    run.metrics.add(key="loss", last=0.25, last_step=7, last_time_millis=2_000)
    run.MergeFrom(run_pb2.Run(**fields))
    return run


def test_a_run_shows_what_its_message_says() -> None:
    view = RunView(run_of(end_time_millis=3_500, parent_run_id="f" * 32), Asked())
    assert (view.id, view.experiment_id, view.name, view.user, view.state) == (RUN, 3, "a", "me", "FINISHED")
    assert (view.params, view.tags, view.metrics) == ({"lr": 0.5, "on": True}, {"team": "b"}, {"loss": 0.25})
    assert (view.parent_id, view.deleted) == ("f" * 32, False)
    assert view.start_time == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert view.duration == timedelta(seconds=2.5)


def test_a_run_that_goes_on_has_no_end_and_a_root_no_parent() -> None:
    view = RunView(run_of(), Asked())
    assert (view.end_time, view.duration, view.parent_id) == (None, None, None)


def test_a_state_of_a_newer_server_is_shown_by_its_number() -> None:
    unknown: Any = 99
    run = run_of(state=unknown)
    assert RunView(run, Asked()).state == "STATE_99"


def test_a_time_that_no_calendar_has_is_a_bad_answer() -> None:
    with pytest.raises(FleetlogError) as error:
        _ = RunView(run_of(start_time_millis=1 << 62), Asked()).start_time
    assert error.value.reason == "BAD_ANSWER"


def test_a_summary_is_there_when_it_was_asked_for() -> None:
    run = run_of()
    view = RunView(run, Asked())
    with pytest.raises(KeyError):
        view.summary("none")
    with pytest.raises(ValueError, match="summaries=True"):
        view.summary("loss")
    run.metrics[0].range.MergeFrom(run_pb2.MetricRange(min=0.1, min_step=5, max=9.0, count=8, nan_count=1))
    found = view.summary("loss")
    assert (found.last, found.last_step, found.min, found.min_step, found.count) == (0.25, 7, 0.1, 5, 8)


def test_points_are_read_through_the_reader_when_they_are_asked_for() -> None:
    reader = Asked()
    view = RunView(run_of(), reader)
    view.metric("loss", last=3, min_step=1)
    view.buckets("loss", 10)
    assert reader.calls == [(RUN, "loss", 3, {"min_step": 1}), (RUN, "loss", 10, {})]


def test_a_list_of_runs_is_a_sequence_and_its_slices_are_too() -> None:
    runs = RunList([RunView(run_of(name=name), Asked()) for name in "abc"])
    assert [run.name for run in runs[1:]] == ["b", "c"]
    assert (len(runs), runs[-1].name, isinstance(runs[:1], RunList)) == (3, "c", True)


def test_experiments_artifacts_and_positions_are_of_their_messages() -> None:
    experiment = Experiment.of(experiment_pb2.Experiment(experiment_id=4, name="x", tags={"a": "b"}, deleted=True))
    assert (experiment.id, experiment.name, experiment.tags, experiment.deleted) == (4, "x", {"a": "b"}, True)
    file = Artifact.of(artifact_pb2.Artifact(path="a/b", size_bytes=5, sha256=b"\xab" * 32, ingest_time_millis=1_000))
    assert (file.path, file.size_bytes, file.sha256, file.time.timestamp()) == ("a/b", 5, "ab" * 32, 1.0)
    message = position_pb2.Position(
        offsets=[position_pb2.PartitionOffset(topic="events", partition=place, next_offset=7) for place in (1, 0)]
    )
    position = Position.of(message)
    assert position == Position((("events", 0, 7), ("events", 1, 7)))
    assert Position.of(position.message()) == position


def test_a_comparison_tells_what_differs_and_the_best() -> None:
    first, second = run_of(), run_of(tags={"team": "c"})
    second.metrics[0].last = float("nan")
    found = Comparison([RunView(first, Asked()), RunView(second, Asked())])
    assert (found.params, found.tags) == ({}, {"team": ["b", "c"]})
    assert found.best("loss") is found.runs[0]
    wrong: Any = "most"
    with pytest.raises(InvalidArgument):
        Comparison([], of=wrong)
