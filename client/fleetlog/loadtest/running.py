"""A load test from its start to its report: workers, probes and searches in one loop, then everything is read back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import grpc
from fleetlog_core.ids import new_random_id, new_run_id
from fleetlog_proto.v1 import ingest_pb2_grpc, position_pb2

from fleetlog._transport.connection import connection_to, resolve_namespace
from fleetlog._transport.worker_channels import WorkerChannels
from fleetlog.client import Client
from fleetlog.loadtest.frames import Frames, writer_of
from fleetlog.loadtest.points import keys_of
from fleetlog.loadtest.probes import LOOK_SECONDS, Probes
from fleetlog.loadtest.profile import Profile
from fleetlog.loadtest.reading_back import read_back
from fleetlog.loadtest.report import Report
from fleetlog.loadtest.resources import Usage, allow_connections
from fleetlog.loadtest.schedule import Share, end_of, places
from fleetlog.loadtest.tally import Tally
from fleetlog.loadtest.worker import Load, Worker

TELL_SECONDS = 0.5
PREPARED_AT_ONCE = 500


@dataclass(frozen=True)
class Progress:
    """How far a load test is, for people."""

    phase: str
    working: int
    sent: int
    durable: int
    seconds: float


class LoadTest:
    """One machine's share of a load."""

    def __init__(
        self, profile: Profile, name: str, share: Share | None = None, *, target: str | None = None,
        namespace: str | None = None, start_at: float | None = None, tell: Callable[[Progress], None] | None = None,
    ) -> None:  # fmt: skip
        """`name` is that of the experiment, the same on all machines of a load. `start_at`: Unix seconds; None = now.

        InvalidArgument, FailedPrecondition: the target, the token or this machine's limits can't be.
        """
        share = share or Share()
        self._profile, self._name, self._share = profile, name, share
        self._places = list(places(profile, share))
        self._channels = WorkerChannels(target)
        self._target, self._namespace = self._channels.target, resolve_namespace(namespace, target)
        allow_connections(len(self._places) // profile.streams_per_connection + 1)
        self._client = Client(target, namespace)
        self._start_at, self._tell = start_at, tell or (lambda progress: None)
        self.report = Report(name, str(share))
        self._tally = Tally(self.report, time.monotonic, profile.late_seconds)
        self._stopping: asyncio.Event | None = None
        self._workers: list[Worker] = []
        self._begun = 0.0

    def run(self, on_start: Callable[[asyncio.AbstractEventLoop, Callable[[], None]], None] | None = None) -> Report:
        """All of it; the report. `on_start` is given the loop, and what ends the load in order when it is called there.

        FleetlogError: it could not begin.
        """
        with asyncio.Runner() as runner:
            if on_start is not None:
                on_start(runner.get_loop(), self.stop)
            runner.run(self._load())
        self._read_back()
        return self.report

    def stop(self) -> None:
        """Log nothing more, wait for the answers that are owed, and report. In the loop's thread."""
        if self._stopping is not None:
            self._stopping.set()
        self.report.interrupted = True
        for worker in self._workers:
            worker.wake()

    async def _load(self) -> None:
        experiment = await asyncio.to_thread(self._client.create_experiment, self._name, exist_ok=True)
        self._stopping = asyncio.Event()
        if self.report.interrupted:
            self._stopping.set()
        wait = 0.0 if self._start_at is None else max(0.0, self._start_at - time.time())
        self._begun = self._tally.clock() + wait
        load = Load(self._profile, self._tally, self._target, self._begun, self._stopping)
        channels: list[grpc.aio.Channel] = []
        try:
            await self._prepare(load, channels, experiment.id)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), max(0.001, self._begun - self._tally.clock()))
            await self._under_way(channels)
        finally:
            await asyncio.gather(*[channel.close() for channel in channels], return_exceptions=True)

    async def _prepare(self, load: Load, channels: list[grpc.aio.Channel], experiment_id: int) -> None:
        """Make the workers. None of them has a connection before its time."""
        ids: dict[int, bytes] = {}
        started_millis = time.time_ns() // 1_000_000
        stub = None
        for number, place in enumerate(self._places):
            if number % self._profile.streams_per_connection == 0:
                channels.append(self._channels.channel())
                stub = ingest_pb2_grpc.IngestServiceStub(channels[-1])
            run_id = ids.setdefault(place.run, new_run_id(started_millis + int(place.starts * 1000)))
            writer = writer_of(
                self._profile, place, self._name, self._namespace, experiment_id, run_id, new_random_id()
            )  # fmt: skip
            frames = Frames(self._profile, place, writer)
            self._workers.append(Worker(load, place, frames, stub, self._channels.metadata))
            if number % PREPARED_AT_ONCE == 0:
                self._said("preparing")
                await asyncio.sleep(0)
        self.report.runs = len(ids)

    async def _under_way(self, channels: list[grpc.aio.Channel]) -> None:
        """From the first worker's start until the last answer, or until none comes for long."""
        channels.append(self._channels.channel())
        probes = Probes(
            self._tally, channels[-1], self._channels.metadata, self._target, self._namespace, self._name,
            keys_of(self._profile)[0],
        )  # fmt: skip
        beside = [asyncio.create_task(probes.watch_lag())]
        beside.append(asyncio.create_task(probes.read_points(self._profile.probes_per_second)))
        # One machine asks: several would ask the same searches several times as often.
        if self._share.number == 1:
            beside += [asyncio.create_task(probes.search(one)) for one in self._profile.searches]
        usage = Usage.now()
        working = [asyncio.create_task(worker.run()) for worker in self._workers]
        try:
            await self._until_over(working)
        finally:
            self.report.seconds = max(0.001, self._tally.clock() - self._begun)
            self.report.client_cpu_seconds, self.report.client_memory_bytes = usage.since()
            for task in [*working, *beside]:
                task.cancel()
            ended = await asyncio.gather(*working, *beside, return_exceptions=True)
        for one in ended:
            if isinstance(one, BaseException) and not isinstance(one, asyncio.CancelledError):
                raise one
        await self._until_readable(probes)

    async def _until_over(self, working: Sequence[asyncio.Task[None]]) -> None:
        pending = set(working)
        end, durable = self._begun + end_of(self._profile), -1
        patient_until = end + self._profile.drain_seconds
        while pending:
            _, pending = await asyncio.wait(pending, timeout=TELL_SECONDS, return_when=asyncio.ALL_COMPLETED)
            now, stopped = self._tally.clock(), self._stopping is not None and self._stopping.is_set()
            self._said("ending" if stopped or now > end else "logging")
            if self.report.durable_points != durable or not (stopped or now > end):
                durable, patient_until = self.report.durable_points, now + self._profile.drain_seconds
            if now > patient_until:
                return

    async def _until_readable(self, probes: Probes) -> None:
        """Until the tables have all that was acknowledged, or come no nearer for long."""
        left, patient_until = self._tally.unread_steps + 1, 0.0
        while True:
            await probes.look()
            now = self._tally.clock()
            if self._tally.unread_steps < left:
                left, patient_until = self._tally.unread_steps, now + self._profile.drain_seconds
            if not left or now > patient_until:
                break
            self._said("waiting for the tables")
            await asyncio.sleep(LOOK_SECONDS)
        self._tally.close()

    def _read_back(self) -> None:
        report, metrics = self.report, self._profile.metrics
        for worker in self._workers:
            ledger = worker.ledger
            report.refused_points += ledger.refused_steps * metrics
            report.unanswered_points += ledger.unanswered_steps * metrics
        report.workers = len(self._workers)
        connection_to(self._target).saw(
            position_pb2.Position(
                offsets=[
                    position_pb2.PartitionOffset(topic=topic, partition=partition, next_offset=offset)
                    for (topic, partition), offset in self._tally.position.items()
                ]
            )
        )
        done = [(worker.writer.run_id.hex(), worker.place, worker.ledger) for worker in self._workers]
        read_back(self._client, self._profile, done, report, lambda compared: self._said("reading back", compared))

    def _said(self, phase: str, durable: int | None = None) -> None:
        report = self.report
        count = report.durable_points if durable is None else durable
        seconds = max(0.0, self._tally.clock() - self._begun) if self._begun else 0.0
        self._tell(Progress(phase, self._tally.working, report.sent_points, count, seconds))
