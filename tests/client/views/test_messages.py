"""Answers that hold messages of the contract cross the borders of processes."""

from __future__ import annotations

import copy
import pickle

from fleetlog._views import messages
from fleetlog._views.artifacts import Artifact
from fleetlog._views.views import RunView
from fleetlog_proto.v1 import artifact_pb2, position_pb2, run_pb2

from tests.client.test_views import Asked


def test_a_message_is_the_same_behind_pickle_and_copy() -> None:
    messages.register()
    run = run_pb2.Run(run_id="1" * 32, tags={"a": "é"})
    run.metrics.add(key="x", last=1.5)
    assert pickle.loads(pickle.dumps(run)) == run
    assert copy.deepcopy([run]) == [run]
    assert messages.message_of("fleetlog.v1.Position", b"") == position_pb2.Position()


def test_a_view_of_a_run_keeps_what_it_shows() -> None:
    view = RunView(run_pb2.Run(run_id="1" * 32, name="a", tags={"k": "v"}), Asked())
    again = pickle.loads(pickle.dumps(view))
    assert (again.id, again.name, again.tags) == (view.id, "a", {"k": "v"})


def test_a_file_shows_its_digest_as_tools_print_it() -> None:
    message = artifact_pb2.Artifact(path="a/b", size_bytes=3, sha256=b"\xab" * 32, ingest_time_millis=1_000)
    found = Artifact.of(message)
    assert (found.path, found.size_bytes, found.sha256, found.time.timestamp()) == ("a/b", 3, "ab" * 32, 1.0)
