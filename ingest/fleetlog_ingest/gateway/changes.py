"""UpdateRun as events. Pure."""

from __future__ import annotations

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, ResourceExhausted
from fleetlog_core.rules.events import check_ended, check_tag_keys, check_tags
from fleetlog_core.rules.names import check_not_empty, check_run_name
from fleetlog_proto.v1 import event_pb2, ingest_pb2


def changes_of(request: ingest_pb2.UpdateRunRequest, now_millis: int) -> list[event_pb2.Event]:
    """The request as events of a writer of its own, with sequences from 1: the same request gives the same ones.

    Without RunStarted: whoever changes a run from outside neither names it nor opens it. InvalidArgument names the
    field of the request.
    """
    if request.ByteSize() > limits.FRAME_BYTES:
        raise ResourceExhausted(
            "FRAME_TOO_LARGE", f"the request has more than {limits.FRAME_BYTES:,} bytes; set fewer tags at a time"
        )
    events = []
    if request.HasField("name"):
        check_not_empty(request.name, "name")
        check_run_name(request.name, "name")
        events.append(event_pb2.Event(run_updated=event_pb2.RunUpdated(name=request.name)))
    if request.deleted_tags:
        check_tag_keys(request.deleted_tags, "deleted_tags")
        events.append(event_pb2.Event(tags_deleted=event_pb2.TagsDeleted(keys=request.deleted_tags)))
    if request.tags:
        check_tags(request.tags, "tags")
        events.append(event_pb2.Event(tags_set=event_pb2.TagsSet(tags=request.tags)))
    if request.state != event_pb2.RUN_STATE_UNSPECIFIED:
        check_ended(request.state, "state")
        events.append(event_pb2.Event(run_finished=event_pb2.RunFinished(state=request.state)))
    if request.HasField("deleted"):
        hidden, back = event_pb2.RunDeleted(), event_pb2.RunRestored()
        events.append(event_pb2.Event(run_deleted=hidden) if request.deleted else event_pb2.Event(run_restored=back))
    if not events:
        raise InvalidArgument("NOTHING_TO_CHANGE", "the request changes nothing; give a name, tags, a state or deleted")
    for place, event in enumerate(events):
        event.sequence = place + 1
        event.observe_time_millis = now_millis
    return events
