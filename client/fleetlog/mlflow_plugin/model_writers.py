"""Writers of this process to logged models of one namespace: one to each, over the process's delivery."""

from __future__ import annotations

from typing import Any

from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import frame_pb2, logged_model_event_pb2, logged_model_pb2

from fleetlog._calls.base import TIMEOUT_SECONDS
from fleetlog._events.items import Writer
from fleetlog.errors import NotFound
from fleetlog.mlflow_plugin.model_overlay import OwnModel
from fleetlog.mlflow_plugin.process_writers import ProcessWriters, covers
from fleetlog.mlflow_plugin.served import is_served
from fleetlog.mlflow_plugin.uris import Place

MAX_MODELS = 1_000
"""Maximum of logged models that are remembered."""


class ModelWriters(ProcessWriters):
    """Writers to the logged models of a place. Ids are of 32 hexadecimal digits. Thread-safe."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._models: dict[str, Writer] = {}
        self._own_models: dict[str, OwnModel] = {}
        """What was written to them; of those that were read, nothing."""

    def model_author(self, model_id: str) -> Writer:
        """Returns the writer to a logged model, which is not looked up."""
        with self._lock:
            found = self._models.get(model_id)
            if found is None:
                found = Writer(self.place.namespace, bytes.fromhex(model_id), new_random_id(), None, "", None)
                found.subject = frame_pb2.SUBJECT_MODEL
                self._models[model_id] = found
                if len(self._models) > MAX_MODELS:
                    del self._models[next(iter(self._models))]
                self.delivery.add(found)
        return found

    def make_model(
        self, made: logged_model_pb2.LoggedModel, created: logged_model_event_pb2.LoggedModelCreated
    ) -> None:
        """Put a new logged model. InvalidArgument."""
        author = self.model_author(made.model_id)
        event = self._event(author, {"logged_model_created": created}, made.create_time_millis)
        self._know_model(made.model_id, OwnModel(made))
        self._put(author, event)

    def knows_model(self, model_id: str) -> bool:
        """True if the logged model was made, written to or read by this process."""
        return model_id in self._own_models

    def say_of_model(self, model_id: str, **payload: Any) -> None:
        """Put an event of a logged model. InvalidArgument before anything of it is sent."""
        author = self.model_author(model_id)
        event = self._event(author, payload)
        own = self._own_models.get(model_id)
        if own is None:
            own = self._know_model(model_id, OwnModel())
        own.put(event)
        self._put(author, event)

    def measured_model(self, model_id: str) -> None:
        """Points that name the logged model were put."""
        own = self._own_models.get(model_id)
        if own is not None:
            own.measured = True

    def read_model(self, model_id: str) -> logged_model_pb2.LoggedModel | None:
        """Returns a logged model with everything that this process wrote of it; None when it is not there."""
        self.flush()
        own = self._own_models.get(model_id)
        connection = self.connection
        request = logged_model_pb2.GetLoggedModelRequest(namespace=self.place.namespace, model_id=model_id)
        if own is None or own.is_empty or own.measured or is_served():
            request.at_least.CopyFrom(self.position())
            own = None
        else:
            request.tell_position = True
        try:
            answer = connection.call(connection.models_query.GetLoggedModel, request, TIMEOUT_SECONDS)
        except NotFound:
            answer = logged_model_pb2.GetLoggedModelResponse()
        found = answer.model if answer.HasField("model") else None
        if own is not None and not covers(answer.position, connection.position()):
            return own.over(found)
        if found is not None:
            self._know_model(model_id, OwnModel())
        return found

    def _know_model(self, model_id: str, own: OwnModel) -> OwnModel:
        self._own_models[model_id] = own
        if len(self._own_models) > MAX_MODELS:
            del self._own_models[next(iter(self._own_models))]
        return own
