"""A training process: it logs through the product's delivery with its journal, and believes what it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import count

from fleetlog._delivery.delivery import Delivery
from fleetlog._delivery.outbox import Outbox
from fleetlog._delivery.sent import Sent
from fleetlog._events.items import Fact, Row, Writer
from fleetlog._journal.journal import Journal
from fleetlog.errors import FailedPrecondition
from fleetlog_proto.v1 import event_pb2

from simulation.clocks import wall_ns
from simulation.disk import Machine
from simulation.kernel import Fiber, Process
from simulation.network import Dialed, Network
from simulation.oracle import Oracle, Put, values_of
from simulation.plan import Trainer
from simulation.reader import Reader
from simulation.refusals import hear_refusals

KEYS: tuple[tuple[str, ...], ...] = (("loss",), ("loss", "accuracy"), ("rate",))
BAD_KEY = "a//b"


class Training:
    """One training process, from its first step to its end."""

    def __init__(
        self, process: Process, number: int, plan: Trainer, run_ids: Sequence[bytes], machine: Machine,
        network: Network, oracle: Oracle, reader: Reader, values: count[int], outbox_bytes: int, journal_bytes: int,
    ) -> None:  # fmt: skip
        self.process = process
        self.number = number
        self.has_ended = False
        self.is_delivered = False
        self._plan = plan
        self._oracle = oracle
        self.machine = machine
        self._values = values
        self._outbox_bytes = outbox_bytes
        self._journal_bytes = journal_bytes
        self.refused_next = False
        """True if its next point is one that the warehouse can't hold."""
        self.lost_points: Counter[Writer] = Counter()
        """Points that found no room, as it was told."""
        self._random = process.kernel.random
        self._mine: list[float] = []
        """Values that it logged."""
        self.durable: set[float] = set()
        """Values of them that it was told are durable."""
        self._session: set[float] = set()
        self._reader = reader
        self.connection = Dialed(network, process)
        self.writers = [
            Writer("default", run_id, self._random.randbytes(16), number, "Default", None, experiment_id=0)
            for run_id in run_ids
        ]
        Fiber(process, self._main, "main")

    def _main(self) -> None:
        kernel, plan = self.process.kernel, self._plan
        kernel.sleep(plan.begins)
        self._delivery = delivery = Delivery(
            self.connection, Outbox(self._outbox_bytes), journal=self._journal, forgotten=self._forgotten
        )  # fmt: skip
        hear_refusals(delivery.account, self._oracle)
        # The run may have ended before: who resumes it is not refused.
        opening, heartbeats = event_pb2.RUN_OPENING_RESUME, self._random.random() < 0.5
        for writer in self.writers:
            writer.started = event_pb2.RunStarted(name="a run", opening=opening, heartbeats=heartbeats)
            delivery.add(writer)
        Fiber(self.process, self._read, "reader")
        for step in range(plan.steps):
            kernel.sleep(self._random.expovariate(1 / plan.pace_seconds))
            self._log(step)
            if self._random.random() < plan.flushes_locally:
                self._flush_locally()
        for writer in self.writers if heartbeats else ():
            finished = event_pb2.RunFinished(state=event_pb2.RUN_STATE_FINISHED)
            event = event_pb2.Event(observe_time_millis=wall_ns() // 10**6, run_finished=finished)
            delivery.outbox.put(Fact(writer, event))
            delivery.heartbeats.end(writer)
        deadline = kernel.now + plan.patience_seconds
        while not self.is_delivered and kernel.now < deadline:
            self.is_delivered = delivery.flush(min(10.0, deadline - kernel.now))
        kernel.history.add(self.process.name, f"ends, {'all' if self.is_delivered else 'not all'} is delivered")
        delivery.close()
        self.has_ended = True
        self.process.kill()

    def _journal(self, warn: object) -> Journal:
        journal = Journal(self.machine.root, "gateways", self._warn, self._journal_bytes, self.machine)
        self.process.at_kill.append(journal.forked)
        return journal

    def _warn(self, kind: str, text: str) -> None:
        self.process.kernel.history.add(self.process.name, f"is warned: {self.machine.words(text)[:120]}")

    def _log(self, step: int) -> None:
        is_bad = self._random.random() < self._plan.bad_rows
        keys = (BAD_KEY,) if is_bad else self._random.choice(KEYS)
        values = [float(next(self._values)) for _ in keys]
        writer = self._random.choice(self.writers)
        run = writer.run_id
        puts = {value: Put(self.number, run, key, step) for key, value in zip(keys, values, strict=True)}
        self._oracle.hands_over(puts, bad=is_bad)
        if self.refused_next and not is_bad:
            self.refused_next = False
            self._oracle.refused.add(values[0])
        if self._delivery.outbox.put(Row(writer, keys, values, step, wall_ns() // 10**6)):
            self._mine += values
        else:
            self._delivery.account.full(len(values))
            self._oracle.told.update(values)
            self.lost_points[writer] += len(values)
        if self._random.random() < 0.1:
            tags = event_pb2.TagsSet(tags={f"step of {self.number}": str(step), "anybody's": str(step)})
            event = event_pb2.Event(observe_time_millis=wall_ns() // 10**6, tags_set=tags)
            self._delivery.outbox.put(Fact(writer, event))

    def _flush_locally(self) -> None:
        values = list(self._mine)
        try:
            self._delivery.flush_local()
        except FailedPrecondition:
            return
        self.process.kernel.history.add(self.process.name, f"has {len(values)} values on its disk")
        self._oracle.promised(values)

    def _forgotten(self, frames: Sequence[Sent]) -> None:
        self._oracle.acknowledged(sent.frame for sent in frames)
        mine = [value for sent in frames for event in sent.frame.events for value in values_of(event)]
        self.durable.update(value for value in mine if value not in self._oracle.told)
        self.durable -= self._oracle.bad
        self._delivery.spool.forget(frames)

    def _read(self) -> None:
        """Read now and then what it wrote, and what others did."""
        while not self.has_ended:
            self.process.kernel.sleep(self._random.random() * 6.0)
            asked = set(self.durable)
            found = self._reader.read(self.connection.position())
            if found is not None:
                self._oracle.read(self._session, asked, found)
