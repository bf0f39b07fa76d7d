"""Digests of requests: what a request id stands for, across restarts and versions. Pure."""

from __future__ import annotations

import hashlib
import json

from fleetlog_core.errors import FailedPrecondition
from fleetlog_proto.v1 import frame_pb2, ingest_pb2, logged_model_pb2
from google.protobuf.json_format import MessageToDict, MessageToJson


def digest_of_update(request: ingest_pb2.UpdateRunRequest) -> int:
    """64 bits of what is asked of the run; never 0."""
    asked = ingest_pb2.UpdateRunRequest()
    asked.CopyFrom(request)
    for name in ("namespace", "run_id", "request_id", "at_least"):
        asked.ClearField(name)
    return _digest(asked)


def digest_of_branch(request: ingest_pb2.BranchRunRequest) -> int:
    """64 bits of what is asked of the branch; never 0."""
    asked = MessageToDict(request, preserving_proto_field_name=True)
    for name in ("namespace", "branch_run_id", "request_id", "at_least"):
        asked.pop(name, None)
    return _digest_of(json.dumps(["BranchRunRequest", asked], sort_keys=True))


def digest_of_log_run(request: ingest_pb2.LogRunRequest) -> int:
    """64 bits of what is logged to the run; never 0."""
    asked = ingest_pb2.LogRunRequest()
    asked.CopyFrom(request)
    for name in ("namespace", "run_id", "request_id", "at_least"):
        asked.ClearField(name)
    return _digest(asked)


ModelRequest = (
    logged_model_pb2.CreateLoggedModelRequest
    | logged_model_pb2.UpdateLoggedModelRequest
    | logged_model_pb2.PurgeLoggedModelRequest
)


def digest_of_model_request(request: ModelRequest) -> int:
    """64 bits of what is asked of a logged model; never 0."""
    asked = MessageToDict(request, preserving_proto_field_name=True)
    for name in ("namespace", "model_id", "request_id", "at_least"):
        asked.pop(name, None)
    return _digest_of(json.dumps([type(request).__name__, asked], sort_keys=True))


def digest_of_intent(record: frame_pb2.ControlRecord) -> int:
    """64 bits of the intent; never 0."""
    asked = frame_pb2.ControlRecord()
    asked.CopyFrom(record)
    for name in ("namespace", "request_id", "ingest_time_millis", "caller"):
        asked.ClearField(name)
    return _digest(asked)


def check_same_request(before: int, digest: int) -> None:
    """REQUEST_ID_REUSED when the request id stands for another request. 0: it is not known what it stands for."""
    if before and before != digest:
        text = "request_id: another request had this id, and stays as it was; give each request an id of its own"
        raise FailedPrecondition("REQUEST_ID_REUSED", text)


def _digest(message: ingest_pb2.UpdateRunRequest | ingest_pb2.LogRunRequest | frame_pb2.ControlRecord) -> int:
    # Not the wire format, whose maps are in no order, and which later versions may write in another way.
    return _digest_of(MessageToJson(message, preserving_proto_field_name=True, sort_keys=True, indent=None))


def _digest_of(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big") or 1
