"""What is wrong, hostile or garbled on its way in: refused in the right words, and everybody else goes on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import fleetlog
import grpc
import pytest
from fleetlog_core import limits
from fleetlog_proto.v1 import event_pb2, frame_pb2, ingest_pb2, ingest_pb2_grpc

from tests.end_to_end.refusals import SECONDS, SERVICES, Refusal, append, points, refused, told

INT64 = 1 << 63


@pytest.fixture(scope="module")
def channel(embedded_target: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(embedded_target, options=[("grpc.max_send_message_length", -1)]) as opened:
        yield opened


@pytest.fixture(scope="module")
def ingest(channel: grpc.Channel) -> ingest_pb2_grpc.IngestServiceStub:
    return ingest_pb2_grpc.IngestServiceStub(channel)


def frame(run: bytes, *events: event_pb2.Event, writer: bytes = b"w" * 16, namespace: str = "") -> frame_pb2.Frame:
    return frame_pb2.Frame(namespace=namespace, run_id=run, writer_id=writer, events=events)


def opening(how: event_pb2.RunOpening.ValueType = event_pb2.RUN_OPENING_CREATE) -> event_pb2.Event:
    return event_pb2.Event(sequence=1, run_started=event_pb2.RunStarted(opening=how))


def landed(channel: grpc.Channel, target: str, answers: list[ingest_pb2.AppendEventsResponse]) -> fleetlog.Client:
    """A client that reads what the stream wrote."""
    client = fleetlog.Client(target)
    for answer in answers:
        client._connection.saw(answer.position)
    return client


# -- bytes ------------------------------------------------------------------------------------------------------


def test_garbled_frames_are_answered_and_the_stream_goes_on(channel: grpc.Channel, embedded_target: str) -> None:
    run = os.urandom(16)
    good = frame(run, points(3, 1))
    cut = ingest_pb2.AppendEventsRequest(frame=frame(run, points(3, *range(50)))).SerializeToString()[:-5]
    homeless = frame_pb2.Frame(events=[points(3, 1)])
    answers = append(channel, [frame(run, opening(), points(2, 0)), b"\xff" * 40, homeless, cut, os.urandom(999), good])
    found = [told(answer.status).reason if answer.HasField("status") else "" for answer in answers]
    assert found[:4] == ["", "UNDECODABLE", "INVALID_ID", "UNDECODABLE"]
    assert (found[5], answers[5].durable_sequence) == ("", 3)
    view = landed(channel, embedded_target, answers).get_run(run.hex())
    assert view.metric("x").steps.tolist() == [0, 1]


def test_every_call_refuses_bytes_that_are_not_its_message(channel: grpc.Channel) -> None:
    for service in SERVICES:
        for method in service.methods:
            if method.client_streaming and method.name == "AppendEvents":
                continue
            path = f"/{service.full_name}/{method.name}"
            for junk in (b"\xff" * 16, b"\x0a\xff\xff\xff\x7f"):
                if method.client_streaming:
                    answer = refused(lambda: channel.stream_unary(path, bytes, bytes)(iter([junk]), timeout=SECONDS))  # noqa: B023
                elif method.server_streaming:
                    answer = refused(lambda: list(channel.unary_stream(path, bytes, bytes)(junk, timeout=SECONDS)))  # noqa: B023
                else:
                    answer = refused(lambda: channel.unary_unary(path, bytes, bytes)(junk, timeout=SECONDS))  # noqa: B023
                assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "UNDECODABLE"), path


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_message_over_the_limit_ends_its_call_alone(
    embedded_target: str, channel: grpc.Channel, compression: grpc.Compression
) -> None:
    bomb = bytes(8 * limits.MESSAGE_BYTES)
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(embedded_target, options=options, compression=compression) as sender:
        assert refused(lambda: append(sender, [bomb])).code == "RESOURCE_EXHAUSTED"
        get = sender.unary_unary("/fleetlog.v1.QueryService/GetRun", bytes, bytes)
        assert refused(lambda: get(bomb, timeout=SECONDS)).code == "RESOURCE_EXHAUSTED"
    assert append(channel, [frame(os.urandom(16), opening())])[0].durable_sequence == 1


def test_a_frame_over_the_limit_is_refused_and_says_to_split_it(channel: grpc.Channel) -> None:
    run = os.urandom(16)
    large = frame(run, opening(), *(points(2 + place, *range(100_000)) for place in range(6)))
    answers = append(channel, [large, frame(run, opening())])
    assert answers[1].durable_sequence == 1
    answer = told(answers[0].status)
    assert (answer.code, answer.reason) == ("RESOURCE_EXHAUSTED", "FRAME_TOO_LARGE")
    assert "4,194,304" in answer.message
    assert "split" in answer.message


def test_large_metadata_is_refused_and_others_are_served(channel: grpc.Channel, embedded_target: str) -> None:
    with grpc.insecure_channel(embedded_target) as rude:
        request = ingest_pb2.UpdateRunRequest(run_id="0" * 32, name="x")
        update = ingest_pb2_grpc.IngestServiceStub(rude).UpdateRun
        with pytest.raises(grpc.RpcError) as error:
            update(request, timeout=SECONDS, metadata=(("x-large", "v" * 20_480),))
        assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert append(channel, [frame(os.urandom(16), opening())])[0].durable_sequence == 1


# -- frames and events ------------------------------------------------------------------------------------------


def test_a_frame_that_belongs_nowhere_is_refused_and_the_stream_goes_on(channel: grpc.Channel) -> None:
    run = os.urandom(16)
    wrong = [
        (frame(b"../../etc", opening()), "INVALID_ID", "frame.run_id"),
        (frame(b"x" * 10_240, opening()), "INVALID_ID", "frame.run_id"),
        (frame(run, opening(), writer=b"a/b"), "INVALID_ID", "frame.writer_id"),
        (frame(run, opening(), namespace="../../etc"), "INVALID_NAMESPACE", "frame.namespace"),
        (frame(run, opening(), namespace="n" * 10_240), "INVALID_NAMESPACE", "frame.namespace"),
        (frame(run, points(2, 1), points(7, 1)), "SEQUENCE_INVALID", "frame.events[1].sequence"),
        (frame(run, points(0, 1)), "SEQUENCE_INVALID", "frame.events[0].sequence"),
    ]
    *answers, last = append(channel, [*(one for one, _, _ in wrong), frame(run, opening())])
    for answer, (_, reason, field) in zip(answers, wrong, strict=True):
        found = told(answer.status)
        assert (answer.durable_sequence, found.code, found.reason) == (0, "INVALID_ARGUMENT", reason)
        assert field in found.fields
        assert found.message.startswith(field)
    assert last.durable_sequence == 1


def wrong_events() -> list[tuple[event_pb2.Event, str, str]]:
    """(event, reason, what the message names)"""
    event, metrics = event_pb2.Event, event_pb2.MetricsLogged
    column = event_pb2.MetricColumn(key="x", values=[1.0])
    timed = points(0, 1)
    timed.metrics_logged.time_deltas_millis.append(10**18)
    digest = hashlib.sha256(b"hello").digest()
    return [
        (points(0, 1, key=""), "KEY_EMPTY", "250"),
        (points(0, 1, key="k" * 251), "KEY_TOO_LONG", "250"),
        (points(0, 1, key="k" * 1_000_000), "KEY_TOO_LONG", "1,000,000"),
        (points(0, 1, key="a//b"), "KEY_INVALID", "'a//b'"),
        (points(0, 1, key="../x"), "KEY_INVALID", "'../x'"),
        (points(0, 1, key="a\x00b\x1b[31m"), "KEY_INVALID", r"'a\x00b\x1b[31m'"),
        (event(metrics_logged=metrics(step_deltas=[INT64 - 1, 1], columns=[column])), "COLUMN_LENGTH", "2 rows"),
        (event(metrics_logged=metrics(step_deltas=[1], columns=[column, column])), "KEY_REPEATED", "columns"),
        (points(0, -INT64, -INT64 + 1, key="ok?\u2028"), "KEY_INVALID", "\\u2028"),
        (event(metrics_logged=metrics()), "METRICS_EMPTY", "metrics_logged"),
        (timed, "TIME_OUT_OF_RANGE", "1000000000000000000"),
        (event(observe_time_millis=10**18, metrics_logged=points(0, 1).metrics_logged), "TIME_OUT_OF_RANGE", "2255"),
        (event(tags_set=event_pb2.TagsSet(tags={"t": "x" * 16_385})), "TEXT_TOO_LONG", "16,384"),
        (event(params_logged=event_pb2.ParamsLogged(params=[event_pb2.Param(key="p")])), "PARAM_WITHOUT_VALUE", "'p'"),
        (event(run_updated=event_pb2.RunUpdated(name="n" * 501)), "NAME_TOO_LONG", "500"),
        (event(run_finished=event_pb2.RunFinished()), "STATE_INVALID", "FINISHED"),
        (event(event_refused=event_pb2.EventRefused(reason="X")), "PAYLOAD_NOT_ALLOWED", "gateways"),
        (
            event(artifact_logged=event_pb2.ArtifactLogged(path="../x", sha256=digest)),
            "ARTIFACT_PATH_INVALID",
            "'../x'",
        ),
        (
            event(artifact_logged=event_pb2.ArtifactLogged(path="x", size_bytes=4, sha256=digest, content=b"hello")),
            "SIZE_MISMATCH",
            "size_bytes",
        ),
        (
            event(artifact_logged=event_pb2.ArtifactLogged(path="x", size_bytes=5, sha256=digest, content=b"hellO")),
            "DIGEST_MISMATCH",
            "sha256",
        ),
    ]


def test_each_wrong_event_is_refused_by_itself_and_all_others_land(channel: grpc.Channel, embedded_target: str) -> None:
    run, wrong = os.urandom(16), wrong_events()
    overflow = event_pb2.Event(metrics_logged=points(0, 0, 0).metrics_logged)
    overflow.metrics_logged.step_deltas[:] = [INT64 - 1, 1]
    wrong.append((overflow, "STEP_OUT_OF_RANGE", "2^63"))
    frames = [frame(run, opening())]
    for place, (event, _, _) in enumerate(wrong):
        event.sequence = 2 * place + 2
        frames.append(frame(run, event, points(2 * place + 3, place)))
    answers = append(channel, frames)
    assert [answer.durable_sequence for answer in answers] == [1, *range(3, 2 * len(wrong) + 3, 2)]
    for place, (_, reason, named) in enumerate(wrong):
        (refusal,) = answers[place + 1].refusals
        found = told(refusal.status)
        assert (refusal.sequence, found.code, found.reason) == (2 * place + 2, "INVALID_ARGUMENT", reason), found
        assert named in found.message
        assert found.message.startswith("frame.events[0]")
        assert found.fields[0].startswith("frame.events[0]")
    view = landed(channel, embedded_target, answers).get_run(run.hex())
    assert view.metric("x").steps.tolist() == list(range(len(wrong)))
    assert view.tags == view.params == {}
    assert [problem.reason for problem in view.problems] == [reason for _, reason, _ in wrong]


def test_a_param_is_written_once_and_the_other_text_is_told_on_the_run(
    channel: grpc.Channel, embedded_target: str
) -> None:
    run = os.urandom(16)
    first, second = event_pb2.Event(sequence=2), event_pb2.Event(sequence=3)
    first.params_logged.params.add(key="lr", real=0.1)
    second.params_logged.params.add(key="lr", text="high")
    answers = append(channel, [frame(run, opening(), first), frame(run, second, points(4, 1))])
    view = landed(channel, embedded_target, answers).get_run(run.hex())
    assert view.params == {"lr": 0.1}
    assert [problem.reason for problem in view.problems] == ["PARAM_CONFLICT"]
    assert "'lr' is '0.1' and can't become 'high'" in view.problems[0].message
    assert view.metrics == {"x": 1.0}


def test_values_that_are_not_numbers_are_kept_and_extreme_steps_too(
    channel: grpc.Channel, embedded_target: str
) -> None:
    run = os.urandom(16)
    odd = [points(2, -INT64, value=float("nan")), points(3, INT64 - 1, value=float("-inf"))]
    answers = append(channel, [frame(run, opening(), *odd)])
    view = landed(channel, embedded_target, answers).get_run(run.hex())
    assert view.metric("x").steps.tolist() == [-INT64, INT64 - 1]
    assert view.metric("x").values.tolist()[1] == float("-inf")
    assert view.summary("x").nan_count == 1
    buckets = view.buckets("x", 10)
    assert int(buckets.counts.sum()) == 2


def test_writes_to_a_run_that_ended_or_was_deleted(channel: grpc.Channel, embedded_target: str) -> None:
    run, other = os.urandom(16), b"o" * 16
    end = event_pb2.Event(sequence=2, run_finished=event_pb2.RunFinished(state=event_pb2.RUN_STATE_FINISHED))
    client = landed(channel, embedded_target, append(channel, [frame(run, opening(), end)]))
    client.get_run(run.hex())
    joined = frame(run, opening(event_pb2.RUN_OPENING_JOIN), points(2, 1), writer=other)
    free = frame(os.urandom(16), opening())
    answers = append(channel, [joined, free])
    found = told(answers[0].status)
    assert (found.code, found.reason) == ("FAILED_PRECONDITION", "RUN_FINISHED")
    assert run.hex() in found.message
    assert "resume=True" in found.message
    assert answers[1].durable_sequence == 1
    client.delete_run(run.hex())
    client.search_runs(experiments=[0], limit=1)
    found = told(append(channel, [joined, free])[0].status)
    assert (found.code, found.reason) == ("FAILED_PRECONDITION", "RUN_DELETED")
    assert client.get_run(run.hex()).metrics == {}


def test_a_run_of_another_namespace_can_be_neither_changed_nor_told_from_a_missing_one(
    channel: grpc.Channel, ingest: ingest_pb2_grpc.IngestServiceStub, embedded_target: str
) -> None:
    run, missing = os.urandom(16), os.urandom(16)
    answers = append(channel, [frame(run, opening(), points(2, 1), namespace="owner")])
    answers += append(channel, [frame(run, opening(), points(2, 5, value=9.0), namespace="robber")])
    owner = fleetlog.Client(embedded_target, "owner")
    for answer in answers:
        owner._connection.saw(answer.position)
    view = owner.get_run(run.hex())
    assert (view.metric("x").steps.tolist(), view.metric("x").values.tolist()) == ([1], [1.0])
    told_ = []
    for one in (run, missing):
        update = ingest_pb2.UpdateRunRequest(namespace="thief", run_id=one.hex(), deleted=True)
        answer_ = refused(lambda update=update: ingest.UpdateRun(update, timeout=SECONDS))  # type: ignore[misc]
        assert (answer_.code, answer_.reason) == ("NOT_FOUND", "RUN_NOT_FOUND")
        told_.append(answer_.message.replace(one.hex(), ""))
    assert told_[0] == told_[1]
    assert len(owner.search_runs()) == 1


# -- one request ------------------------------------------------------------------------------------------------


def test_requests_that_write_name_what_is_wrong(ingest: ingest_pb2_grpc.IngestServiceStub) -> None:
    update, create = ingest_pb2.UpdateRunRequest, ingest_pb2.CreateExperimentRequest
    change = ingest_pb2.UpdateExperimentRequest
    run, many = "0" * 32, {f"k{number}": "v" for number in range(2_001)}

    def of(call: object, request: object) -> Refusal:
        return refused(lambda: call(request, timeout=SECONDS))  # type: ignore[operator]

    found = [
        (of(ingest.UpdateRun, update(run_id="../../etc", name="x")), "INVALID_ID", "'../../etc'"),
        (of(ingest.UpdateRun, update(run_id="a/b", name="x")), "INVALID_ID", "run_id"),
        (of(ingest.UpdateRun, update(run_id="f" * 10_240, name="x")), "INVALID_ID", "run_id"),
        (of(ingest.UpdateRun, update(run_id=run, name="x" * 501)), "NAME_TOO_LONG", "500"),
        (of(ingest.UpdateRun, update(run_id=run, tags={"k" * 251: ""})), "KEY_TOO_LONG", "250"),
        (of(ingest.UpdateRun, update(run_id=run)), "NOTHING_TO_CHANGE", "changes nothing"),
        (of(ingest.UpdateRun, update(run_id=run, request_id=b"1", name="x")), "INVALID_ID", "request_id"),
        (of(ingest.CreateExperiment, create(name="x" * 1_000_000)), "NAME_TOO_LONG", "1,000,000"),
        (of(ingest.CreateExperiment, create(name=" ")), "NAME_EMPTY", "name"),
        (of(ingest.CreateExperiment, create(name="a\x00b")), "NAME_INVALID", "'a\\x00b'"),
        (of(ingest.CreateExperiment, create(namespace="A B", name="x")), "INVALID_NAMESPACE", "'A B'"),
        (of(ingest.CreateExperiment, create(name="x", tags={"": "v"})), "KEY_EMPTY", "tags"),
        (of(ingest.CreateExperiment, create(name="x", tags={"t": "v" * 80_001})), "TEXT_TOO_LONG", "80,000"),
        (of(ingest.UpdateExperiment, change(experiment_id=0, name="x" * 501)), "NAME_TOO_LONG", "500"),
        (of(ingest.UpdateExperiment, change(deleted_tags=["k" * 1_000_000])), "KEY_TOO_LONG", "deleted_tags[0]"),
        (of(ingest.UpdateExperiment, change(deleted_tags=["k"] * 2_001)), "OVER_LIMIT", "2,000"),
        (of(ingest.CreateExperiment, create(name="x", tags=many)), "OVER_LIMIT", "2,000"),
        (of(ingest.UpdateRun, update(run_id=run, tags=many)), "OVER_LIMIT", "2,000"),
        (of(ingest.UpdateRun, update(run_id=run, state=99)), "STATE_INVALID", "99"),  # type: ignore[arg-type]
    ]
    for answer, reason, named in found:
        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", reason)
        assert named in answer.message
    heavy = {f"k{number}": "v" * 16_000 for number in range(400)}
    for answer, reason in (
        (of(ingest.UpdateRun, update(run_id=run, tags=heavy)), "FRAME_TOO_LARGE"),
        (of(ingest.CreateExperiment, create(name="x", tags=heavy)), "REQUEST_TOO_LARGE"),
        (of(ingest.UpdateExperiment, change(tags=heavy)), "REQUEST_TOO_LARGE"),
    ):
        assert (answer.code, answer.reason) == ("RESOURCE_EXHAUSTED", reason)


# -- artifacts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "..\\x", "%2e%2e%2fx", "%252e%252e%252fx", "a//b", "C:x", "a/./b", "a\x00b", ""]
)
def test_paths_that_climb_are_refused(ingest: ingest_pb2_grpc.IngestServiceStub, path: str) -> None:
    header = ingest_pb2.UploadHeader(run_id="0" * 32, path=path, size_bytes=0, sha256=hashlib.sha256().digest())
    requests = [ingest_pb2.UploadArtifactRequest(header=header)]
    answer = refused(lambda: ingest.UploadArtifact(iter(requests), timeout=SECONDS))
    assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "ARTIFACT_PATH_INVALID")
    assert answer.fields == ("header.path",)


def test_bytes_that_are_not_the_declared_ones_never_show(
    channel: grpc.Channel, ingest: ingest_pb2_grpc.IngestServiceStub, embedded_target: str, tmp_path: Path
) -> None:
    run, content = os.urandom(16), b"the model" * 1000
    digest = hashlib.sha256(content).digest()
    for size, sent in ((len(content), content[:-1] + b"?"), (len(content) + 1, content), (5, content)):
        header = ingest_pb2.UploadHeader(run_id=run.hex(), path="model", size_bytes=size, sha256=digest)
        upload = [
            ingest_pb2.UploadArtifactRequest(header=header),
            ingest_pb2.UploadArtifactRequest(chunk=sent),
        ]
        answer = refused(lambda upload=upload: ingest.UploadArtifact(iter(upload), timeout=SECONDS))  # type: ignore[misc]
        assert (answer.code, answer.reason) == ("FAILED_PRECONDITION", "DIGEST_MISMATCH")
    claim = event_pb2.ArtifactLogged(path="model", size_bytes=len(content), sha256=digest)
    answers = append(channel, [frame(run, opening(), event_pb2.Event(sequence=2, artifact_logged=claim))])
    client = landed(channel, embedded_target, answers)
    view = client.get_run(run.hex())
    assert client.list_artifacts(run.hex()) == []
    assert len(view.problems) == 1
    with pytest.raises(fleetlog.NotFound):
        client.download_artifact(run.hex(), "model", tmp_path / "model")
