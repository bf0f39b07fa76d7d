"""What this process wrote to a logged model and the server may not have applied yet, put over what it answers. Pure.

As with runs (overlay.py), what is put over can hide nothing of others.
"""

from __future__ import annotations

from fleetlog_proto.v1 import event_pb2, logged_model_pb2


class OwnModel:
    """The writes of this process to one logged model."""

    def __init__(self, made: logged_model_pb2.LoggedModel | None = None) -> None:
        self._made = made
        """The model as it was made, when it was made here."""
        self._events: list[event_pb2.Event] = []
        self.measured = False
        """True if points that name it were logged: these are of runs, and reads of it wait for them."""

    @property
    def is_empty(self) -> bool:
        """True if nothing was put, and the model was not made here."""
        return self._made is None and not self._events and not self.measured

    def put(self, event: event_pb2.Event) -> None:
        """An event of the model is put."""
        self._events.append(event)

    def over(self, found: logged_model_pb2.LoggedModel | None) -> logged_model_pb2.LoggedModel | None:
        """Returns the model with all of it. `found`: the server's; None when it has none, which is the answer then for
        a model that was not made here."""
        base = found if found is not None else self._made
        if base is None:
            return None
        model = logged_model_pb2.LoggedModel()
        model.CopyFrom(base)
        for event in self._events:
            _apply(event, model)
        return model


def _apply(event: event_pb2.Event, model: logged_model_pb2.LoggedModel) -> None:
    kind = event.WhichOneof("payload")
    if kind == "logged_model_updated":
        updated = event.logged_model_updated
        if updated.status:
            model.status = updated.status
        if updated.HasField("status_message"):
            model.status_message = updated.status_message
        for key, text in updated.params.items():
            if key not in model.params:
                model.params[key] = text
        for key in updated.deleted_tags:
            model.tags.pop(key, None)
        for key, text in updated.tags.items():
            model.tags[key] = text
    elif kind in ("logged_model_deleted", "logged_model_restored"):
        model.deleted = kind == "logged_model_deleted"
    else:
        return
    model.update_time_millis = event.observe_time_millis
