"""A log whose appends are told to the traces."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future

from fleetlog_core.log.port import EventLog, Record
from fleetlog_core.log.wrapped import WrappedLog
from fleetlog_core.serving.traces import Span, Traces


class TracedLog(WrappedLog):
    """See EventLog: the one that it is given, with a span from each append until the record is durable."""

    def __init__(self, log: EventLog, traces: Traces) -> None:
        super().__init__(log)
        self._traces = traces

    def append(self, topic: str, key: bytes, value: bytes, *, generation: int | None = None) -> Future[Record]:
        """See EventLog."""
        span = self._traces.begin("log append", {"fleetlog.topic": topic, "fleetlog.bytes": len(value)})
        durable = self._log.append(topic, key, value, generation=generation)
        durable.add_done_callback(lambda done: _ended(span, done))
        return durable


def _ended(span: Span, durable: Future[Record]) -> None:
    try:
        record = durable.result()
    except (Exception, CancelledError) as error:
        span.fail(type(error).__name__)
    else:
        # The materializer's batches say from where to where they are: so a frame is found in its batch.
        span.tell({"fleetlog.partition": record.partition.number, "fleetlog.offset": record.offset})
    span.end()
