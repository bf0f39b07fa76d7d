"""What the tables know of records of the control partition, and whom it is to be told to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from fleetlog_core.log.port import CONTROL, Partition
from fleetlog_core.registry.snapshot import Snapshot
from fleetlog_core.warehouse.port import Statement
from fleetlog_core.webhooks.states import KeptWebhook, Select, read_webhooks

from fleetlog_ingest.materializer.control.registry_fold import INTENTS
from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_ingest.run_ids import AMONG_IDS
from fleetlog_ingest.webhooks.deliveries import PENDING, DeliveryKey, read_attempts
from fleetlog_ingest.webhooks.events import PROMPT_TAG, Change, events_of
from fleetlog_ingest.webhooks.queue import Delivery

_APPLIED = Statement(
    f"SELECT max(next_offset) AS upto FROM applied WHERE topic = '{CONTROL}' AND part = {Partition(CONTROL, 0).number}"
)


def applied_offset(select: Select) -> int:
    """Returns the next offset of the control partition below which everything is in the tables."""
    answer = select(_APPLIED)
    return int(answer.array("upto")[0]) if answer.rows else 0


def may_be_told(decoded: Decoded) -> bool:
    """True if a record is one that webhooks may be told of."""
    return decoded.control is not None and decoded.control.WhichOneof("intent") in INTENTS


def deliveries_of(select: Select, records: Sequence[Decoded]) -> list[Delivery]:
    """Returns what is to be delivered of records that are applied, without what is over by the table of deliveries."""
    by_namespace: defaultdict[str, list[Decoded]] = defaultdict(list)
    for decoded in records:
        if may_be_told(decoded):
            by_namespace[decoded.namespace].append(decoded)
    found: list[Delivery] = []
    for namespace, named in by_namespace.items():
        if webhooks := read_webhooks(select, namespace):
            found += _of_namespace(select, namespace, named, webhooks)
    return found


def _of_namespace(
    select: Select, namespace: str, records: Sequence[Decoded], webhooks: Mapping[int, KeptWebhook]
) -> list[Delivery]:
    accepted = _accepted(select, namespace, records)
    if not accepted:
        return []
    model_ids = sorted({int(result.partition("/")[0]) for result in accepted.values()})
    first, last = min(accepted), max(accepted)
    changes = _changes(select, namespace, model_ids, first, last)
    models = Snapshot(select, namespace, None).models(model_ids)
    known = read_attempts(select, namespace, first, last)
    found: list[Delivery] = []
    for decoded in records:
        offset, control = decoded.record.offset, decoded.control
        if control is None or offset not in accepted:
            continue
        model = models.get(int(accepted[offset].partition("/")[0]))
        is_prompt = model is not None and model.tags.get(PROMPT_TAG, "").lower() == "true"
        for place, event in enumerate(events_of(control, changes[offset], is_prompt=is_prompt)):
            for webhook_id, kept in webhooks.items():
                # It is told of what happened since it was made.
                if webhook_id >= offset or event.name not in kept.webhook.events:
                    continue
                key = DeliveryKey(offset, place, webhook_id, namespace)
                before = known.get(key)
                if before is not None and before.state != PENDING:
                    continue
                found.append(
                    Delivery(
                        key,
                        event.name,
                        event.body,
                        control.ingest_time_millis,
                        before.attempts if before else 0,
                        before.next_time if before else 0,
                    )
                )
    return found


def _accepted(select: Select, namespace: str, records: Sequence[Decoded]) -> dict[int, str]:
    """Results of the intents that were accepted, by offset. One that was sent again counts where it came first."""
    ids = [decoded.control.request_id.hex() for decoded in records if decoded.control is not None]
    answer = select(
        Statement(
            "SELECT off, result FROM outcomes FINAL WHERE namespace = {namespace:String}"
            f" AND request_id {AMONG_IDS} AND accepted = 1",
            {"namespace": namespace, "ids": ids},
        )
    )
    offsets = {decoded.record.offset for decoded in records}
    pairs = zip(answer.array("off").tolist(), answer.texts("result"), strict=True)
    return {offset: result for offset, result in pairs if offset in offsets}


def _changes(
    select: Select, namespace: str, model_ids: Sequence[int], first: int, last: int
) -> defaultdict[int, list[Change]]:
    answer = select(
        Statement(
            "SELECT ver, place, action, version, approval, subject, old_value, new_value, comment"
            " FROM registry_history FINAL WHERE namespace = {namespace:String} AND action != 0"
            " AND model_id IN (SELECT arrayJoin({models:Array(UInt64)}))"
            " AND ver >= {first:UInt64} AND ver <= {last:UInt64} ORDER BY ver, place",
            {"namespace": namespace, "models": model_ids, "first": first, "last": last},
        )
    )
    numbers = (answer.array(name).tolist() for name in ("ver", "place", "action", "version", "approval"))
    texts = (answer.texts(name) for name in ("subject", "old_value", "new_value", "comment"))
    found: defaultdict[int, list[Change]] = defaultdict(list)
    for ver, place, action, version, approval, subject, old, new, comment in zip(*numbers, *texts, strict=True):
        found[ver].append(Change(place, action, version, subject, old, new, comment, approval))
    return found
