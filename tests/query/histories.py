"""Small logs of everything that happens to runs, and how some of their records are folded into a warehouse."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from fleetlog_core.log.partitions import partition_of
from fleetlog_core.log.port import CONTROL, EVENTS, Partition, Record
from fleetlog_core.objects.folder import FolderStore
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_ingest.materializer.fold.decoding import decode
from fleetlog_ingest.materializer.loop.apply import Applier
from fleetlog_ingest.materializer.loop.pieces import Batch
from fleetlog_proto.v1 import event_pb2, frame_pb2

from tests.ingest.materializer.builders import NOW
from tests.query.random_runs import EXACT, KEYS, NAMES, STEPS, TEXTS

PARTITIONS = 3
ALL = (Partition(CONTROL, 0), *(Partition(EVENTS, number) for number in range(PARTITIONS)))
TAGS = KEYS[:2]
"""So few that they are set, deleted and set again."""
Message = frame_pb2.Frame | frame_pb2.ControlRecord
RUNS = [bytes([1, 139, place]) + random.Random(place).randbytes(13) for place in range(5)]


def history(seed: int, length: int, runs: Sequence[bytes] = RUNS) -> list[tuple[Partition, Message]]:
    """Records without a namespace, in the order of the log: each with the partition that it belongs to."""
    chance = random.Random(seed)
    sequences: dict[tuple[bytes, int], int] = {}
    branched: set[bytes] = set()
    found: list[tuple[Partition, Message]] = []
    for place in range(length):
        if chance.random() < 0.15:
            found.append((ALL[0], _intent(chance, place)))
        elif found and chance.random() < 0.1:
            found.append(chance.choice(found))
        else:
            run_id, writer = chance.choice(runs), chance.randrange(2)
            frame = frame_pb2.Frame(
                run_id=run_id, writer_id=bytes([writer]) * 16, rank=writer, ingest_time_millis=NOW + place
            )
            for _ in range(chance.randrange(1, 4)):
                sequences[run_id, writer] = sequence = sequences.get((run_id, writer), 0) + 1
                if run_id not in branched and chance.random() < 0.02:
                    branched.add(run_id)
                    frame.events.append(_branched(chance, sequence, run_id, runs))
                else:
                    frame.events.append(_event(chance, sequence))
            found.append((Partition(EVENTS, partition_of(run_id, PARTITIONS)), frame))
    return found


def _event(chance: random.Random, sequence: int) -> event_pb2.Event:
    event = event_pb2.Event(sequence=sequence, observe_time_millis=NOW + chance.randrange(10_000))
    kind = chance.randrange(15)
    if kind < 2:
        started = event.run_started
        started.experiment_id, started.name, started.user = chance.randrange(3), chance.choice(NAMES), "ada"
        started.opening = chance.choice([event_pb2.RUN_OPENING_CREATE, event_pb2.RUN_OPENING_RESUME])
        started.tags[chance.choice(TAGS)] = chance.choice(TEXTS)
        started.params.add(key=chance.choice(KEYS), whole=chance.randrange(3))
    elif kind == 2:
        event.run_updated.name = chance.choice(NAMES)
    elif kind == 3:
        event.run_finished.state = chance.choice([event_pb2.RUN_STATE_FAILED, event_pb2.RUN_STATE_FINISHED])
    elif kind == 4:
        event.run_deleted.SetInParent()
    elif kind == 5:
        event.run_restored.SetInParent()
    elif kind == 6:
        event.params_logged.params.add(key=chance.choice(KEYS), real=chance.choice([0.0, 1.5, math.nan]))
    elif kind < 9:
        event.tags_set.tags[chance.choice(TAGS)] = chance.choice(TEXTS)
    elif kind == 9:
        event.tags_deleted.keys.append(chance.choice(TAGS))
    elif kind == 14:
        name, context = chance.choice(NAMES[:3]), chance.choice(["", "training"])
        event.datasets_logged.datasets.add(name=name, context=context, source=chance.choice(["", "s3://b"]))
    else:
        metrics, rows = event.metrics_logged, chance.randrange(1, 4)
        steps = [chance.choice(STEPS) for _ in range(rows)]
        metrics.step_deltas.extend(step - before for before, step in zip([0, *steps], steps, strict=False))
        for key in chance.sample(KEYS, chance.randrange(1, 3)):
            metrics.columns.add(key=key, values=[chance.choice(EXACT) for _ in range(rows)])
    return event


def _branched(chance: random.Random, sequence: int, run_id: bytes, runs: Sequence[bytes]) -> event_pb2.Event:
    """It goes on from another run, as a fork; or as a rewind, if both are of one partition."""
    event = event_pb2.Event(sequence=sequence, observe_time_millis=NOW)
    branch, source = event.run_branched, chance.choice([one for one in runs if one != run_id])
    branch.source_run_id, branch.step = source, chance.choice(STEPS)
    is_near = partition_of(run_id, PARTITIONS) == partition_of(source, PARTITIONS)
    branch.rewinds = is_near and chance.random() < 0.5
    # Of nothing that is there: summaries of what a branch begins with are in its event, from a gateway that read them.
    branch.segments.add(run_id=source, step=branch.step, next_offset=0)
    return event


def _intent(chance: random.Random, place: int) -> frame_pb2.ControlRecord:
    record = frame_pb2.ControlRecord(request_id=place.to_bytes(16, "big"), ingest_time_millis=NOW + place)
    kind, number = chance.randrange(5), chance.randrange(1, 3)
    if kind < 2:
        record.experiment_created.name = f"experiment {chance.randrange(4)}"
    elif kind == 2:
        record.experiment_updated.experiment_id = number
        record.experiment_updated.name = f"experiment {chance.randrange(4)}"
    elif kind == 3:
        record.experiment_deleted.experiment_id = number
    else:
        record.experiment_restored.experiment_id = number
    return record


class Writing:
    """One log for all: records of a history are appended under a namespace of their own, and folded."""

    def __init__(self, warehouse: Warehouse, scratch: Path) -> None:
        objects = FolderStore(scratch / "objects")
        self._applier = Applier(
            warehouse, objects, "1", lambda dead: None, threading.Event(), event_partitions=PARTITIONS
        )
        self.next_offsets = dict.fromkeys(ALL, 0)

    def fold(
        self,
        records: Sequence[tuple[Partition, Message]],
        namespace: str,
        chance: random.Random | None,
        time: int = NOW,
    ) -> list[Mapping[Partition, int]]:
        """The positions after 0, 1, 2, … of the records; each is taken by the log a second after the one before.

        Batches are as chance has it; without it there is one of each partition.
        """
        positions: list[Mapping[Partition, int]] = [dict(self.next_offsets)]
        waiting: dict[Partition, list[Record]] = {}
        for place, (partition, message) in enumerate(records):
            named = type(message)()
            named.MergeFrom(message)  # type: ignore[arg-type]
            named.namespace = namespace
            offset = self.next_offsets[partition]
            taken = Record(partition, offset, b"", named.SerializeToString(), time + place * 1_000)
            self.next_offsets[partition] = offset + 1
            waiting.setdefault(partition, []).append(taken)
            positions.append(dict(self.next_offsets))
        for partition, found in waiting.items():
            while found:
                size = len(found) if chance is None else chance.randrange(1, len(found) + 1)
                self._applier.apply(Batch(partition, [decode(record) for record in found[:size]]))
                del found[:size]
        return positions
