"""Files that a dead process's journal keeps, as frames: the same file makes the same frame whoever delivers it.

The writer of the process is dead, and its next sequence may be in another copy of the journal: each file has a writer
of its own, named by what it is of, which adds to the run whatever the run's state is.
"""

from __future__ import annotations

import hashlib

from fleetlog_proto.v1 import event_pb2, frame_pb2

from fleetlog._events.items import Writer
from fleetlog._files.artifacts import artifact_event
from fleetlog._journal.kept_files import KeptFile
from fleetlog._transport.connection import Connection


def uploaded(connection: Connection, kept: KeptFile, experiment_id: int) -> tuple[Writer, frame_pb2.Frame]:
    """Upload a file of a run in an experiment; the frame that tells of it, and its writer. FleetlogError, OSError."""
    about = kept.about
    run_id = bytes.fromhex(about.run_id)
    named = f"{about.writer_id}\0{about.logged_millis}\0{about.name}".encode(errors="surrogatepass")
    writer = Writer(
        about.namespace, run_id, hashlib.sha256(named).digest()[:16], about.rank, "", None,
        subject=frame_pb2.Subject.Value(about.subject),
    )  # fmt: skip
    events = []
    if writer.subject != frame_pb2.SUBJECT_MODEL:
        opening = event_pb2.RunStarted(experiment_id=experiment_id, opening=event_pb2.RUN_OPENING_ANNOTATE)
        events.append(event_pb2.Event(observe_time_millis=about.logged_millis, run_started=opening))
    events.append(artifact_event(connection, writer, kept.path, about.name, about.logged_millis))
    for sequence, event in enumerate(events, 1):
        event.sequence = sequence
    frame = frame_pb2.Frame(
        namespace=writer.namespace, run_id=run_id, writer_id=writer.writer_id, rank=writer.rank, events=events,
        subject=writer.subject,
    )  # fmt: skip
    return writer, frame
