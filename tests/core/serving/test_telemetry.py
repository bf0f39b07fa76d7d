from __future__ import annotations

from fleetlog_core.log.lag import Lag
from fleetlog_core.log.port import EVENTS, LogUnavailable, Partition
from fleetlog_core.serving.telemetry import Telemetry

from tests.core.serving.numbers import families, numbers


def test_every_number_is_named_and_explained() -> None:
    telemetry = Telemetry()
    telemetry.frames.inc()
    telemetry.refused.labels("KEY_EMPTY").inc(3)
    telemetry.dead_letters.labels("UNDECODABLE").inc()
    telemetry.ack_seconds.observe(0.003)
    told = telemetry.text()
    assert all(name.startswith("fleetlog_") and family.documentation for name, family in families(told).items())
    values = numbers(told)
    assert values["fleetlog_frames_total",] == 1
    assert values["fleetlog_refused_total", "KEY_EMPTY"] == 3
    assert values["fleetlog_dead_letters_total", "UNDECODABLE"] == 1
    assert values["fleetlog_ack_seconds_count",] == 1


def test_the_lag_is_asked_for_when_the_numbers_are_read() -> None:
    telemetry = Telemetry()
    lags = {Partition(EVENTS, 0): Lag(7, 1.5), Partition(EVENTS, 1): Lag(2, 0.5)}
    telemetry.watch_lag(lambda: lags)
    first = numbers(telemetry.text())
    assert first["fleetlog_lag", "events-0"] == 7
    assert first["fleetlog_staleness_seconds", "events-0"] == 1.5
    assert first["fleetlog_lag", "events-1"] == 2
    del lags[Partition(EVENTS, 0)]
    lags[Partition(EVENTS, 1)] = Lag(9, 3.0)
    second = numbers(telemetry.text())
    assert second["fleetlog_lag", "events-1"] == 9
    assert ("fleetlog_lag", "events-0") not in second, "a partition that went is another member's to tell"


def test_a_log_that_does_not_answer_shows() -> None:
    def silent() -> dict[Partition, Lag]:
        raise LogUnavailable("no broker")

    telemetry = Telemetry()
    assert numbers(telemetry.text())["fleetlog_lag_known",] == 1
    telemetry.watch_lag(silent)
    assert numbers(telemetry.text())["fleetlog_lag_known",] == 0


def test_two_servers_in_a_process_count_apart() -> None:
    one, other = Telemetry(), Telemetry()
    one.events.inc()
    assert b"fleetlog_events_total 1.0" in one.text()
    assert b"fleetlog_events_total 0.0" in other.text()
