"""A logged model's life cycle, folded from its events.

    LoggedModelCreated   the first sets experiment, name, source, kind and time; later ones change nothing
    LoggedModelUpdated   sets status and message
    LoggedModelDeleted   hides, LoggedModelRestored shows
    LoggedModelPurged    takes it away for good

A change of a model that nobody made makes it, so that nothing is lost: what makes it may come yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fleetlog_core.ids import ID_BYTES
from fleetlog_proto.v1 import logged_model_event_pb2

NO_RUN = bytes(ID_BYTES)


@dataclass(frozen=True, slots=True)
class Model:
    """One row of `logged_models`. Times are Unix milliseconds."""

    experiment: int = 0
    name: str = ""
    source_run_id: bytes = NO_RUN
    model_type: str = ""
    status: int = int(logged_model_event_pb2.LOGGED_MODEL_STATUS_PENDING)
    status_message: str = ""
    create_time: int = 0
    update_time: int = 0
    deleted: bool = False
    purged: bool = False
    made: bool = False
    ver: int = 0


def created(model: Model | None, event: logged_model_event_pb2.LoggedModelCreated, time: int, offset: int) -> Model:
    """After the first LoggedModelCreated. `model`: what later events made of it before."""
    before = model or Model(update_time=time)
    source = event.source_run_id
    return replace(
        before,
        experiment=event.experiment_id,
        name=event.name,
        source_run_id=source if len(source) == ID_BYTES else NO_RUN,
        model_type=event.model_type,
        create_time=time,
        made=True,
        ver=offset,
    )


def updated(model: Model, event: logged_model_event_pb2.LoggedModelUpdated, time: int, offset: int) -> Model:
    """After LoggedModelUpdated."""
    message = event.status_message if event.HasField("status_message") else model.status_message
    return replace(
        model, status=int(event.status) or model.status, status_message=message, update_time=time, ver=offset
    )


def hidden(model: Model, deleted: bool, time: int, offset: int) -> Model:
    """After LoggedModelDeleted (True) or LoggedModelRestored (False)."""
    return replace(model, deleted=deleted, update_time=time, ver=offset)


def purged(model: Model, time: int, offset: int) -> Model:
    """After LoggedModelPurged."""
    return replace(model, deleted=True, purged=True, update_time=time, ver=offset)
