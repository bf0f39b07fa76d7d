"""The state before a batch of the control partition, from the warehouse."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import product

from fleetlog_core.auth.kept_tokens import read_tokens
from fleetlog_core.documents.snapshot import DocumentSnapshot
from fleetlog_core.registry.snapshot import Snapshot
from fleetlog_core.registry.states import State
from fleetlog_core.rules.registry import ARCHIVING
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_core.warehouse.schema import PURGED
from fleetlog_core.webhooks.states import read_webhooks
from fleetlog_proto.v1 import frame_pb2

from fleetlog_ingest.materializer.control.control import ControlFolded, ControlState, Experiment
from fleetlog_ingest.materializer.control.document_fold import DOCUMENT_INTENTS, Documents
from fleetlog_ingest.materializer.control.registry_decision import Registry
from fleetlog_ingest.materializer.control.registry_fold import INTENTS
from fleetlog_ingest.materializer.control.token_fold import TOKEN_INTENTS
from fleetlog_ingest.materializer.control.webhook_fold import WEBHOOK_INTENTS
from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_ingest.materializer.state.loading import BatchIsIn
from fleetlog_ingest.materializer.state.registry_memory import RegistryMemory
from fleetlog_ingest.materializer.state.request_ids import DecidedRequests


class ControlStore:
    """Loads the state of batches of the control partition. Holds what was decided lately; not thread-safe.

    `experiments` comes last in a batch, so a row of the batch there says that all is in. `outcomes` come first: where
    there are none of the batch, the current tables are the state before it; else models are read as of its first one.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._requests = DecidedRequests(warehouse)
        self._models = RegistryMemory()

    def load(self, records: Sequence[Decoded], first: int) -> ControlState:
        """The state before offset `first` of the namespaces, requests and models of the records. BatchIsIn.

        It is changed by the fold: `keep` or `forget` comes before the next one.
        """
        requests: defaultdict[str, list[bytes]] = defaultdict(list)
        names_experiments, names_webhooks, has_tokens = set[str](), set[str](), False
        for decoded in records:
            if decoded.control is not None:
                requests[decoded.namespace].append(decoded.control.request_id)
                kind = decoded.control.WhichOneof("intent")
                if kind in WEBHOOK_INTENTS:
                    names_webhooks.add(decoded.namespace)
                elif kind in TOKEN_INTENTS:
                    has_tokens = True
                elif kind not in INTENTS and kind not in DOCUMENT_INTENTS:
                    names_experiments.add(decoded.namespace)
        select = self._warehouse.select
        experiments = {name: _experiments(self._warehouse, name, first) for name in sorted(names_experiments)}
        before = {name: self._requests.before(name, ids, first) for name, ids in requests.items()}
        decided = frozenset((name, one) for name, found in before.items() for one in found.decided)
        is_begun = any(found.is_begun for found in before.values())
        if is_begun:
            self._models.forget()
        registries = self._registries(records, first if is_begun else None)
        # Every state has a row of its own: those of the batch itself are not looked at.
        webhooks = {name: read_webhooks(select, name, first) for name in sorted(names_webhooks)}
        documents = _documents(self._warehouse, records, first)
        tokens = read_tokens(select, first) if has_tokens else {}
        return ControlState(experiments, decided, registries, webhooks, documents, tokens)

    def keep(self, folded: ControlFolded) -> None:
        """The batch is in."""
        ids: defaultdict[str, list[bytes]] = defaultdict(list)
        for decision in folded.decisions:
            ids[decision.namespace].append(decision.request_id)
        for namespace, some in ids.items():
            self._requests.keep(namespace, some)
        for namespace, state in folded.models:
            self._models.note(namespace, state)
        self._models.trim()

    def forget(self) -> None:
        """Others may have decided since, or a batch broke off."""
        self._requests.forget()
        self._models.forget()

    def _registries(self, records: Sequence[Decoded], before: int | None) -> dict[str, Registry]:
        """Models of each namespace that its intents name, with the versions and approvals that those may change."""
        intents: defaultdict[str, list[frame_pb2.ControlRecord]] = defaultdict(list)
        for decoded in records:
            if decoded.control is not None and decoded.control.WhichOneof("intent") in INTENTS:
                intents[decoded.namespace].append(decoded.control)
        found: dict[str, Registry] = {}
        for namespace, asked in intents.items():
            registry = found[namespace] = self._models.registry(namespace)
            for state in _missing(registry, Snapshot(self._warehouse.select, namespace, before), asked):
                self._models.note(namespace, state)
        return found


def _experiments(warehouse: Warehouse, namespace: str, first: int) -> dict[int, Experiment]:
    rows = warehouse.select(
        Statement(
            "SELECT experiment, name, tags, toUnixTimestamp64Milli(create_time) AS create_ms,"
            " toUnixTimestamp64Milli(update_time) AS update_ms, deleted, ver, artifact_location"
            " FROM experiments FINAL WHERE namespace = {namespace:String}",
            {"namespace": namespace},
        )
    )
    found: dict[int, Experiment] = {}
    names, tags, locations = rows.texts("name"), rows.texts("tags"), rows.texts("artifact_location")
    columns = zip(
        *(rows.array(name).tolist() for name in ("experiment", "create_ms", "update_ms", "deleted", "ver")), strict=True
    )
    for place, (number, create_time, update_time, deleted, ver) in enumerate(columns):
        if ver >= first:
            raise BatchIsIn
        found[number] = Experiment(
            number,
            names[place],
            json.loads(tags[place]),
            create_time,
            update_time,
            bool(deleted),
            ver,
            locations[place],
            deleted == PURGED,
        )
    return found


def _documents(warehouse: Warehouse, records: Sequence[Decoded], first: int) -> dict[str, Documents]:
    """Documents of each namespace that its intents name by id, and those that hold the keys that they name."""
    ids: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    keys: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for decoded in records:
        if decoded.control is not None:
            for put in decoded.control.documents_put.documents:
                of = (decoded.namespace, put.kind)
                ids[of].add(put.document_id)
                if put.unique_key:
                    keys[of].add(put.unique_key)
    found: defaultdict[str, Documents] = defaultdict(Documents)
    for (namespace, kind), names in sorted(ids.items()):
        for state in DocumentSnapshot(warehouse.select, namespace, kind, first).states(names, keys[(namespace, kind)]):
            found[namespace].put(kind, state)
    return found


def _missing(registry: Registry, snapshot: Snapshot, intents: Sequence[frame_pb2.ControlRecord]) -> list[State]:
    """Read into the registry what the intents name and may change and it does not hold. Answers with what was read."""
    names, numbers, approvals, stages = set[str](), set[int](), set[int](), set[int]()
    for control in intents:
        kind = control.WhichOneof("intent")
        names.add(getattr(control, kind or "").name)
        if kind == "registered_model_updated":
            names.add(control.registered_model_updated.new_name)
        elif kind == "model_approval_decided":
            approvals.add(control.model_approval_decided.number)
        elif kind in _OF_A_VERSION:
            numbers.add(getattr(control, kind).version)
        if kind == "model_version_transitioned" and control.model_version_transitioned.archive_existing:
            stages.add(control.model_version_transitioned.stage)
        elif kind == "model_approval_requested" and control.model_approval_requested.archive_existing:
            stages.add(control.model_approval_requested.stage)
    read: list[State] = []

    def put(states: Iterable[State]) -> None:
        for state in states:
            registry.put(state)
            read.append(state)

    put(snapshot.named([name for name in names if registry.named(name) is None]).values())
    model_ids = [model.model_id for model in map(registry.named, names) if model is not None]
    asked = list(product(model_ids, approvals))
    put(snapshot.approvals(*_ids_and_numbers(key for key in asked if key not in registry.approvals)))
    for key in asked:
        if (approval := registry.approvals.get(key)) is not None:
            numbers.add(approval.version)
            if approval.archive_existing:
                stages.add(approval.stage)
    archived = stages.intersection(ARCHIVING)
    unknown, those = _ids_and_numbers(key for key in product(model_ids, numbers) if key not in registry.versions)
    put(snapshot.versions(model_ids if archived else unknown, those, archived))
    return read


def _ids_and_numbers(keys: Iterable[tuple[int, int]]) -> tuple[set[int], set[int]]:
    found = list(keys)
    return {model_id for model_id, _ in found}, {number for _, number in found}


_OF_A_VERSION = (
    "model_version_updated", "model_version_transitioned", "model_version_deleted", "model_alias_set",
    "model_comment_added", "model_approval_requested",
)  # fmt: skip
"""Intents that say a version's number."""
