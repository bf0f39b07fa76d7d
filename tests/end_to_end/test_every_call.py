"""Each call of the contract once, over a real server: what it does at all. Other tests say what it does otherwise."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import fleetlog
import pytest
from fleetlog._transport.connection import Connection, connection_to
from fleetlog_proto.v1 import (
    aggregate_pb2,
    artifact_pb2,
    audit_pb2,
    dataset_pb2,
    event_pb2,
    facets_pb2,
    frame_pb2,
    ingest_pb2,
    metric_pb2,
    query_pb2,
    scope_pb2,
    selection_pb2,
    watch_pb2,
    writer_pb2,
)

SERVICES = (
    ingest_pb2.DESCRIPTOR.services_by_name["IngestService"],
    query_pb2.DESCRIPTOR.services_by_name["QueryService"],
)
CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).digest()
SECONDS = 30.0


@dataclass(frozen=True)
class Place:
    """A server, with a run in an experiment there."""

    connection: Connection
    run_id: str
    experiment: str
    number: int
    """Number of the experiment."""

    @property
    def scope(self) -> scope_pb2.RunScope:
        return scope_pb2.RunScope(
            namespace="default", experiment_names=[self.experiment], at_least=self.connection.position()
        )

    @property
    def search(self) -> query_pb2.SearchRunsRequest:
        return query_pb2.SearchRunsRequest(
            namespace="default", experiment_names=[self.experiment], filter="metrics.loss < 2",
            at_least=self.connection.position(),
        )  # fmt: skip

    @property
    def header(self) -> ingest_pb2.UploadHeader:
        return ingest_pb2.UploadHeader(
            namespace="default", run_id=self.run_id, path="model.bin", size_bytes=len(CONTENT), sha256=DIGEST
        )

    def ingest(self, name: str, /, **fields: Any) -> Any:
        """The answer of a write; what is read from then on waits for it."""
        request = getattr(ingest_pb2, f"{name}Request")(**fields)
        answer = self.connection.call(getattr(self.connection.ingest, name), request)
        if "position" in answer.DESCRIPTOR.fields_by_name:
            self.connection.saw(answer.position)
        return answer

    def intent(self, name: str, /, **fields: Any) -> Any:
        """The answer of a write that has an id of its own."""
        return self.ingest(name, namespace="default", request_id=uuid.uuid4().bytes, **fields)

    def query(self, name: str, request: object) -> Any:
        return self.connection.call(getattr(self.connection.query, name), request)

    def streamed(self, name: str, request: object) -> list[Any]:
        return list(getattr(self.connection.query, name)(request, timeout=SECONDS))

    def new_experiment(self) -> int:
        number: int = self.intent("CreateExperiment", name=uuid.uuid4().hex).experiment.experiment_id
        return number


@pytest.fixture(scope="module")
def place(embedded_target: str) -> Iterator[Place]:
    experiment = "every call"
    with fleetlog.start_run(experiment, "one", params={"lr": 0.1}, tags={"team": "a"}, target=embedded_target) as run:
        run.log({"loss": 1.5}, step=3)
        run.log_artifact(__file__, "source")
        run.flush(level="applied")
        number = fleetlog.Client(embedded_target).get_experiment(experiment).id
        yield Place(connection_to(embedded_target), run.id, experiment, number)


def append_events(place: Place) -> None:
    started = event_pb2.RunStarted(experiment_id=place.number, opening=event_pb2.RUN_OPENING_JOIN)
    tags = event_pb2.TagsSet(tags={"appended": "yes"})
    frame = frame_pb2.Frame(
        namespace="default", run_id=bytes.fromhex(place.run_id), writer_id=uuid.uuid4().bytes, rank=1,
        events=[event_pb2.Event(sequence=1, run_started=started), event_pb2.Event(sequence=2, tags_set=tags)],
    )  # fmt: skip
    requests = iter([ingest_pb2.AppendEventsRequest(frame=frame)])
    (answer,) = place.connection.ingest.AppendEvents(requests, timeout=SECONDS)
    assert (answer.durable_sequence, answer.status.code) == (2, 0), answer.status.message
    place.connection.saw(answer.position)
    assert run_of(place).tags["appended"] == "yes"


def import_runs(place: Place) -> None:
    run_id = uuid.uuid4().bytes
    runs = event_pb2.RunsImported(run_ids=run_id, start_times_millis=[1_700_000_000_000])
    runs.states.append(event_pb2.RUN_STATE_FINISHED)
    answer = place.intent("ImportRuns", runs=runs)
    assert (answer.imported, answer.existing) == (1, 0)
    request = query_pb2.GetRunsRequest(
        namespace="default", run_ids=[run_id.hex()], at_least=place.connection.position()
    )
    assert [run.run_id for run in place.query("GetRuns", request).runs] == [run_id.hex()]


def log_run(place: Place) -> None:
    answer = place.ingest("LogRun", run_id=place.run_id, tags={"logged": "yes"})
    assert (answer.run_id, answer.experiment_id) == (place.run_id, place.number)
    assert run_of(place).tags["logged"] == "yes"


def update_run(place: Place) -> None:
    place.intent("UpdateRun", run_id=place.run_id, tags={"updated": "yes"})
    assert run_of(place).tags["updated"] == "yes"


def update_runs(place: Place) -> None:
    answer = place.intent("UpdateRuns", run_ids=[place.run_id, "0" * 32], tags={"together": "yes"})
    assert list(answer.missing_run_ids) == ["0" * 32]
    assert run_of(place).tags["together"] == "yes"


def change_an_experiment(place: Place) -> None:
    number, name = place.new_experiment(), uuid.uuid4().hex
    assert place.intent("UpdateExperiment", experiment_id=number, name=name).experiment.name == name
    request = query_pb2.GetExperimentRequest(
        namespace="default", experiment_id=number, at_least=place.connection.position()
    )
    for verb, deleted in (("DeleteExperiment", True), ("RestoreExperiment", False)):
        assert place.intent(verb, experiment_id=number).experiment.deleted is deleted
        request.at_least.CopyFrom(place.connection.position())
        found = place.query("GetExperiment", request).experiment
        assert (found.name, found.deleted) == (name, deleted)


def list_experiments(place: Place) -> None:
    request = query_pb2.ListExperimentsRequest(
        namespace="default", contains=place.experiment, activity=True, at_least=place.connection.position()
    )
    page = place.query("ListExperiments", request)
    assert [one.name for one in page.experiments] == [place.experiment]
    assert [one.runs >= 1 for one in page.activities] == [True]


def upload_an_artifact(place: Place) -> None:
    parts = [ingest_pb2.UploadArtifactRequest(header=place.header), ingest_pb2.UploadArtifactRequest(chunk=CONTENT)]
    place.connection.ingest.UploadArtifact(iter(parts), timeout=SECONDS)
    assert place.ingest("BeginUpload", header=place.header).stored


def upload_by_parts(place: Place) -> None:
    """A folder takes no parts: the calls say so."""
    header = place.header
    header.sha256 = hashlib.sha256(b"others").digest()
    begun = place.ingest("BeginUpload", header=header)
    assert (begun.stored, begun.upload_token) == (False, "")
    for verb in ("GetUploadParts", "CompleteUpload"):
        with pytest.raises(fleetlog.NotFound) as caught:
            place.ingest(verb, header=header, upload_token="gone")
        assert caught.value.reason == "UPLOAD_GONE"


def run_of(place: Place) -> Any:
    request = query_pb2.GetRunRequest(namespace="default", run_id=place.run_id, at_least=place.connection.position())
    return place.query("GetRun", request).run


def get_run(place: Place) -> None:
    run = run_of(place)
    assert (run.name, run.metrics[0].key, run.metrics[0].last) == ("one", "loss", 1.5)


def list_writers(place: Place) -> None:
    request = writer_pb2.ListWritersRequest(
        namespace="default", run_id=place.run_id, at_least=place.connection.position()
    )
    found = place.query("ListWriters", request).writers
    assert writer_pb2.WRITER_STATE_AT_WORK in {one.state for one in found}
    assert all(one.last_sequence > 0 and one.last_time_millis > 0 for one in found)


def search_runs(place: Place) -> None:
    assert [run.run_id for run in place.query("SearchRuns", place.search).runs] == [place.run_id]


def stream_runs(place: Place) -> None:
    request = query_pb2.StreamRunsRequest(search=place.search, format=query_pb2.RUN_FORMAT_MESSAGES)
    answers = place.streamed("StreamRuns", request)
    assert [run.run_id for answer in answers for run in answer.runs] == [place.run_id]


def watch_runs(place: Place) -> None:
    stream = place.connection.query.WatchRuns(watch_pb2.WatchRunsRequest(scope=place.scope, limit=10), timeout=SECONDS)
    first = next(stream)
    stream.cancel()
    assert place.run_id in {run.run_id for run in first.entered}


def list_keys(place: Place) -> None:
    request = facets_pb2.ListKeysRequest(scope=place.scope, kind=facets_pb2.KEY_KIND_METRIC)
    assert [(one.key, one.runs) for one in place.query("ListKeys", request).keys] == [("loss", 1)]


def list_values(place: Place) -> None:
    request = facets_pb2.ListValuesRequest(scope=place.scope, kind=facets_pb2.KEY_KIND_TAG, key="team")
    assert [(one.value, one.runs) for one in place.query("ListValues", request).values] == [("a", 1)]


def describe_key(place: Place) -> None:
    request = facets_pb2.DescribeKeyRequest(scope=place.scope, kind=facets_pb2.KEY_KIND_PARAM, key="lr")
    found = place.query("DescribeKey", request)
    assert (found.runs, found.distinct_values) == (1, 1)
    assert [(one.low, one.high, one.runs) for one in found.bins] == [(0.1, 0.1, 1)]


def select_runs(place: Place) -> None:
    objective = selection_pb2.Objective(value="metrics.loss", direction=selection_pb2.DIRECTION_MINIMIZE)
    request = selection_pb2.SelectRunsRequest(scope=place.scope, objectives=[objective])
    (group,) = place.query("SelectRuns", request).groups
    assert [run.run_id for run in group.runs] == [place.run_id]


def list_datasets(place: Place) -> None:
    experiment = uuid.uuid4().hex
    for name in ("b", "a", "b"):
        with fleetlog.start_run(experiment, target=place.connection.target) as run:
            run.log_input(name, "training", digest="1")
    number = fleetlog.Client(place.connection.target).get_experiment(experiment).id
    found, token = [], ""
    while True:
        request = dataset_pb2.ListDatasetsRequest(
            namespace="default", experiment_ids=[number], page_size=1, page_token=token,
            at_least=place.connection.position(),
        )  # fmt: skip
        page = place.query("ListDatasets", request)
        found += [(one.experiment_id, one.name, one.digest, one.context) for one in page.datasets]
        token = page.next_page_token
        if not token:
            break
    assert found == [(number, "a", "1", "training"), (number, "b", "1", "training")]


def list_events(place: Place) -> None:
    request = audit_pb2.ListEventsRequest(
        namespace="default", run_id=place.run_id, kinds=["run_started"], at_least=place.connection.position()
    )
    event = place.query("ListEvents", request).events[0]
    assert (event.run_id, event.experiment_id) == (place.run_id, place.number)


def list_denials(place: Place) -> None:
    assert not place.query("ListDenials", audit_pb2.ListDenialsRequest()).denials


def explain_search(place: Place) -> None:
    answer = place.query("ExplainSearch", query_pb2.ExplainSearchRequest(search=place.search))
    assert any("loss" in line for line in answer.lines)


def read_metric(place: Place) -> None:
    request = metric_pb2.ReadMetricRequest(
        namespace="default", run_ids=[place.run_id], keys=["loss"], at_least=place.connection.position()
    )
    (part,) = [part for answer in place.streamed("ReadMetric", request) for part in answer.parts]
    assert (part.key, len(part.points.values)) == ("loss", 8)


def aggregate_metric(place: Place) -> None:
    request = aggregate_pb2.AggregateMetricRequest(scope=place.scope, key="loss", group_by=["params.lr"])
    (group,) = place.query("AggregateMetric", request).groups
    assert ([one.value for one in group.values], group.runs, len(group.means)) == (["0.1"], 1, 8)


def read_artifacts(place: Place) -> None:
    listing = artifact_pb2.ListArtifactsRequest(
        namespace="default", run_id=place.run_id, path="source", at_least=place.connection.position()
    )
    (artifact,) = place.query("ListArtifacts", listing).artifacts
    download = artifact_pb2.DownloadArtifactRequest(namespace="default", run_id=place.run_id, path=artifact.path)
    answers = place.streamed("DownloadArtifact", download)
    whole = b"".join(answer.chunk for answer in answers)
    assert hashlib.sha256(whole).digest() == artifact.sha256
    download.offset_bytes, download.length_bytes = 2, 5
    assert b"".join(answer.chunk for answer in place.streamed("DownloadArtifact", download)) == whole[2:7]
    download.length_bytes = len(whole)
    assert b"".join(answer.chunk for answer in place.streamed("DownloadArtifact", download)) == whole[2:]


def wait_for_position(place: Place) -> None:
    place.query("WaitForPosition", query_pb2.WaitForPositionRequest(position=place.connection.position()))


def get_log_position(place: Place) -> None:
    request = ingest_pb2.GetLogPositionRequest(namespace="default")
    position = place.connection.call(place.connection.ingest.GetLogPosition, request).position
    offsets = {(one.topic, one.partition): one.next_offset for one in position.offsets}
    mine = place.connection.position().offsets
    assert mine
    assert all(offsets[(one.topic, one.partition)] >= one.next_offset for one in mine)


def purge(place: Place) -> None:
    run_id, number = uuid.uuid4().bytes, place.new_experiment()
    runs = event_pb2.RunsImported(run_ids=run_id, start_times_millis=[1_700_000_000_000])
    runs.states.append(event_pb2.RUN_STATE_FINISHED)
    place.intent("ImportRuns", runs=runs)
    position = place.connection.position()
    place.intent("UpdateRun", run_id=run_id.hex(), deleted=True, at_least=position)
    place.intent("PurgeRun", run_id=run_id.hex(), at_least=place.connection.position())
    place.intent("DeleteExperiment", experiment_id=number)
    place.intent("PurgeExperiment", experiment_id=number)
    request = query_pb2.GetRunsRequest(
        namespace="default", run_ids=[run_id.hex()], at_least=place.connection.position()
    )
    assert not place.query("GetRuns", request).runs


def branch_run(place: Place) -> None:
    position, branch_id = place.connection.position(), uuid.uuid4().bytes
    fork = place.intent("BranchRun", run_id=place.run_id, step=0, branch_run_id=branch_id, at_least=position)
    request = query_pb2.GetRunsRequest(
        namespace="default", run_ids=[fork.branch_run_id], at_least=place.connection.position()
    )
    (run,) = place.query("GetRuns", request).runs
    assert (run.forked_from.run_id, run.forked_from.step) == (place.run_id, 0)
    # It has the tags of its source, which others count.
    place.intent("UpdateRun", run_id=run.run_id, deleted=True, at_least=place.connection.position())
    request.at_least.CopyFrom(place.connection.position())
    assert place.query("GetRuns", request).runs[0].deleted


def list_namespaces(place: Place) -> None:
    request = query_pb2.ListNamespacesRequest(contains="DEF", at_least=place.connection.position())
    assert "default" in place.query("ListNamespaces", request).namespaces
    request.contains = uuid.uuid4().hex
    assert place.query("ListNamespaces", request).namespaces == []


def get_server_info(place: Place) -> None:
    info = place.query("GetServerInfo", query_pb2.GetServerInfoRequest())
    assert info.version == fleetlog.__version__
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+", info.web_url)
    assert {entry.topic for entry in info.applied.offsets} == {"control", "events"}


CALLS: Mapping[str, Callable[[Place], None]] = {
    "AppendEvents": append_events,
    "ImportRuns": import_runs,
    "LogRun": log_run,
    "UpdateRun": update_run,
    "UpdateRuns": update_runs,
    "CreateExperiment": change_an_experiment,
    "UpdateExperiment": change_an_experiment,
    "DeleteExperiment": change_an_experiment,
    "RestoreExperiment": change_an_experiment,
    "BranchRun": branch_run,
    "PurgeRun": purge,
    "PurgeExperiment": purge,
    "GetLogPosition": get_log_position,
    "UploadArtifact": upload_an_artifact,
    "BeginUpload": upload_by_parts,
    "GetUploadParts": upload_by_parts,
    "CompleteUpload": upload_by_parts,
    "GetRun": get_run,
    "GetRuns": import_runs,
    "ListWriters": list_writers,
    "SearchRuns": search_runs,
    "StreamRuns": stream_runs,
    "WatchRuns": watch_runs,
    "ListKeys": list_keys,
    "ListValues": list_values,
    "DescribeKey": describe_key,
    "ListDatasets": list_datasets,
    "SelectRuns": select_runs,
    "ExplainSearch": explain_search,
    "ListEvents": list_events,
    "ListDenials": list_denials,
    "GetExperiment": change_an_experiment,
    "ListExperiments": list_experiments,
    "ReadMetric": read_metric,
    "AggregateMetric": aggregate_metric,
    "ListArtifacts": read_artifacts,
    "DownloadArtifact": read_artifacts,
    "ListNamespaces": list_namespaces,
    "GetServerInfo": get_server_info,
    "WaitForPosition": wait_for_position,
}


def test_no_call_of_the_contract_is_left_out() -> None:
    assert set(CALLS) == {method.name for service in SERVICES for method in service.methods}


@pytest.mark.parametrize("check", dict.fromkeys(CALLS.values()), ids=lambda check: check.__name__)
def test_a_call_does_what_it_says(place: Place, check: Callable[[Place], None]) -> None:
    check(place)
