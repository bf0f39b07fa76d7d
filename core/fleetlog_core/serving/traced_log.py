"""A log whose appends are told to the traces."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import CancelledError, Future

from fleetlog_core.log.port import Consumer, EventLog, Partition, Record
from fleetlog_core.serving.traces import Span, Traces


class TracedLog:
    """See EventLog: the one that it is given, with a span from each append until the record is durable."""

    def __init__(self, log: EventLog, traces: Traces) -> None:
        self._log = log
        self._traces = traces

    def partitions(self, topic: str) -> int:
        """See EventLog."""
        return self._log.partitions(topic)

    def generation(self) -> int:
        """See EventLog."""
        return self._log.generation()

    def append(self, topic: str, key: bytes, value: bytes, *, generation: int | None = None) -> Future[Record]:
        """See EventLog."""
        span = self._traces.begin("log append", {"fleetlog.topic": topic, "fleetlog.bytes": len(value)})
        durable = self._log.append(topic, key, value, generation=generation)
        durable.add_done_callback(lambda done: _ended(span, done))
        return durable

    def read(self, partition: Partition, offset: int, *, max_bytes: int) -> Sequence[Record]:
        """See EventLog."""
        return self._log.read(partition, offset, max_bytes=max_bytes)

    def next_offset(self, partition: Partition) -> int:
        """See EventLog."""
        return self._log.next_offset(partition)

    def check_writable(self) -> None:
        """See EventLog."""
        self._log.check_writable()

    def consumer(self, group: str, topics: Sequence[str]) -> Consumer:
        """See EventLog."""
        return self._log.consumer(group, topics)

    def close(self) -> None:
        """See EventLog."""
        self._log.close()


def _ended(span: Span, durable: Future[Record]) -> None:
    try:
        record = durable.result()
    except (Exception, CancelledError) as error:
        span.fail(type(error).__name__)
    else:
        # The materializer's batches say from where to where they are: so a frame is found in its batch.
        span.tell({"fleetlog.partition": record.partition.number, "fleetlog.offset": record.offset})
    span.end()
