"""What a frame and a point cost each process of a cluster: the constants of docs/scale.md.

Loads that differ in one thing each, over Kafka, ClickHouse and S3 as for `cluster`: a gateway that answers queries too,
which nobody asks any, and a materializer. Nobody reads while they log. CPU is of the processes alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fleetlog.loadtest.profile import Profile

from benchmarks.cluster import until_ready
from benchmarks.engines import own_engines
from benchmarks.figure import Figure
from benchmarks.loads import Measured, run_load
from benchmarks.server import serving

RARE = Profile(workers=500, metrics=20, steps_per_second=0.2, ramp_seconds=5, seconds=40, probes_per_second=0)
LOADS = {
    "100 frames a second of 20 points": RARE,
    "500 frames a second of 20 points": Profile(**{**vars(RARE), "steps_per_second": 1.0}),
    "500 frames a second of 200 points": Profile(**{**vars(RARE), "steps_per_second": 1.0, "metrics": 200}),
}


def measure() -> Iterator[Figure]:
    """Each load on a cluster of its own, and what their differences say."""
    found: dict[str, Measured] = {}
    for name, profile in LOADS.items():
        with (
            own_engines() as environment,
            serving("serve", "materializer", environment=environment) as folding,
            serving("serve", "gateway", "query", environment=environment) as server,
        ):
            until_ready(folding)
            until_ready(server)
            pids = {"gateway": server.pid, "materializer": folding.pid}
            found[name] = run_load(server.target, profile, pids)
        for part, process in found[name].processes.items():
            yield Figure(f"{name}, CPU of the {part}", 100 * process.cpu, "% of a core")
    rare, often, wide = found.values()
    for part in ("gateway", "materializer"):
        of = [one.processes[part].cpu for one in (rare, often, wide)]
        yield Figure(f"a frame, CPU of the {part}", 1e6 * (of[1] - of[0]) / 400, "µs", detail="400 more a second")
        yield Figure(
            f"a point, CPU of the {part}", 1e6 * (of[2] - of[1]) / 90_000, "µs", detail="90,000 more a second"
        )  # fmt: skip
