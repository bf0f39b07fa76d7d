"""Records as released versions wrote them. Kept as bytes: the log outlives the code.

`python -m tests.golden.records` adds the bytes of shapes that have none yet, and writes the digests of the tables when
there are none. Bytes that are there are never written again: a test that fails on them has found a broken promise.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from pathlib import Path

from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import CONTROL, EVENTS, Partition, Record
from fleetlog_proto.v1 import (
    document_event_pb2,
    event_pb2,
    frame_pb2,
    logged_model_event_pb2,
    position_pb2,
    registry_event_pb2,
    scope_pb2,
    selection_pb2,
    token_event_pb2,
    webhook_event_pb2,
)

from tests.empty_warehouses import make_empty_warehouse
from tests.ingest.materializer.builders import in_own_process
from tests.ingest.materializer.warehouses import rebuilt

FOLDER = Path(__file__).parent
DIGESTS, TABLE_DIGESTS = FOLDER / "tables.json", FOLDER / "tables_of_imports.json"
IMPORT_TIME_DIGESTS = FOLDER / "tables_of_import_times.json"
DATASET_DIGESTS = FOLDER / "tables_of_datasets.json"
REGISTRY_DIGESTS = FOLDER / "tables_of_registry.json"
WEBHOOK_DIGESTS = FOLDER / "tables_of_webhooks.json"
ANNOTATION_DIGESTS = FOLDER / "tables_of_annotations.json"
DOCUMENT_DIGESTS = FOLDER / "tables_of_documents.json"
TOKEN_DIGESTS = FOLDER / "tables_of_tokens.json"
MODEL_DIGESTS = FOLDER / "tables_of_models.json"
BRANCH_DIGESTS = FOLDER / "tables_of_branches.json"
DEFAULT_DIGESTS = FOLDER / "tables_of_default.json"
ENDING_DIGESTS = FOLDER / "tables_of_endings.json"
RUN, WRITER, PARENT = bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48))
MODEL = bytes(range(48, 64))
NOW = 1_700_000_000_000
CONTENT = b"golden bytes"

Message = frame_pb2.Frame | frame_pb2.ControlRecord


def events() -> dict[str, event_pb2.Event]:
    """One event of every payload, by name; the sequence is its place."""
    param = event_pb2.Param
    started = event_pb2.RunStarted(
        experiment_id=1,
        name="golden run",
        user="someone",
        start_time_millis=NOW,
        parent_run_id=PARENT,
        params=[param(key="lr", real=3e-4), param(key="layers", whole=12)],
        tags={"team": "speed"},
        opening=event_pb2.RUN_OPENING_CREATE,
    )
    params = [param(key="fused", truth=True), param(key="optimizer", text="muon"), param(key="lr", real=1e-3)]
    metrics = event_pb2.MetricsLogged(
        step_deltas=[0, 1, 1, -5, 2**40],
        time_deltas_millis=[NOW, 10, 10, 10, 10],
        columns=[
            event_pb2.MetricColumn(key="loss", values=[3.5, math.nan, math.inf, -0.0, 1e-300]),
            event_pb2.MetricColumn(key="acc", values=[0.1, 0.2, 0.3, 0.4, 0.5]),
        ],
    )
    digest = hashlib.sha256(CONTENT).digest()
    artifact = event_pb2.ArtifactLogged(path="a/b.bin", size_bytes=len(CONTENT), sha256=digest, content=CONTENT)
    state = event_pb2.RUN_STATE_KILLED
    event = event_pb2.Event
    found = {
        "run_started": event(run_started=started),
        "params_logged": event(params_logged=event_pb2.ParamsLogged(params=params)),
        "tags_set": event(tags_set=event_pb2.TagsSet(tags={"note": "12.5", "old": "x"})),
        "tags_deleted": event(tags_deleted=event_pb2.TagsDeleted(keys=["old"])),
        "metrics_logged": event(metrics_logged=metrics),
        "metrics_without_times": event(
            metrics_logged=event_pb2.MetricsLogged(step_deltas=[7], columns=metrics.columns[1:])
        ),
        "artifact_logged": event(artifact_logged=artifact),
        "loss_reported": event(loss_reported=event_pb2.LossReported(points=5, events=1, reason="BUFFER_FULL")),
        "event_refused": event(event_refused=event_pb2.EventRefused(reason="KEY_TOO_LONG", message="m", points=2)),
        "run_updated": event(run_updated=event_pb2.RunUpdated(name="renamed")),
        "run_finished": event(run_finished=event_pb2.RunFinished(state=state, end_time_millis=NOW + 99)),
        "run_deleted": event(run_deleted=event_pb2.RunDeleted()),
        "run_restored": event(run_restored=event_pb2.RunRestored()),
        "ignorable_unknown": event(ignorable=True),
    }
    del found["metrics_without_times"].metrics_logged.columns[0].values[1:]
    for sequence, each in enumerate(found.values(), start=1):
        each.sequence, each.observe_time_millis = sequence, NOW + sequence
    return found


def controls() -> dict[str, frame_pb2.ControlRecord]:
    """One record of every intent, by name."""
    record = frame_pb2.ControlRecord
    found = {
        "experiment_created": record(
            experiment_created=frame_pb2.ExperimentCreated(name="speedrun", tags={"a": "b"}, exist_ok=True)
        ),
        "experiment_updated": record(
            experiment_updated=frame_pb2.ExperimentUpdated(
                experiment_id=1, name="faster", tags={"c": "d"}, deleted_tags=["a"]
            )
        ),
        "experiment_deleted": record(experiment_deleted=frame_pb2.ExperimentDeleted(experiment_id=1)),
        "experiment_restored": record(experiment_restored=frame_pb2.ExperimentRestored(experiment_id=1)),
    }
    for number, each in enumerate(found.values(), start=1):
        each.namespace, each.request_id, each.ingest_time_millis = "golden", number.to_bytes(16, "big"), NOW
    return found


def imports() -> dict[str, frame_pb2.Frame]:
    """A table of runs with a column of each kind. It came after the others: their tables stay as they were."""
    runs = event_pb2.RunsImported(
        experiment_id=1,
        run_ids=bytes(range(64, 112)),
        start_times_millis=[NOW, NOW + 1, NOW + 2],
        end_times_millis=[NOW + 9, 0, 0],
        parent_run_ids=PARENT + bytes(32),
    )
    runs.states.extend([event_pb2.RUN_STATE_FINISHED, event_pb2.RUN_STATE_RUNNING, event_pb2.RUN_STATE_KILLED])
    runs.names.texts.extend(["one", "two", ""])
    runs.users.texts.append("someone")
    runs.users.codes.extend([0, 0, 0])
    runs.params.add(key="lr", reals=[3e-4, 1e-7, math.nan])
    runs.params.add(key="layers", rows=[0, 2], wholes=[12, -(2**63)])
    runs.params.add(key="fused", rows=[1], truths=[True])
    runs.params.add(key="fused", rows=[2]).texts.texts.append("maybe")
    runs.tags.add(key="team", rows=[0, 1]).texts.texts.extend(["speed", "12.5"])
    runs.metrics.add(key="loss", values=[3.5, math.nan, -math.inf], steps=[10, -5, 2**40])
    runs.metrics.add(key="acc", rows=[1], values=[-0.0])
    frame = frame_pb2.Frame(namespace="golden", run_id=runs.run_ids[:16], writer_id=WRITER, ingest_time_millis=NOW)
    frame.events.add(sequence=1, observe_time_millis=NOW).runs_imported.CopyFrom(runs)
    return {"runs_imported": frame}


def imports_with_times() -> dict[str, frame_pb2.Frame]:
    """A table of runs whose metrics have times of their own. They came after the others."""
    frame = imports()["runs_imported"]
    for metric in frame.events[0].runs_imported.metrics:
        metric.times_millis.extend(NOW + 3 + place for place in range(len(metric.values)))
    return {"runs_imported_with_times": frame}


def datasets() -> dict[str, frame_pb2.Frame]:
    """Data that a run read. It came after the others, too."""
    found = [
        event_pb2.Dataset(
            name="fineweb10B", digest="8f2c", context="training", source_type="s3", source="s3://bucket/\u00e9",
            schema='{"columns":[]}', profile="12,345 rows",
        ),
        event_pb2.Dataset(name="hellaswag"),
    ]  # fmt: skip
    frame = frame_pb2.Frame(namespace="golden", run_id=RUN, writer_id=WRITER, ingest_time_millis=NOW)
    frame.events.add(sequence=1, observe_time_millis=NOW).datasets_logged.datasets.extend(found)
    return {"datasets_logged": frame}


def registry() -> dict[str, frame_pb2.ControlRecord]:
    """One record of every intent on registered models, by name. They came after the others, too."""
    record, event = frame_pb2.ControlRecord, registry_event_pb2
    production, archived = event.MODEL_STAGE_PRODUCTION, event.MODEL_STAGE_ARCHIVED
    policy = event.ApprovalPolicy(stages=[production], aliases=["champion"])
    choice = selection_pb2.SelectRunsRequest(
        scope=scope_pb2.RunScope(namespace="golden", filter="metrics.loss < 3.28"),
        objectives=[selection_pb2.Objective(value="metrics.time", direction=selection_pb2.DIRECTION_MINIMIZE)],
    )
    position = position_pb2.Position(offsets=[position_pb2.PartitionOffset(topic="events", next_offset=17)])
    lineage = event.ModelLineage(
        run_id=RUN.hex(), artifact_path="model", git_commit="8f2c", logged_model_id="m-1", run_link="https://x/é",
        datasets=[event.ModelDataset(name="fineweb10B", digest="8f2c", context="training")],
        selection=event.ModelSelection(request=choice, position=position),
    )  # fmt: skip
    found = {
        "registered_model_created": record(
            registered_model_created=event.RegisteredModelCreated(
                name="gpt2", description="é", tags={"team": "speed", "old": "x"}, exist_ok=True, approval_policy=policy
            )
        ),
        "model_version_created": record(
            model_version_created=event.ModelVersionCreated(
                name="gpt2", create_model=True, source="runs:/x/model", storage_location="s3://bucket/x",
                description="first", tags={"a": "b"}, lineage=lineage, aliases=["candidate"],
            )
        ),
        "model_version_updated": record(
            model_version_updated=event.ModelVersionUpdated(
                name="gpt2", version=1, description="better", tags={"c": "d"}, deleted_tags=["a"]
            )
        ),
        "model_version_transitioned": record(
            model_version_transitioned=event.ModelVersionTransitioned(name="gpt2", version=1, stage=archived)
        ),
        "model_alias_set": record(model_alias_set=event.ModelAliasSet(name="gpt2", alias="old", version=1)),
        "model_alias_deleted": record(model_alias_deleted=event.ModelAliasDeleted(name="gpt2", alias="old")),
        "model_comment_added": record(model_comment_added=event.ModelCommentAdded(name="gpt2", version=1, text="ok")),
        "model_approval_requested": record(
            model_approval_requested=event.ModelApprovalRequested(
                name="gpt2", version=1, stage=production, archive_existing=True, comment="please"
            )
        ),
        "model_approval_decided": record(
            model_approval_decided=event.ModelApprovalDecided(name="gpt2", number=1, approved=True, comment="fine")
        ),
        "registered_model_updated": record(
            registered_model_updated=event.RegisteredModelUpdated(
                name="gpt2", new_name="gpt-2", description="second", tags={"e": "f"}, deleted_tags=["old"],
                approval_policy=event.ApprovalPolicy(),
            )
        ),
        "model_version_deleted": record(
            model_version_deleted=event.ModelVersionDeleted(name="gpt-2", version=1)
        ),
        "registered_model_deleted": record(registered_model_deleted=event.RegisteredModelDeleted(name="gpt-2")),
    }  # fmt: skip
    for number, each in enumerate(found.values(), start=1):
        each.namespace, each.request_id, each.ingest_time_millis = "golden", number.to_bytes(16, "big"), NOW + number
        each.user = "someone"
    return found


def annotated() -> dict[str, frame_pb2.Frame]:
    """What is said of a run from outside of its training code. It came after the others, too."""
    started = event_pb2.RunStarted(opening=event_pb2.RUN_OPENING_ANNOTATE)
    updated = event_pb2.RunUpdated(state=event_pb2.RUN_STATE_SCHEDULED, end_time_millis=0)
    dataset = event_pb2.Dataset(name="hellaswag", context="eval", tags={"split": "validation"})
    found = {
        "run_annotated": event_pb2.Event(run_started=started),
        "run_state_updated": event_pb2.Event(run_updated=updated),
        "datasets_with_tags": event_pb2.Event(datasets_logged=event_pb2.DatasetsLogged(datasets=[dataset])),
    }
    frames = {}
    for sequence, (name, event) in enumerate(found.items(), start=1):
        event.sequence, event.observe_time_millis = sequence, NOW + sequence
        frames[name] = frame_pb2.Frame(
            namespace="golden", run_id=RUN, writer_id=PARENT, events=[event], ingest_time_millis=NOW
        )
    return frames


def locations() -> dict[str, frame_pb2.ControlRecord]:
    """An experiment whose artifacts are kept elsewhere. It came after the others, too."""
    created = frame_pb2.ExperimentCreated(name="elsewhere", artifact_location="s3://bucket/elsewhere")
    record = frame_pb2.ControlRecord(
        namespace="golden", request_id=PARENT, ingest_time_millis=NOW, experiment_created=created
    )
    return {"experiment_created_elsewhere": record}


def webhooks() -> dict[str, frame_pb2.ControlRecord]:
    """Intents on webhooks, each accepted when they are decided in this order. They came later."""
    record, event = frame_pb2.ControlRecord, webhook_event_pb2
    told = ["model_version.created", "comment.created"]
    found = {
        "webhook_created": record(
            webhook_created=event.WebhookCreated(
                name="ci", url="https://ci.example.com/models", events=told, description="é", sealed_secret=WRITER
            )
        ),
        "webhook_updated": record(
            webhook_updated=event.WebhookUpdated(
                webhook_id=0, name="ci-2", url="https://ci.example.com/2", events=told[:1], description="",
                disabled=True, sealed_secret=b"",
            )
        ),
        "webhook_deleted": record(webhook_deleted=event.WebhookDeleted(webhook_id=0)),
    }  # fmt: skip
    for number, each in enumerate(found.values(), start=1):
        each.namespace, each.request_id, each.ingest_time_millis = "golden", number.to_bytes(16, "big"), NOW + number
        each.user = "someone"
    return found


def tokens() -> dict[str, frame_pb2.ControlRecord]:
    """Intents on tokens, each accepted when they are decided in this order. They came later."""
    record, event = frame_pb2.ControlRecord, token_event_pb2
    grants = [
        event.Grant(namespace="golden", role=event.ROLE_WRITER), event.Grant(namespace="*", role=event.ROLE_READER),
    ]  # fmt: skip
    found = {
        "token_created": record(
            token_created=event.TokenCreated(
                token_id="0123456789abcdef", name="ci", principal="someone", grants=grants,
                expire_time_millis=NOW + 86_400_000, salt=WRITER, digest=PARENT * 2,
            )
        ),
        "token_revoked": record(token_revoked=event.TokenRevoked(token_id="0123456789abcdef")),
    }  # fmt: skip
    for number, each in enumerate(found.values(), start=1):
        each.namespace, each.request_id, each.ingest_time_millis = "default", number.to_bytes(16, "big"), NOW + number
        each.user = "admin"
    return found


def called() -> dict[str, frame_pb2.Frame]:
    """A frame whose caller the gateway knows. They came later."""
    caller = frame_pb2.Caller(principal="someone", token_name="ci", gateway="gateway-1")
    event = event_pb2.Event(sequence=1, observe_time_millis=NOW, tags_set=event_pb2.TagsSet(tags={"team": "speed"}))
    frame = frame_pb2.Frame(
        namespace="golden", run_id=RUN, writer_id=WRITER, events=[event], ingest_time_millis=NOW, caller=caller
    )
    return {"tags_set_by_caller": frame}


def documents() -> dict[str, frame_pb2.ControlRecord]:
    """Intents on documents, each accepted when they are decided in this order. They came later."""
    record, put, puts = frame_pb2.ControlRecord, document_event_pb2.DocumentPut, document_event_pb2.DocumentsPut
    issue = put(
        kind="issue", document_id="iss-1", parent_id="0", unique_key="slow é", body='{"a":1}', expected_revision=0
    )
    other = put(kind="scorer", document_id="s/1", body="not JSON\n")
    changed = put(kind="issue", document_id="iss-1", parent_id="1", body="{}", expected_revision=1)
    gone = put(kind="scorer", document_id="s/1", deleted=True, expected_revision=1)
    found = {
        "documents_made": record(documents_put=puts(documents=[issue, other])),
        "documents_put": record(documents_put=puts(documents=[changed, gone])),
    }
    for number, each in enumerate(found.values(), start=1):
        each.namespace, each.request_id, each.ingest_time_millis = "golden", number.to_bytes(16, "big"), NOW + number
        each.user = "someone"
    return found


def models() -> dict[str, frame_pb2.Frame]:
    """A logged model's events, and what a run says of it. They came after the others, too."""
    event, of = event_pb2.Event, logged_model_event_pb2
    created = of.LoggedModelCreated(
        experiment_id=1, name="gpt2 é", source_run_id=RUN, model_type="Agent", params={"lr": "3e-4"},
        tags={"team": "speed", "old": "x"},
    )  # fmt: skip
    updated = of.LoggedModelUpdated(
        status=of.LOGGED_MODEL_STATUS_READY, status_message="whole", params={"lr": "1", "layers": "12"},
        tags={"a": "b"}, deleted_tags=["old"],
    )  # fmt: skip
    of_model = {
        "logged_model_created": event(logged_model_created=created),
        "logged_model_updated": event(logged_model_updated=updated),
        "logged_model_deleted": event(logged_model_deleted=of.LoggedModelDeleted()),
        "logged_model_restored": event(logged_model_restored=of.LoggedModelRestored()),
        "logged_model_purged": event(logged_model_purged=of.LoggedModelPurged()),
    }
    outputs = [of.ModelOutput(model_id=MODEL, step=2**40), of.ModelOutput(model_id=PARENT)]
    linked = of.ModelsLinked(input_model_ids=[WRITER], outputs=outputs)
    metrics = event_pb2.MetricsLogged(
        step_deltas=[7, 1], columns=[event_pb2.MetricColumn(key="loss", values=[3.5, math.nan])], model_id=MODEL,
        dataset_name="hellaswag", dataset_digest="8f2c",
    )  # fmt: skip
    of_run = {
        "models_linked": event(models_linked=linked),
        "metrics_of_model": event(metrics_logged=metrics),
        "artifacts_deleted": event(artifacts_deleted=event_pb2.ArtifactsDeleted(path="a/b")),
        "run_purged": event(run_purged=event_pb2.RunPurged()),
    }
    frames = {}
    for owner, subject, found in ((MODEL, frame_pb2.SUBJECT_MODEL, of_model), (RUN, frame_pb2.SUBJECT_RUN, of_run)):
        for sequence, (name, one) in enumerate(found.items(), start=1):
            one.sequence, one.observe_time_millis = sequence, NOW + sequence
            frames[name] = frame_pb2.Frame(
                namespace="golden", run_id=owner, writer_id=WRITER, events=[one], ingest_time_millis=NOW,
                subject=subject,
            )  # fmt: skip
    return frames


def purges() -> dict[str, frame_pb2.ControlRecord]:
    """An experiment that is taken away for good. It came after the others, too."""
    purged = frame_pb2.ExperimentPurged(experiment_id=1)
    record = frame_pb2.ControlRecord(
        namespace="golden", request_id=MODEL, ingest_time_millis=NOW, experiment_purged=purged
    )
    return {"experiment_purged": record}


def defaults() -> dict[str, frame_pb2.ControlRecord]:
    """ "Default" is deleted, which an intent has to say since it could not be. It came after the others, too."""
    deleted = frame_pb2.ExperimentDeleted(experiment_id=0, default_too=True)
    record = frame_pb2.ControlRecord(
        namespace="golden", request_id=PARENT, ingest_time_millis=NOW, experiment_deleted=deleted
    )
    return {"default_experiment_deleted": record}


def text_files() -> dict[str, frame_pb2.Frame]:
    """A dataset with a text that is a file of the run. It came after the others, too."""
    started = event_pb2.RunStarted(name="wide", start_time_millis=NOW, opening=event_pb2.RUN_OPENING_CREATE)
    dataset = event_pb2.Dataset(name="wide", text_files={"schema": "datasets/schema.txt"})
    events = [
        event_pb2.Event(sequence=1, observe_time_millis=NOW, run_started=started),
        event_pb2.Event(
            sequence=2, observe_time_millis=NOW, datasets_logged=event_pb2.DatasetsLogged(datasets=[dataset])
        ),
    ]
    frame = frame_pb2.Frame(namespace="golden", run_id=MODEL, writer_id=WRITER, events=events, ingest_time_millis=NOW)
    return {"datasets_with_text_files": frame}


def endings() -> dict[str, frame_pb2.Frame]:
    """A run with two writers that tell when they end: heard of, lost, and ended. They came after the others, too."""
    event, gateway = event_pb2.Event, bytes(range(80, 96))
    started = event_pb2.RunStarted(name="ranks", start_time_millis=NOW, opening=event_pb2.RUN_OPENING_JOIN)
    started.heartbeats = True
    lost = event_pb2.RunLost(ver=1, heard_time_millis=NOW + 7)
    heard = event_pb2.WritersHeard(run_ids=PARENT * 2, writer_ids=WRITER + MODEL)
    failed = event_pb2.RunFinished(state=event_pb2.RUN_STATE_FAILED, end_time_millis=NOW + 9)
    told = (
        ("run_started_with_heartbeats", WRITER, 1, event(run_started=started)),
        ("run_started_by_another", MODEL, 1, event(run_started=started)),
        ("run_lost", RUN, 1, event(ignorable=True, run_lost=lost)),
        ("writers_heard", gateway, 1, event(ignorable=True, writers_heard=heard)),
        ("run_failed_redelivered", WRITER, 2, event(run_finished=failed)),
    )
    found = {}
    for name, writer, sequence, one in told:
        one.sequence, one.observe_time_millis = sequence, NOW + sequence
        found[name] = frame_pb2.Frame(
            namespace="golden", run_id=PARENT, writer_id=writer, events=[one], ingest_time_millis=NOW,
            redelivered=name.endswith("redelivered"),
        )  # fmt: skip
    return found


def branches() -> dict[str, frame_pb2.Frame]:
    """A run that is rewound, and the branch that takes its place; a fork of that. They came after the others, too."""
    started, event, point = event_pb2.RunStarted, event_pb2.Event, event_pb2.MetricPoint
    metrics = event_pb2.MetricsLogged(
        step_deltas=[0, 1, 1], columns=[event_pb2.MetricColumn(key="loss", values=[2.0, math.nan, 1.0])]
    )
    loss = event_pb2.InheritedSeries(
        key="loss", first=point(time_millis=NOW, value=2.0), last=point(step=1, time_millis=NOW, value=math.nan),
        min=2.0, max=2.0, points=2, nan_points=1, total=2.0, squares=4.0,
    )  # fmt: skip
    segment = event_pb2.Segment(run_id=RUN, step=1, next_offset=1)
    rewound = event_pb2.RunBranched(source_run_id=RUN, step=1, rewinds=True, segments=[segment])
    forked = event_pb2.RunBranched(source_run_id=PARENT, step=-5, segments=[event_pb2.Segment(run_id=PARENT, step=-5)])
    series = event_pb2.SeriesInherited(series=[loss])
    stories = {
        "run_to_rewind": (RUN, [event(run_started=started(name="a")), event(metrics_logged=metrics)]),
        "run_rewound": (
            PARENT,
            [event(run_started=started(name="a")), event(run_branched=rewound), event(series_inherited=series)],
        ),
        "run_forked": (
            MODEL, [event(run_started=started(opening=event_pb2.RUN_OPENING_ANNOTATE)), event(run_branched=forked)],
        ),
    }  # fmt: skip
    found = {}
    for name, (run_id, events) in stories.items():
        for place, each in enumerate(events):
            each.sequence, each.observe_time_millis = place + 1, NOW
        found[name] = frame_pb2.Frame(
            namespace="golden", run_id=run_id, writer_id=WRITER, events=events, ingest_time_millis=NOW
        )
    return found


def _messages() -> dict[str, Message]:
    frames: dict[str, Message] = {
        name: frame_pb2.Frame(
            namespace="golden", run_id=RUN, writer_id=WRITER, rank=3, events=[event], ingest_time_millis=NOW
        )
        for name, event in events().items()
    }
    return {
        **frames,
        **controls(),
        **imports(),
        **imports_with_times(),
        **datasets(),
        **registry(),
        **annotated(),
        **locations(),
        **webhooks(),
        **documents(),
        **tokens(),
        **called(),
        **models(),
        **defaults(),
        **text_files(),
        **endings(),
        **purges(),
        **branches(),
    }


def shapes() -> dict[str, tuple[Message, bytes]]:
    """Every shape as today's code builds it, and the bytes that a released version wrote."""
    return {name: (message, (FOLDER / f"{name}.bin").read_bytes()) for name, message in _messages().items()}


def stored_records() -> list[tuple[str, bytes, bytes]]:
    """(topic, key, value) of the stored bytes, in the order of the log."""
    control = [(CONTROL, b"golden", (FOLDER / f"{name}.bin").read_bytes()) for name in controls()]
    return control + [(EVENTS, RUN, (FOLDER / f"{name}.bin").read_bytes()) for name in events()]


def stored_imports() -> list[tuple[str, bytes, bytes]]:
    """As stored_records, the tables of runs."""
    return [(EVENTS, frame.run_id, (FOLDER / f"{name}.bin").read_bytes()) for name, frame in imports().items()]


def stored_import_times() -> list[tuple[str, bytes, bytes]]:
    """As stored_records, tables of runs whose metrics have times of their own."""
    made = imports_with_times()
    return [(EVENTS, frame.run_id, (FOLDER / f"{name}.bin").read_bytes()) for name, frame in made.items()]


def stored_datasets() -> list[tuple[str, bytes, bytes]]:
    """As stored_records, data that a run read."""
    return [(EVENTS, RUN, (FOLDER / f"{name}.bin").read_bytes()) for name in datasets()]


def stored_registry() -> list[tuple[str, bytes, bytes]]:
    """As stored_records, intents on registered models."""
    return [(CONTROL, b"golden", (FOLDER / f"{name}.bin").read_bytes()) for name in registry()]


def stored_webhooks() -> list[tuple[str, bytes, bytes]]:
    """As stored_records, intents on webhooks."""
    return [(CONTROL, b"golden", (FOLDER / f"{name}.bin").read_bytes()) for name in webhooks()]


def stored_documents() -> list[tuple[str, bytes, bytes]]:
    """As stored_records, intents on documents."""
    return [(CONTROL, b"golden", (FOLDER / f"{name}.bin").read_bytes()) for name in documents()]


def stored_tokens() -> list[tuple[str, bytes, bytes]]:
    """As stored_records, intents on tokens."""
    return [(CONTROL, b"default", (FOLDER / f"{name}.bin").read_bytes()) for name in tokens()]


def stored_annotations() -> list[tuple[str, bytes, bytes]]:
    """As stored_records, what is said of a run from outside, and an experiment whose artifacts are elsewhere."""
    control = [(CONTROL, b"golden", (FOLDER / f"{name}.bin").read_bytes()) for name in locations()]
    return control + [(EVENTS, RUN, (FOLDER / f"{name}.bin").read_bytes()) for name in annotated()]


def stored_models() -> list[tuple[str, bytes, bytes]]:
    """As stored_records, logged models and what a run says of them, and what is taken away for good."""
    names = ("experiment_created", "experiment_deleted", *purges())
    control = [(CONTROL, b"golden", (FOLDER / f"{name}.bin").read_bytes()) for name in names]
    return control + [(EVENTS, frame.run_id, (FOLDER / f"{name}.bin").read_bytes()) for name, frame in models().items()]


def stored_defaults() -> list[tuple[str, bytes, bytes]]:
    """As stored_records, of the experiment that every namespace has, and a run with a text that is a file."""
    control = [(CONTROL, b"golden", (FOLDER / f"{name}.bin").read_bytes()) for name in defaults()]
    return control + [(EVENTS, MODEL, (FOLDER / f"{name}.bin").read_bytes()) for name in text_files()]


def stored_endings() -> list[tuple[str, bytes, bytes]]:
    """As stored_records, how a run with several writers ends."""
    return [(EVENTS, PARENT, (FOLDER / f"{name}.bin").read_bytes()) for name in endings()]


def stored_branches() -> list[tuple[str, bytes, bytes]]:
    """As stored_records, runs that go on from others."""
    return [(EVENTS, frame.run_id, (FOLDER / f"{name}.bin").read_bytes()) for name, frame in branches().items()]


def log_of(records: list[tuple[str, bytes, bytes]]) -> MemoryLog:
    """A log of the stored bytes, one record each second."""
    log, ends = MemoryLog(), {EVENTS: 0, CONTROL: 0}
    for place, (topic, key, value) in enumerate(records):
        record = Record(Partition(topic, 0), ends[topic], key, value, NOW + place * 1_000)
        log.append_copies([record])[0].result(timeout=30)
        ends[topic] += 1
    return log


def main() -> None:
    """Write what is not there yet."""
    make_empty_warehouse()
    for name, message in _messages().items():
        path = FOLDER / f"{name}.bin"
        if not path.exists():
            path.write_bytes(message.SerializeToString(deterministic=True))
    stored = (
        (DIGESTS, stored_records()), (TABLE_DIGESTS, stored_imports()), (DATASET_DIGESTS, stored_datasets()),
        (REGISTRY_DIGESTS, stored_registry()), (ANNOTATION_DIGESTS, stored_annotations()),
        (WEBHOOK_DIGESTS, stored_webhooks()), (DOCUMENT_DIGESTS, stored_documents()),
        (MODEL_DIGESTS, stored_models()),
        (DEFAULT_DIGESTS, stored_defaults()), (TOKEN_DIGESTS, stored_tokens()), (ENDING_DIGESTS, stored_endings()),
        (BRANCH_DIGESTS, stored_branches()), (IMPORT_TIME_DIGESTS, stored_import_times()),
    )  # fmt: skip
    for path, records in stored:
        if not path.exists():
            # chDB opens one directory per process.
            path.write_text(json.dumps(in_own_process(digests_of, records), indent=1) + "\n")


def digests_of(records: list[tuple[str, bytes, bytes]]) -> dict[str, int]:
    """The digests of the tables that a log of the records folds into."""
    with tempfile.TemporaryDirectory() as folder:
        found = rebuilt(log_of(records), Path(folder))
        # Each log has some: they have digests of their own.
        return {table: one.digest for table, one in found.items() if table != "records"}


if __name__ == "__main__":
    main()
