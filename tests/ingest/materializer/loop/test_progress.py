from __future__ import annotations

from fleetlog_core.log.lag import Lag
from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import EVENTS, Partition
from fleetlog_ingest.materializer.loop.progress import Progress

ONE = Partition(EVENTS, 0)


def test_the_lag_grows_with_the_log_and_the_clock_and_ends_with_the_last_record() -> None:
    log = MemoryLog()
    times = [log.append(EVENTS, b"", b"x").result(5).time_millis / 1000 for _ in range(3)]
    now = times[0]
    progress = Progress(log, lambda: now)
    assert progress.lags() == {}
    progress.reached(ONE, 0)
    assert progress.lags() == {ONE: Lag(3, 0.0)}
    now = times[0] + 60
    assert progress.lags() == {ONE: Lag(3, 60.0)}
    progress.reached(ONE, 2)
    now = times[2] + 5
    assert progress.lags() == {ONE: Lag(1, 5.0)}
    now = times[2] - 3_600
    assert progress.lags() == {ONE: Lag(1, 0.0)}, "a clock that is behind makes no negative age"
    progress.reached(ONE, 3)
    assert progress.lags() == {ONE: Lag(0, 0.0)}
    progress.gone(ONE)
    assert progress.lags() == {}
