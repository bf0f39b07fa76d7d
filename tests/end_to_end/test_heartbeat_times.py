"""A run whose writer lives and logs nothing is never lost, whenever gateways die and start again. Time is told."""

from __future__ import annotations

import pytest
from fleetlog._delivery.heartbeats import Heartbeats
from fleetlog._events.items import Writer
from fleetlog_core.limits import LOST_SECONDS
from fleetlog_ingest.gateway.heartbeat_pace import HeartbeatPace
from fleetlog_proto.v1 import event_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.profiles import examples

HOUR = 3_600
RECONNECT_SECONDS = 5
"""Longest pause of a client until it dials anew."""


class Gateway:
    """What it gathered is lost when it dies."""

    def __init__(self) -> None:
        self.pace = HeartbeatPace()
        self._write_at: float | None = None

    def take(self, now: float) -> None:
        if self._write_at is None:
            self._write_at = now + self.pace.gather_seconds(["default"])

    def writes(self, now: float) -> bool:
        """True if the log has what was gathered from now on."""
        if self._write_at is None or now < self._write_at:
            return False
        self._write_at = None
        return True

    def die(self) -> None:
        self._write_at = None


def longest_silence(deaths: dict[int, int]) -> float:
    """Seconds between two words of a writer in the log, at the most. `deaths`: seconds without a gateway, by when."""
    now = 0.0
    heartbeats, gateway = Heartbeats(lambda: now), Gateway()
    heartbeats.begin(
        Writer("default", bytes(16), bytes(16), None, "Default", event_pb2.RunStarted(heartbeats=True), 0)
    )  # fmt: skip
    heartbeats.stream_began()
    heartbeats.may_be_quiet(gateway.pace.quiet_seconds(["default"]))
    heard, longest, back_at = 0.0, 0.0, 0
    for second in range(HOUR):
        now = float(second)
        if second in deaths:
            gateway.die()
            back_at = max(back_at, second + deaths[second] + RECONNECT_SECONDS)
        elif second == back_at and second:
            heartbeats.stream_began()
        if second >= back_at and heartbeats.due():
            gateway.take(now)
            heartbeats.may_be_quiet(gateway.pace.quiet_seconds(["default"]))
        if gateway.writes(now):
            heard = now
        longest = max(longest, now - heard)
    return longest


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.tuples(st.integers(1, HOUR // 100), st.integers(0, 60)), max_size=20))
def test_gateways_that_are_back_within_a_minute_lose_no_run(deaths: list[tuple[int, int]]) -> None:
    assert longest_silence({100 * number: seconds for number, seconds in deaths}) < LOST_SECONDS


@pytest.mark.parametrize("second", range(100, 131))
def test_a_gateway_that_dies_with_what_it_gathered_is_told_again_at_once(second: int) -> None:
    assert longest_silence({second: 60}) < LOST_SECONDS - 60
