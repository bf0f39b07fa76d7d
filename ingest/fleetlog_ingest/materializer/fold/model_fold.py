"""The fold of a logged model's events into rows. Pure."""

from __future__ import annotations

from collections.abc import Callable

from fleetlog_proto.v1 import event_pb2

from fleetlog_ingest.materializer.fold import logged_models
from fleetlog_ingest.materializer.fold.event_rows import EventRows
from fleetlog_ingest.materializer.fold.logged_models import Model
from fleetlog_ingest.materializer.fold.state import RunKey, State

Problem = tuple[str, str]
"""Reason and message."""


class ModelFold:
    """Folds the events of logged models of one batch; used once."""

    def __init__(self, before: State, changes: State, rows: EventRows) -> None:
        self._before = before
        self._changes = changes
        self._rows = rows

    def fold(
        self, key: RunKey, event: event_pb2.Event, time: int, offset: int, next_ver: Callable[[int], int]
    ) -> Problem | None:
        """Apply an event that is one of logged models alone. Returns what is wrong with it, if something is.

        `time` is when it was made, as well as is known; `next_ver` gives the `ver` of the first of so many rows.
        """
        kind, known = event.WhichOneof("payload"), self._known(key)
        if kind == "logged_model_created":
            created = event.logged_model_created
            if known is not None and known.made:
                return (
                    "LOGGED_MODEL_EXISTS",
                    "there is a logged model of this id, which stays; give each its own",
                )
            self._changes.models[key] = logged_models.created(known, created, time, offset)
            self._rows.model_params(key, sorted(created.params.items()), next_ver(len(created.params)))
            self._rows.model_tags(key, sorted(created.tags.items()), next_ver(len(created.tags)))
            return None
        model = known or Model(create_time=time, update_time=time, ver=offset)
        if kind == "logged_model_updated":
            updated = event.logged_model_updated
            model = logged_models.updated(model, updated, time, offset)
            self._rows.model_params(key, sorted(updated.params.items()), next_ver(len(updated.params)))
            gone = [(tag, "") for tag in updated.deleted_tags]
            self._rows.model_tags(key, gone, next_ver(len(gone)), removed=True)
            self._rows.model_tags(key, sorted(updated.tags.items()), next_ver(len(updated.tags)))
        elif kind == "logged_model_purged":
            model = logged_models.purged(model, time, offset)
        else:
            model = logged_models.hidden(model, kind == "logged_model_deleted", time, offset)
        self._changes.models[key] = model
        return None

    def _known(self, key: RunKey) -> Model | None:
        return self._changes.models.get(key) or self._before.models.get(key)
