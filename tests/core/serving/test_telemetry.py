from __future__ import annotations

from fleetlog_core.serving.telemetry import Telemetry
from prometheus_client.parser import text_string_to_metric_families


def test_every_number_is_named_and_explained() -> None:
    telemetry = Telemetry()
    telemetry.frames.inc()
    telemetry.refused.labels("KEY_EMPTY").inc(3)
    telemetry.dead_letters.labels("UNDECODABLE").inc()
    telemetry.ack_seconds.observe(0.003)
    telemetry.lag.labels("events-0").set(7)
    families = {family.name: family for family in text_string_to_metric_families(telemetry.text().decode())}
    assert all(name.startswith("fleetlog_") and family.documentation for name, family in families.items())
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert values["fleetlog_frames_total",] == 1
    assert values["fleetlog_refused_total", "KEY_EMPTY"] == 3
    assert values["fleetlog_dead_letters_total", "UNDECODABLE"] == 1
    assert values["fleetlog_lag", "events-0"] == 7
    assert values["fleetlog_ack_seconds_count",] == 1


def test_two_servers_in_a_process_count_apart() -> None:
    one, other = Telemetry(), Telemetry()
    one.events.inc()
    assert b"fleetlog_events_total 1.0" in one.text()
    assert b"fleetlog_events_total 0.0" in other.text()
