"""A history of everything that can happen to runs, from a seed."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator

from fleetlog_core.log.partitions import partition_of
from fleetlog_core.log.port import CONTROL, EVENTS, EventLog
from fleetlog_proto.v1 import event_pb2, frame_pb2, logged_model_event_pb2

from tests.ingest.materializer.builders import NOW, frame, metrics, params, start


def run_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def write(log: EventLog, seed: int, frames: int, runs: int = 4) -> None:
    """Append frames of a few runs and writers, some of them twice, and intents between them."""
    for topic, key, value in history(seed, frames, runs):
        log.append(topic, key, value).result(timeout=30)


def history(seed: int, frames: int, runs: int) -> Iterator[tuple[str, bytes, bytes]]:
    chance, of_models = random.Random(seed), random.Random(seed)
    sequences: dict[tuple[int, int], int] = {}
    sent: list[tuple[bytes, bytes]] = []
    for number in range(frames):
        if of_models.random() < 0.12:
            yield from _models(of_models, seed, number)
        if chance.random() < 0.15 and sent:
            run, value = chance.choice(sent)
            yield EVENTS, run, value
            continue
        if chance.random() < 0.1:
            yield CONTROL, b"default", _intent(chance, seed, number)
        if chance.random() < 0.1:
            run, value = _table(chance, seed, number)
            sent.append((run, value))
            yield EVENTS, run, value
            continue
        which, writer = seed * 100 + chance.randrange(runs), chance.randrange(2)
        events = []
        for _ in range(chance.randrange(1, 5)):
            sequences[which, writer] = sequence = sequences.get((which, writer), 0) + 1 + (chance.random() < 0.05)
            events.append(_event(chance, sequence))
        value = frame(*events, run=run_id(which), writer=run_id(1000 + writer)).SerializeToString()
        sent.append((run_id(which), value))
        yield EVENTS, run_id(which), value


def _models(chance: random.Random, seed: int, number: int) -> Iterator[tuple[str, bytes, bytes]]:
    """A change of a logged model, sometimes twice, and what a run says of it. Each is a writer's only frame."""
    which, run, writer = run_id(5000 + seed * 100 + chance.randrange(2)), run_id(seed * 100), run_id(6000 + number)
    of, event = logged_model_event_pb2, event_pb2.Event(sequence=1, observe_time_millis=NOW + number)
    texts = {chance.choice("abc"): str(chance.random())}
    kind = chance.randrange(5)
    if kind < 2:
        event.logged_model_created.CopyFrom(of.LoggedModelCreated(name=f"model {number}", params=texts, tags=texts))
    elif kind < 4:
        ready = of.LOGGED_MODEL_STATUS_READY
        updated = of.LoggedModelUpdated(status=ready, params=texts, tags=texts, deleted_tags=[chance.choice("abc")])
        event.logged_model_updated.CopyFrom(updated)
    else:
        event.logged_model_deleted.SetInParent()
    change = frame(event, run=which, writer=writer)
    change.subject = frame_pb2.SUBJECT_MODEL
    for _ in range(chance.randrange(1, 3)):
        yield EVENTS, which, change.SerializeToString()
    points = metrics(1, loss=[(step, chance.random()) for step in range(chance.randrange(1, 40))])
    points.metrics_logged.model_id = which
    linked, gone = event_pb2.Event(sequence=2), event_pb2.Event(sequence=3)
    linked.models_linked.outputs.add(model_id=which, step=chance.randrange(2))
    gone.artifacts_deleted.path = f"file{chance.randrange(3)}"
    yield EVENTS, run, frame(points, linked, gone, run=run, writer=writer).SerializeToString()


def _table(chance: random.Random, seed: int, number: int) -> tuple[bytes, bytes]:
    """A table of some runs, of which some may be there; all in one partition, however many there are."""
    numbers = [seed * 100 + chance.randrange(8) for _ in range(6)]
    ids = list(dict.fromkeys(map(run_id, numbers)))
    ids = [one for one in ids if partition_of(one, 12) == partition_of(ids[0], 12)]
    runs = event_pb2.RunsImported(
        experiment_id=chance.randrange(2), run_ids=b"".join(ids), start_times_millis=[NOW + number] * len(ids)
    )
    runs.states.extend([event_pb2.RUN_STATE_FAILED] * len(ids))
    runs.params.add(key="a", reals=[chance.random() for _ in ids])
    runs.tags.add(key="b", rows=[len(ids) - 1]).texts.texts.append("from a table")
    runs.metrics.add(key="loss", values=[chance.choice([math.nan, 0.5]) for _ in ids], steps=[number] * len(ids))
    event = event_pb2.Event(sequence=1, runs_imported=runs)
    return ids[0], frame(event, run=ids[0], writer=run_id(2000 + number)).SerializeToString()


def _event(chance: random.Random, sequence: int) -> event_pb2.Event:
    kind = chance.randrange(11)
    event = event_pb2.Event(sequence=sequence, observe_time_millis=NOW + sequence)
    if kind == 0:
        opened = start(sequence, chance.randrange(2), f"run {sequence}", lr=chance.choice(["1", "2"]))
        opened.run_started.opening = chance.choice([event_pb2.RUN_OPENING_CREATE, event_pb2.RUN_OPENING_RESUME])
        return opened
    if kind == 1:
        return params(sequence, **{chance.choice("abc"): chance.choice(["1", "x"])})
    if kind == 2:
        event.tags_set.tags[chance.choice("abc")] = str(chance.random())
    elif kind == 3:
        event.tags_deleted.keys.append(chance.choice("abc"))
    elif kind == 4:
        event.run_finished.state = chance.choice([event_pb2.RUN_STATE_FAILED, event_pb2.RUN_STATE_FINISHED])
    elif kind == 10:
        event.datasets_logged.datasets.add(name=chance.choice("abc"), source=chance.choice(["", "s3://b"]))
    elif kind == 5:
        content = chance.randbytes(8)
        artifact = event.artifact_logged
        artifact.path, artifact.size_bytes, artifact.content = f"file{chance.randrange(3)}", 8, content
        artifact.sha256 = hashlib.sha256(content).digest() if chance.random() < 0.8 else bytes(32)
    else:
        first = chance.randrange(-500, 500)
        special = chance.choice([None, math.nan, 1e6, -0.0, math.inf])
        points = [
            (first + place, chance.random() if special is None else special)
            for place in range(chance.randrange(1, 300))
        ]
        return metrics(sequence, loss=points, acc=[(step, 1.0) for step, _ in points])
    return event


def _intent(chance: random.Random, seed: int, number: int) -> bytes:
    record = frame_pb2.ControlRecord(request_id=run_id(seed * 1000 + number), ingest_time_millis=NOW)
    kind = chance.randrange(4)
    if kind < 2:
        record.experiment_created.name = f"experiment {chance.randrange(30)}"
    elif kind == 2:
        record.experiment_updated.experiment_id = chance.randrange(3)
        record.experiment_updated.name = f"experiment {chance.randrange(30)}"
    else:
        record.experiment_deleted.experiment_id = chance.randrange(3)
    return record.SerializeToString()
