"""Every number that fleetlog tells of itself, with its meaning. Prometheus names, `fleetlog_` before each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from fleetlog_core.log.lag import Lag
from fleetlog_core.log.port import LogUnavailable, Partition, RecordsGone
from fleetlog_core.serving.denials import Denials
from fleetlog_core.serving.traces import NoTraces, Traces

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_ROWS = (1, 10, 100, 1_000, 10_000, 100_000, 300_000, 1_000_000)


class Telemetry:
    """The numbers of one process, and where its traces go."""

    def __init__(self, traces: Traces | None = None) -> None:
        self.traces: Traces = traces or NoTraces()
        self.registry = CollectorRegistry()
        self.frames = self._counter("frames", "Frames that gateways made durable")
        self.events = self._counter("events", "Events in those frames")
        self.points = self._counter("points", "Points in those events")
        self.refused = self._counter("refused", "Events and frames that were refused, by reason", "reason")
        self.duplicates = self._counter("duplicates", "Events that the log holds again and that were passed over")
        self.sequence_gaps = self._counter("sequence_gaps", "Events that are missing between sequences of a writer")
        self.sequences_reused = self._counter(
            "sequences_reused", "Events passed over because other events of their writer had their sequences"
        )
        self.dead_letters = self._counter("dead_letters", "Records that could not be applied, by reason", "reason")
        self.rebuilds = self._counter(
            "rebuilds", "Rebuilds of the warehouse from the log, begun because rows were lost"
        )
        self.batches = self._counter("batches", "Batches that were applied")
        self.ack_seconds = self._histogram("ack_seconds", "From taking a request to its frames being durable", _SECONDS)
        self.batch_rows = self._histogram("batch_rows", "Points in a batch", _ROWS)
        self.batch_seconds = self._histogram("batch_seconds", "From choosing a batch to its being visible", _SECONDS)
        self.rpc_seconds = self._histogram(
            "rpc_seconds", "From the begin of a call to its end, by rpc and status", _SECONDS, "rpc", "status"
        )
        self.rpc_failures = self._counter(
            "rpc_failures", "Calls that ended with an error, by its reason", "rpc", "reason"
        )
        self.rpcs_open = Gauge(
            "fleetlog_rpcs_open", "Calls under way; a writer's stream is one", ["rpc"], registry=self.registry
        )
        self.limited = self._counter(
            "limited", "Calls that were refused, ended or slowed so that others have room, by reason", "reason"
        )
        self.denied = self._counter(
            "denied", "Calls that were denied, by who called (empty: no valid token) and reason", "principal", "reason"
        )
        self.denials = Denials(self.denied)
        """The last of them."""
        self.answer_bytes = Gauge(
            "fleetlog_answer_bytes", "Bytes of memory that streams of answers hold", registry=self.registry
        )
        self.statement_seconds = self._histogram(
            "statement_seconds", "Statements to the warehouse, by kind and outcome", _SECONDS, "kind", "outcome"
        )
        self.statement_rows_read = self._counter("statement_rows_read", "Rows that the warehouse read for selects")
        self.statement_bytes_read = self._counter("statement_bytes_read", "Bytes that the warehouse read for selects")
        self.rows_inserted = self._counter("rows_inserted", "Rows that were sent to the warehouse, by table", "table")
        self.runs_lost = self._counter("runs_lost", "Runs that were called lost: none of their writers was heard of")
        self.webhook_attempts = self._counter(
            "webhook_attempts", "Attempts to tell webhooks, by outcome: delivered, failed, dead, dropped", "outcome"
        )
        self.webhooks_waiting = Gauge(
            "fleetlog_webhooks_waiting", "Deliveries to webhooks that are not over", registry=self.registry
        )
        self._lags = _Lags()
        self.registry.register(self._lags)

    def watch_lag(self, source: Callable[[], Mapping[Partition, Lag]]) -> None:
        """Ask `source` for the lags whenever the numbers are read. It may raise LogUnavailable, RecordsGone."""
        self._lags.source = source

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"fleetlog_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"fleetlog_{name}", meaning, labels, buckets=buckets, registry=self.registry)

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self.registry)


class _Lags(Collector):
    """Read when asked for: a materializer that hangs has a lag too, and it grows."""

    def __init__(self) -> None:
        self.source: Callable[[], Mapping[Partition, Lag]] = dict

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See Collector."""
        records = GaugeMetricFamily(
            "fleetlog_lag", "Records in the log that are not applied, by partition", labels=["partition"]
        )
        seconds = GaugeMetricFamily(
            "fleetlog_staleness_seconds", "Age of the oldest record that is not applied", labels=["partition"]
        )
        known = GaugeMetricFamily("fleetlog_lag_known", "1: the log said how far it is; 0: it did not answer")
        try:
            lags = self.source()
        except (LogUnavailable, RecordsGone):
            lags = {}
            known.add_metric([], 0)
        else:
            known.add_metric([], 1)
        for partition, lag in lags.items():
            records.add_metric([str(partition)], lag.records)
            seconds.add_metric([str(partition)], lag.seconds)
        yield from (records, seconds, known)
