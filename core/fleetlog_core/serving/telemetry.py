"""Every number that fleetlog tells of itself, with its meaning. Prometheus names, `fleetlog_` before each."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_ROWS = (1, 10, 100, 1_000, 10_000, 100_000, 300_000, 1_000_000)


class Telemetry:
    """The numbers of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.frames = self._counter("frames", "Frames that gateways made durable")
        self.events = self._counter("events", "Events in those frames")
        self.points = self._counter("points", "Points in those events")
        self.refused = self._counter("refused", "Events, frames and calls that were refused, by reason", "reason")
        self.duplicates = self._counter("duplicates", "Events that the log holds again and that were passed over")
        self.dead_letters = self._counter("dead_letters", "Records that could not be applied, by reason", "reason")
        self.batches = self._counter("batches", "Batches that were applied")
        self.ack_seconds = self._histogram("ack_seconds", "From taking a frame to its being durable", _SECONDS)
        self.batch_rows = self._histogram("batch_rows", "Points in a batch", _ROWS)
        self.batch_seconds = self._histogram("batch_seconds", "From choosing a batch to its being visible", _SECONDS)
        self.lag = Gauge(
            "fleetlog_lag", "Records in the log that are not applied", ["partition"], registry=self.registry
        )

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"fleetlog_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"fleetlog_{name}", meaning, buckets=buckets, registry=self.registry)

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self.registry)
