"""Delivers changes of registered models to webhooks, each at least once.

It reads the control partition by a consumer group of its own, waits until the tables hold what it read, and commits up
to the first intent of which a delivery is not over. Each attempt is in the table of deliveries before it counts; killed
in between, the deliverer sends again under the same id. What the table has as over is not sent again after a restart.
"""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from fleetlog_core.log.port import CONTROL, Commit, Consumer, EventLog, Fenced, LogUnavailable, Partition, Record
from fleetlog_core.rebuilds import NotWhole
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_core.warehouse.port import TimedOut, Warehouse, WarehouseRefused, WarehouseUnavailable
from fleetlog_core.webhooks.posting import TargetRules, post
from fleetlog_core.webhooks.secrets import SecretLost, Secrets
from fleetlog_core.webhooks.signing import headers_of
from fleetlog_core.webhooks.states import KeptWebhook, Select, read_webhooks

from fleetlog_ingest.materializer.fold.decoding import decode
from fleetlog_ingest.webhooks.deliveries import DEAD, DELIVERED, DROPPED, PENDING, Attempted, columns_of_attempts
from fleetlog_ingest.webhooks.queue import MAX_WAITING, Delivery, DeliveryQueue, after_attempt
from fleetlog_ingest.webhooks.reading import applied_offset, deliveries_of, may_be_told

diagnostics = logging.getLogger(__name__)
WORKERS = 8
"""Deliveries that are sent at the same time."""
READ_BYTES = 64 * 1024
"""Bytes of the log that are read at once: each intent may be told to all webhooks of its namespace."""
IDLE_SECONDS = 1.0
APPLYING_SECONDS = 0.25
"""Seconds between two looks while the tables do not hold what was read yet."""
PARTITION = Partition(CONTROL, 0)
_OUTCOMES: Mapping[int, str] = {PENDING: "failed", DELIVERED: "delivered", DEAD: "dead", DROPPED: "dropped"}
_OUTAGES = (LogUnavailable, WarehouseUnavailable, WarehouseRefused, TimedOut, NotWhole)
"""What passes by itself: an engine that is away, tables that are not made yet."""


class Deliverer:
    """One member of the group. `select`: of tables that are whole. `run` belongs to one thread."""

    def __init__(
        self,
        log: EventLog,
        warehouse: Warehouse,
        select: Select,
        secrets: Secrets | None,
        rules: TargetRules,
        group: str,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        telemetry: Telemetry | None = None,
    ) -> None:
        """`now`: Unix milliseconds."""
        self._log, self._warehouse, self._select = log, warehouse, select
        self._secrets, self._rules, self._group, self._now = secrets, rules, group, now
        self._telemetry = telemetry or Telemetry()
        self._queue = DeliveryQueue()
        self._unread: list[Record] = []
        self._results: queue.SimpleQueue[Attempted] = queue.SimpleQueue()
        self._unsettled: list[Attempted] = []
        self._committed = 0
        self._stopping = threading.Event()
        self._consumer: Consumer | None = None
        self._outage = ""

    @property
    def outage(self) -> str:
        """Why nothing is delivered now; empty when it is. From any thread."""
        return self._outage

    def stop(self) -> None:
        """End `run`. From any thread."""
        self._stopping.set()
        self._wake()

    def run(self) -> None:
        """Deliver until `stop`. RecordsGone."""
        with ThreadPoolExecutor(WORKERS, "webhook") as workers:
            try:
                while not self._stopping.is_set():
                    self._try_turn(workers)
            finally:
                consumer, self._consumer = self._consumer, None
                if consumer is not None:
                    consumer.close()

    def _try_turn(self, workers: ThreadPoolExecutor) -> None:
        try:
            if self._consumer is None:
                self._consumer = self._log.consumer(self._group, (CONTROL,))
            self._turn(self._consumer, workers)
            self._outage = ""
        except Fenced:
            self._forget()
        except _OUTAGES as error:
            if not self._outage:
                diagnostics.warning("webhooks are not told of anything for now: %s", error)
            self._outage = str(error) or type(error).__name__
            self._stopping.wait(IDLE_SECONDS)

    def _turn(self, consumer: Consumer, workers: ThreadPoolExecutor) -> None:
        came = consumer.poll(self._patience(), max_bytes=0 if self._unread else READ_BYTES)
        self._unread += came
        if PARTITION not in consumer.assignment():
            self._forget()
            return
        # What came just now is being applied: a look at once would find nothing, and hold it up.
        if not came or came[-1].time_millis + APPLYING_SECONDS * 1_000 <= self._now():
            self._read()
        self._settle()
        self._send(workers)
        self._telemetry.webhooks_waiting.set(len(self._queue))
        position = self._queue.position
        if position > self._committed:
            consumer.commit(PARTITION, Commit(position))
            self._committed = position

    def _patience(self) -> float:
        if self._unread:
            return APPLYING_SECONDS
        due = self._queue.next_due()
        return IDLE_SECONDS if due is None else min(max((due - self._now()) / 1000, APPLYING_SECONDS), IDLE_SECONDS)

    def _read(self) -> None:
        """Queue what the tables hold of what was read."""
        if not self._unread:
            return
        decoded = [decode(one) for one in self._unread]
        if not any(map(may_be_told, decoded)):
            # The tables need not be asked of what no webhook is told of.
            self._queue.add([], self._unread[-1].offset + 1)
            self._unread = []
            return
        upto = applied_offset(self._select)
        ready = [one.record for one in decoded if one.record.offset < upto]
        if ready:
            found = deliveries_of(self._select, decoded[: len(ready)])
            for one in self._queue.add(found, ready[-1].offset + 1):
                why = f"more than {MAX_WAITING:,} deliveries wait for this webhook"
                self._unsettled.append(Attempted(one.key, one.event, DEAD, one.attempts, 0, why, self._now(), 0))
            self._unread = self._unread[len(ready) :]

    def _settle(self) -> None:
        """Put attempts into the table, then let them count."""
        while not self._results.empty():
            self._unsettled.append(self._results.get())
        if not self._unsettled:
            return
        told = "\n".join(f"{one.key} {one.attempts} {one.time}" for one in self._unsettled)
        token = f"webhook-deliveries:{hashlib.sha256(told.encode()).hexdigest()}"
        self._warehouse.insert("webhook_deliveries", columns_of_attempts(self._unsettled), token)
        for attempted in self._unsettled:
            self._queue.settle(attempted)
            self._telemetry.webhook_attempts.labels(_OUTCOMES[attempted.state]).inc()
            if attempted.state == DEAD:
                diagnostics.warning("delivery %s to a webhook is dead: %s", attempted.key.text, attempted.error)
        self._unsettled = []

    def _send(self, workers: ThreadPoolExecutor) -> None:
        due = self._queue.take_due(self._now(), WORKERS)
        if not due:
            return
        try:
            webhooks = {one: read_webhooks(self._select, one) for one in sorted({each.key.namespace for each in due})}
            whole = [self._with_body(delivery) for delivery in due]
        except _OUTAGES:
            self._queue.give_back(due)
            raise
        for delivery in whole:
            kept = webhooks[delivery.key.namespace].get(delivery.key.webhook_id)
            workers.submit(self._attempt, delivery, kept)

    def _with_body(self, delivery: Delivery) -> Delivery:
        """The delivery with what it tells, which is made anew of the log and the history where it was not kept."""
        if delivery.body is not None:
            return delivery
        records = self._log.read(PARTITION, delivery.key.ver, max_bytes=1)
        found = deliveries_of(self._select, [decode(record) for record in records[:1]])
        body = next((one.body for one in found if one.key == delivery.key), None)
        return replace(delivery, body=body)

    def _attempt(self, delivery: Delivery, kept: KeptWebhook | None) -> None:
        """In a worker. What goes wrong in an unknown way is a failure of this attempt, and told."""
        try:
            attempted = self._attempted(delivery, kept)
        except Exception:  # a worker has nobody above it, and the delivery is tried again
            diagnostics.exception("a delivery to a webhook failed in an unknown way")
            attempted = after_attempt(delivery, 0, "the attempt failed in the server; its log has more", self._now())
        self._results.put(attempted)
        self._wake()

    def _attempted(self, delivery: Delivery, kept: KeptWebhook | None) -> Attempted:
        if kept is None or kept.webhook.disabled:
            why = "the webhook was deleted" if kept is None else "the webhook is disabled"
            return Attempted(delivery.key, delivery.event, DROPPED, delivery.attempts, 0, why, self._now(), 0)
        if delivery.body is None:
            why = "there is nothing to tell any more"
            return Attempted(delivery.key, delivery.event, DROPPED, delivery.attempts, 0, why, self._now(), 0)
        secret = ""
        if kept.sealed_secret:
            if self._secrets is None:
                return after_attempt(delivery, 0, "the deliverer has no webhooks.secret_key", self._now())
            try:
                secret = self._secrets.open(delivery.key.namespace, kept.sealed_secret)
            except SecretLost as error:
                return after_attempt(delivery, 0, str(error), self._now())
        headers = headers_of(delivery.key.text, self._now() // 1000, delivery.body, secret)
        answer = post(kept.webhook.url, delivery.body, headers, self._rules)
        return after_attempt(delivery, answer.status, answer.error, self._now())

    def _wake(self) -> None:
        consumer = self._consumer
        if consumer is not None:
            consumer.wake()

    def _forget(self) -> None:
        """Another member has the partition: what is under way is told in the table, and nothing else."""
        self._queue.forget()
        self._unread, self._committed = [], 0
