"""The state before a batch of the control partition, from the warehouse."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from fleetlog_core.auth.kept_tokens import read_tokens
from fleetlog_core.documents.snapshot import DocumentSnapshot
from fleetlog_core.registry.snapshot import Snapshot
from fleetlog_core.rules.registry import ARCHIVING
from fleetlog_core.warehouse.port import Statement, Warehouse
from fleetlog_core.warehouse.schema import PURGED
from fleetlog_core.webhooks.states import read_webhooks
from fleetlog_proto.v1 import frame_pb2

from fleetlog_ingest.materializer.control.control import ControlState, Experiment
from fleetlog_ingest.materializer.control.document_fold import DOCUMENT_INTENTS, Documents
from fleetlog_ingest.materializer.control.registry_decision import Registry
from fleetlog_ingest.materializer.control.registry_fold import INTENTS
from fleetlog_ingest.materializer.control.token_fold import TOKEN_INTENTS
from fleetlog_ingest.materializer.control.webhook_fold import WEBHOOK_INTENTS
from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_ingest.materializer.state.loading import BatchIsIn
from fleetlog_ingest.run_ids import AMONG_IDS


def load_control(warehouse: Warehouse, records: Sequence[Decoded], first: int) -> ControlState:
    """The state before offset `first` of the namespaces, requests and models of the records. BatchIsIn.

    `experiments` comes last in a batch, so a row of the batch there says that all is in. `outcomes` come first: where
    there are none of the batch, the current tables are the state before it; else models are read as of `first`.
    """
    requests: defaultdict[str, list[str]] = defaultdict(list)
    names_experiments, names_webhooks, has_tokens = set[str](), set[str](), False
    for decoded in records:
        if decoded.control is not None:
            requests[decoded.namespace].append(decoded.control.request_id.hex())
            kind = decoded.control.WhichOneof("intent")
            if kind in WEBHOOK_INTENTS:
                names_webhooks.add(decoded.namespace)
            elif kind in TOKEN_INTENTS:
                has_tokens = True
            elif kind not in INTENTS and kind not in DOCUMENT_INTENTS:
                names_experiments.add(decoded.namespace)
    experiments = {namespace: _experiments(warehouse, namespace, first) for namespace in sorted(names_experiments)}
    decided: set[tuple[str, bytes]] = set()
    begun = False
    for namespace, ids in requests.items():
        rows = warehouse.select(
            Statement(
                "SELECT request_id, off FROM outcomes FINAL WHERE namespace = {namespace:String}"
                f" AND request_id {AMONG_IDS}",
                {"namespace": namespace, "ids": ids},
            )
        )
        for request_id, offset in zip(rows.array("request_id"), rows.array("off").tolist(), strict=True):
            if offset < first:
                decided.add((namespace, request_id.tobytes()))
            else:
                begun = True
    registries = _registries(warehouse, records, first if begun else None)
    # Every state has a row of its own: those of the batch itself are not looked at.
    webhooks = {namespace: read_webhooks(warehouse.select, namespace, first) for namespace in sorted(names_webhooks)}
    documents = _documents(warehouse, records, first)
    tokens = read_tokens(warehouse.select, first) if has_tokens else {}
    return ControlState(experiments, frozenset(decided), registries, webhooks, documents, tokens)


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


def _registries(warehouse: Warehouse, records: Sequence[Decoded], before: int | None) -> dict[str, Registry]:
    """Models of each namespace that its intents name, with the versions and approvals that those may change."""
    intents: defaultdict[str, list[frame_pb2.ControlRecord]] = defaultdict(list)
    for decoded in records:
        if decoded.control is not None and decoded.control.WhichOneof("intent") in INTENTS:
            intents[decoded.namespace].append(decoded.control)
    return {
        namespace: _registry(Snapshot(warehouse.select, namespace, before), asked)
        for namespace, asked in intents.items()
    }


def _registry(snapshot: Snapshot, intents: Sequence[frame_pb2.ControlRecord]) -> Registry:
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
    registry = Registry()
    for model in snapshot.named(names).values():
        registry.put(model)
    model_ids = list(registry.models)
    for approval in snapshot.approvals(model_ids, approvals):
        registry.put(approval)
        numbers.add(approval.version)
        if approval.archive_existing:
            stages.add(approval.stage)
    for version in snapshot.versions(model_ids, numbers, stages.intersection(ARCHIVING)):
        registry.put(version)
    return registry


_OF_A_VERSION = (
    "model_version_updated", "model_version_transitioned", "model_version_deleted", "model_alias_set",
    "model_comment_added", "model_approval_requested",
)  # fmt: skip
"""Intents that say a version's number."""
