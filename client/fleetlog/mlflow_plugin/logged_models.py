"""Logged models, as MLflow's tracking store has them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from fleetlog_core.ids import new_random_id
from fleetlog_proto.v1 import logged_model_event_pb2, logged_model_pb2, scope_pb2
from mlflow.entities import LoggedModel, LoggedModelParameter, LoggedModelStatus, LoggedModelTag
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.tracking import SEARCH_LOGGED_MODEL_MAX_RESULTS_DEFAULT
from mlflow.utils.name_utils import _generate_random_name
from mlflow.utils.search_utils import SearchLoggedModelsPaginationToken
from mlflow.utils.time import get_current_time_millis
from mlflow.utils.validation import _validate_logged_model_name

from fleetlog._calls.base import PAGE, TIMEOUT_SECONDS
from fleetlog._transport.answers import pages
from fleetlog.mlflow_plugin.entities import location_of, model_entity, model_status
from fleetlog.mlflow_plugin.errors import invalid, missing, translated
from fleetlog.mlflow_plugin.experiment_ids import experiment_numbers
from fleetlog.mlflow_plugin.experiments import FRESH_SECONDS
from fleetlog.mlflow_plugin.hidden_tags import FOREIGN_RUN, check_not_hidden, location_tags
from fleetlog.mlflow_plugin.histories import HistoryStore
from fleetlog.mlflow_plugin.model_ids import known_model_id, model_not_found
from fleetlog.mlflow_plugin.model_searches import chosen, ordered
from fleetlog.mlflow_plugin.page_tokens import checked_start, reading_token

_HEX = re.compile(r"[0-9a-f]{32}")


class LoggedModelStore(HistoryStore):
    """Logged models of the namespace."""

    def create_logged_model(
        self,
        experiment_id: str,
        name: str | None = None,
        source_run_id: str | None = None,
        tags: list[LoggedModelTag] | None = None,
        params: list[LoggedModelParameter] | None = None,
        model_type: str | None = None,
    ) -> LoggedModel:
        """Returns a new model, PENDING; durable."""
        _validate_logged_model_name(name)
        experiment = self.active_experiment(experiment_id, FRESH_SECONDS)
        texts = {tag.key: str(tag.value) for tag in tags or ()}
        check_not_hidden(texts)
        own_run = source_run_id if source_run_id and _HEX.fullmatch(source_run_id) else ""
        if source_run_id and not own_run:
            texts[FOREIGN_RUN] = source_run_id
        texts |= location_tags(bool(experiment.artifact_location), location_of(experiment, self.artifact_root))
        message = logged_model_pb2.LoggedModel(
            model_id=secrets.token_hex(16),
            experiment_id=experiment.experiment_id,
            name=name or _generate_random_name(),
            source_run_id=own_run,
            model_type=model_type or "",
            status=logged_model_event_pb2.LOGGED_MODEL_STATUS_PENDING,
            create_time_millis=get_current_time_millis(),
            params={param.key: str(param.value) for param in params or ()},
            tags=texts,
        )
        message.update_time_millis = message.create_time_millis
        created = logged_model_event_pb2.LoggedModelCreated(
            experiment_id=message.experiment_id,
            name=message.name,
            source_run_id=bytes.fromhex(message.source_run_id),
            model_type=message.model_type,
            params=message.params,
            tags=message.tags,
        )
        with translated():
            self.writers.make_model(message, created)
        self._wrote_model()
        return self._entity(message)

    def get_logged_model(self, model_id: str, allow_deleted: bool = False) -> LoggedModel:
        """Returns a model. MlflowException when it is not there, or is deleted and that is not allowed."""
        message = self._read(model_id)
        if message.deleted and not allow_deleted:
            raise model_not_found(model_id)
        return self._entity(message)

    def finalize_logged_model(self, model_id: str, status: LoggedModelStatus) -> LoggedModel:
        """Returns the model with its last status; durable."""
        message = self._read(model_id)
        number = model_status(LoggedModelStatus(status))
        self._tell(model_id, logged_model_updated=logged_model_event_pb2.LoggedModelUpdated(status=number))
        message.status, message.update_time_millis = number, get_current_time_millis()
        return self._entity(message)

    def set_logged_model_tags(self, model_id: str, tags: list[LoggedModelTag]) -> None:
        """Set tags of a model; durable."""
        check_not_hidden(tag.key for tag in tags)
        self._put_on_model(model_id, tags={tag.key: str(tag.value) for tag in tags})

    def delete_logged_model_tag(self, model_id: str, key: str) -> None:
        """Remove a tag of a model; durable. MlflowException when it has none of it."""
        check_not_hidden([key])
        if key not in self._read(model_id).tags:
            raise missing(f"No tag with key {key!r} found for model with ID {model_id!r}.")
        self._tell(model_id, logged_model_updated=logged_model_event_pb2.LoggedModelUpdated(deleted_tags=[key]))

    def log_logged_model_params(self, model_id: str, params: list[LoggedModelParameter]) -> None:
        """Add params to a model, of which the first write stays; durable."""
        self._put_on_model(model_id, params={param.key: str(param.value) for param in params})

    def delete_logged_model(self, model_id: str) -> None:
        """Delete a model; its data stays. Durable."""
        self._read(model_id)
        self._tell(model_id, logged_model_deleted=logged_model_event_pb2.LoggedModelDeleted())

    def search_logged_models(
        self,
        experiment_ids: list[str],
        filter_string: str | None = None,
        datasets: list[dict[str, Any]] | None = None,
        max_results: int | None = None,
        order_by: list[dict[str, Any]] | None = None,
        page_token: str | None = None,
    ) -> PagedList:
        """Returns a page of models: those of the experiments are read, and filtered and sorted here."""
        if datasets and not all(dataset.get("dataset_name") for dataset in datasets):
            raise invalid("`dataset_name` in the `datasets` clause must be specified.")
        offset, size = 0, max_results or SEARCH_LOGGED_MODEL_MAX_RESULTS_DEFAULT
        if page_token:
            with reading_token(page_token):
                token = SearchLoggedModelsPaginationToken.decode(page_token)
                offset = checked_start(page_token, int(token.offset))
            token.validate(experiment_ids, filter_string, order_by)
        found = [
            self._entity(message) for message in self._of_experiments(experiment_ids, scope_pb2.DELETED_VIEW_ACTIVE)
        ]
        found = ordered(chosen(found, filter_string, datasets), order_by)
        after = None
        if len(found) > offset + size:
            after = SearchLoggedModelsPaginationToken(
                offset=offset + size, experiment_ids=experiment_ids, filter_string=filter_string, order_by=order_by
            ).encode()
        return PagedList(found[offset : offset + size], after)

    def _get_deleted_logged_models(self, older_than: int = 0) -> list[str]:
        """Returns ids of models that were deleted at least `older_than` milliseconds ago; MLflow's command `gc` calls
        it."""
        before = get_current_time_millis() - older_than
        every = [str(one.experiment_id) for one in self.all_experiments()]
        return [
            self._entity(message).model_id
            for message in self._of_experiments(every, scope_pb2.DELETED_VIEW_DELETED)
            if message.update_time_millis <= before
        ]

    def _hard_delete_logged_model(self, model_id: str) -> None:
        """Take a model away for good; MLflow's command `gc` calls it."""
        message = self._read(model_id)
        if not message.deleted:
            self._tell(model_id, logged_model_deleted=logged_model_event_pb2.LoggedModelDeleted())
        connection = self.writers.connection
        request = logged_model_pb2.PurgeLoggedModelRequest(
            namespace=self.place.namespace,
            request_id=new_random_id(),
            model_id=message.model_id,
            at_least=self.writers.position(),
        )
        with translated():
            connection.saw(connection.call(connection.models.PurgeLoggedModel, request, TIMEOUT_SECONDS).position)
        self.wrote()

    def _of_experiments(
        self, experiment_ids: Sequence[str], view: scope_pb2.DeletedView.ValueType
    ) -> list[logged_model_pb2.LoggedModel]:
        numbers = experiment_numbers(experiment_ids)
        if not numbers:
            return []
        self.writers.flush()
        connection = self.writers.connection
        request = logged_model_pb2.SearchLoggedModelsRequest(
            namespace=self.place.namespace,
            experiment_ids=numbers,
            deleted_view=view,
            page_size=PAGE,
            at_least=self.writers.position(),
        )
        with translated():
            found = pages(connection, connection.models_query.SearchLoggedModels, request, TIMEOUT_SECONDS)
            return [message for page in found for message in page.models]

    def _read(self, model_id: str) -> logged_model_pb2.LoggedModel:
        known = known_model_id(model_id).hex()
        with translated():
            found = self.writers.read_model(known)
        if found is None:
            raise model_not_found(model_id)
        return found

    def _put_on_model(
        self, model_id: str, *, params: Mapping[str, str] | None = None, tags: Mapping[str, str] | None = None
    ) -> None:
        if not self.writers.knows_model(known_model_id(model_id).hex()):
            self._read(model_id)
        if params or tags:
            updated = logged_model_event_pb2.LoggedModelUpdated(params=params, tags=tags)
            self._tell(model_id, logged_model_updated=updated)

    def _tell(self, model_id: str, **payload: Any) -> None:
        with translated():
            self.writers.say_of_model(known_model_id(model_id).hex(), **payload)
        self._wrote_model()

    def _wrote_model(self) -> None:
        self.writers.flush("durable" if self.wait == "handed" else self.wait)

    def _entity(self, message: logged_model_pb2.LoggedModel) -> LoggedModel:
        return model_entity(message, self._location(message.experiment_id))
