"""Searches of models and versions, with MLflow's own filters and orders over what the registry has.

What a filter says of the model's name and of runs is asked of the server; the rest is compared here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from fleetlog_proto.v1 import model_version_pb2, registered_model_pb2
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.prompt.registry_utils import add_prompt_filter_string
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.model_registry import (
    SEARCH_MODEL_VERSION_MAX_RESULTS_DEFAULT,
    SEARCH_MODEL_VERSION_MAX_RESULTS_THRESHOLD,
    SEARCH_REGISTERED_MODEL_MAX_RESULTS_DEFAULT,
    SEARCH_REGISTERED_MODEL_MAX_RESULTS_THRESHOLD,
)
from mlflow.utils.search_utils import SearchModelUtils, SearchModelVersionUtils, SearchUtils

from fleetlog._calls.base import PAGE, TIMEOUT_SECONDS
from fleetlog._transport.answers import pages
from fleetlog.errors import InvalidArgument, NotFound
from fleetlog.mlflow_plugin.errors import invalid, translated
from fleetlog.mlflow_plugin.page_tokens import page_start
from fleetlog.mlflow_plugin.registry_base import RegistryBase
from fleetlog.mlflow_plugin.registry_entities import RUN_ID, model_entity, version_entity

DEFAULT_ORDER = ("last_updated_timestamp DESC", "name ASC", "version_number DESC")
RUNS_PER_REQUEST = 1_000
Entity = TypeVar("Entity")


class RegistrySearchStore(RegistryBase):
    """Models and versions of the namespace. Prompts are left out unless a filter asks for them."""

    def search_registered_models(
        self,
        filter_string: str | None = None,
        max_results: int | None = SEARCH_REGISTERED_MODEL_MAX_RESULTS_DEFAULT,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[RegisteredModel]:
        """Returns a page of models, by name unless ordered otherwise."""
        size = SEARCH_REGISTERED_MODEL_MAX_RESULTS_DEFAULT if max_results is None else max_results
        _check_most(size, SEARCH_REGISTERED_MODEL_MAX_RESULTS_THRESHOLD)
        _check_whole(size)
        where = add_prompt_filter_string(filter_string, is_prompt=False)
        # What is wrong with them is told before anything is asked for.
        SearchModelUtils.parse_search_filter(where)
        order = _model_order(order_by or ())
        offset = page_start(page_token)
        with translated():
            found = [model_entity(model, self.scheme) for model in self._models()]
        return _page(SearchModelUtils.sort(SearchModelUtils.filter(found, where), order), offset, size)

    def search_model_versions(
        self,
        filter_string: str | None = None,
        max_results: int | None = SEARCH_MODEL_VERSION_MAX_RESULTS_DEFAULT,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[ModelVersion]:
        """Returns a page of versions, those changed last first unless ordered otherwise."""
        size = SEARCH_MODEL_VERSION_MAX_RESULTS_DEFAULT if max_results is None else max_results
        _check_whole(size)
        _check_most(size, SEARCH_MODEL_VERSION_MAX_RESULTS_THRESHOLD)
        where = add_prompt_filter_string(filter_string, is_prompt=False)
        conditions = SearchModelVersionUtils.parse_search_filter(where)
        order = order_by or DEFAULT_ORDER
        SearchModelVersionUtils.sort([], order)
        offset = page_start(page_token)
        with translated():
            found = [version_entity(version, self.scheme) for version in self._versions(conditions)]
        return _page(SearchModelVersionUtils.sort(SearchModelVersionUtils.filter(found, where), order), offset, size)

    def _models(self) -> Iterator[registered_model_pb2.RegisteredModel]:
        connection = self.connection
        request = registered_model_pb2.SearchRegisteredModelsRequest(
            namespace=self.place.namespace, page_size=PAGE, at_least=self.position()
        )
        for page in pages(connection, connection.registry_query.SearchRegisteredModels, request, TIMEOUT_SECONDS):
            yield from page.models

    def _versions(self, conditions: Sequence[Mapping[str, Any]]) -> Iterator[model_version_pb2.ModelVersion]:
        """Returns the versions that may match: those of the model and the runs that are named."""
        name, runs = _names(conditions)
        # Runs of other systems are not searched by.
        if runs is None or not all(map(RUN_ID.fullmatch, runs)):
            yield from self._versions_of(name, [])
            return
        ids = sorted(runs)
        for first in range(0, len(ids), RUNS_PER_REQUEST):
            yield from self._versions_of(name, ids[first : first + RUNS_PER_REQUEST])

    def _versions_of(self, name: str, run_ids: Sequence[str]) -> Iterator[model_version_pb2.ModelVersion]:
        connection = self.connection
        request = model_version_pb2.SearchModelVersionsRequest(
            namespace=self.place.namespace,
            name=name,
            run_ids=run_ids,
            page_size=PAGE,
            at_least=self.position(),
        )
        try:
            for page in pages(connection, connection.registry_query.SearchModelVersions, request, TIMEOUT_SECONDS):
                yield from page.versions
        except NotFound as error:
            if error.reason != "MODEL_NOT_FOUND":
                raise
        except InvalidArgument as error:
            # A name that no model can have is that of none.
            if not error.reason.startswith("NAME_"):
                raise


def _names(conditions: Sequence[Mapping[str, Any]]) -> tuple[str, set[str] | None]:
    """Returns the one model ("" = any) and the runs (None = any) that conditions, which all hold, allow."""
    name, runs = "", None
    for condition in conditions:
        if condition["type"] != "attribute":
            continue
        key, comparator, value = condition["key"], condition["comparator"], condition["value"]
        if key == "name" and comparator == "=":
            name = value
        elif key == "run_id" and comparator in ("=", "IN"):
            named = {value} if comparator == "=" else set(value)
            runs = named if runs is None else runs & named
    return name, runs


def _model_order(order_by: Sequence[str]) -> list[str]:
    """Returns the order of models with MLflow's two words for the time of the last change as one. MlflowException."""
    order, seen = list[str](), set[str]()
    for clause in order_by:
        word, ascending = SearchUtils.parse_order_by_for_search_registered_models(clause)
        key = "last_updated_timestamp" if word in SearchUtils.VALID_TIMESTAMP_ORDER_BY_KEYS else word
        if key in seen:
            raise invalid(f"`order_by` contains duplicate fields: {list(order_by)}")
        seen.add(key)
        order.append(f"{key} {'ASC' if ascending else 'DESC'}")
    return order


def _check_most(size: int | float, most: int) -> None:
    if size > most:
        raise invalid(
            f"Invalid value for request parameter max_results. It must be at most {most}, but got value {size}"
        )


def _check_whole(size: object) -> None:
    if not isinstance(size, int) or size < 1:
        raise invalid(f"Invalid value for max_results. It must be a positive integer, but got {size}")


def _page(found: Sequence[Entity], offset: int, size: int) -> PagedList[Entity]:
    end = offset + size
    return PagedList(list(found[offset:end]), SearchUtils.create_page_token(end) if end < len(found) else None)
