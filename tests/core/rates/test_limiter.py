from __future__ import annotations

import threading
from contextvars import copy_context

import pytest
from fleetlog_core.errors import ResourceExhausted
from fleetlog_core.rates.limiter import Lease, Limiter, Payer, charge_read, set_payer
from fleetlog_core.rates.limits import Lasting, Limits, Rate, ServerLimits


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def limiter(
    clock: Clock, caller: Limits | None = None, namespace: Limits | None = None, accounts: int = 100
) -> Limiter:
    return Limiter(ServerLimits(caller or Limits(), namespace or Limits(), burst_seconds=2.0), clock, accounts)


def begun(payer: Payer, reads: bool = True) -> str:
    """Reason of the refusal of a call; "" where it may begin."""
    try:
        payer.begin(reads)
    except ResourceExhausted as error:
        return error.reason
    return ""


def test_without_limits_everything_may_begin() -> None:
    payer = limiter(Clock()).payer("ann", ["n"])
    payer.spend({Rate.POINTS: 1e12, Rate.READ_SECONDS: 1e6})
    opened(payer, Lasting.WATCHES)
    assert [begun(payer) for _ in range(1_000)] == [""] * 1_000
    assert payer.owed() == (0.0, None)


def test_calls_of_one_caller_are_counted_together_and_do_others_no_harm() -> None:
    clock = Clock()
    server = limiter(clock, Limits(calls_per_second=2))
    assert [begun(server.payer("ann", [name])) for name in "abcde"] == ["", "", "", "", "CALL_RATE"]
    assert begun(server.payer("ben", ["a"])) == ""
    clock.now = 0.6
    assert begun(server.payer("ann", ["a"])) == ""


def test_calls_in_one_namespace_are_counted_together_whoever_makes_them() -> None:
    server = limiter(Clock(), namespace=Limits(calls_per_second=1))
    assert [begun(server.payer(name, ["", "n"])) for name in "abc"] == ["", "", "CALL_RATE"]
    assert begun(server.payer("a", ["m"])) == ""
    assert begun(server.payer("a", ["default"])) == "CALL_RATE"


def test_what_is_refused_costs_nothing_and_says_limit_use_and_when_to_come_back() -> None:
    clock = Clock()
    server = limiter(clock, Limits(calls_per_second=1))
    payer = server.payer("ann", [])
    assert [begun(payer), begun(payer)] == ["", ""]
    for _ in range(10):
        with pytest.raises(ResourceExhausted) as refused:
            payer.begin(True)
    error = refused.value
    assert error.retry_after_seconds == pytest.approx(1.0)
    assert error.metadata == {"limit": "1", "used": "2", "burst": "2"}
    assert "this caller used 2, and has 2, won back at 1 a second (limits.calls_per_second" in error.message
    clock.now = 1.0
    assert begun(payer) == ""


def test_reads_wait_for_what_was_read_and_writes_for_what_was_written() -> None:
    clock = Clock()
    server = limiter(clock, Limits(rows_per_second=100, bytes_per_second=10))
    payer = server.payer("ann", ["n"])
    payer.spend({Rate.ROWS: 300})
    assert (begun(payer, reads=True), begun(payer, reads=False), payer.owed()) == ("ROW_RATE", "", (0.0, None))
    payer.spend({Rate.BYTES: 30})
    seconds, error = payer.owed()
    assert (seconds, error and error.reason) == (1.0, "BYTE_RATE")
    clock.now = 1.0
    assert (begun(payer, reads=True), payer.owed()) == ("", (0.0, None))


def opened(payer: Payer, kind: Lasting) -> Lease:
    lease = Lease(kind)
    lease.add(payer)
    return lease


def test_streams_and_watches_are_bounded_while_they_last() -> None:
    server = limiter(Clock(), Limits(streams=2), Limits(watches=1))
    ann, ben = server.payer("ann", ["n"]), server.payer("ben", ["n"])
    for _ in range(2):
        opened(ann, Lasting.STREAMS)
    with pytest.raises(ResourceExhausted, match="this caller has 2 open, at most 2") as refused:
        opened(ann, Lasting.STREAMS)
    assert (refused.value.reason, refused.value.retry_after_seconds) == ("TOO_MANY_STREAMS", 5.0)
    opened(ben, Lasting.STREAMS)
    watch = opened(ann, Lasting.WATCHES)
    for _ in range(3):
        with pytest.raises(ResourceExhausted, match="of this namespace together has 1 open"):
            opened(ben, Lasting.WATCHES)
    watch.close()
    watch.close()
    opened(ben, Lasting.WATCHES)
    with pytest.raises(ResourceExhausted):
        opened(ann, Lasting.WATCHES)


def test_a_stream_counts_once_in_each_namespace_that_its_messages_name() -> None:
    server = limiter(Clock(), namespace=Limits(streams=1))
    lease = opened(server.payer("ann", []), Lasting.STREAMS)
    for names in (["a"], ["a"], ["b", "a"]):
        lease.add(server.payer("ann", names))
    for name in "ab":
        with pytest.raises(ResourceExhausted):
            opened(server.payer("ben", [name]), Lasting.STREAMS)
    opened(server.payer("ben", ["c"]), Lasting.STREAMS)
    lease.close()
    opened(server.payer("ben", ["a", "b"]), Lasting.STREAMS)


def test_other_limits_hold_for_calls_that_are_under_way_and_what_is_spent_stays_spent() -> None:
    clock = Clock()
    server = limiter(clock, Limits(points_per_second=100))
    payer = server.payer("ann", ["n"])
    payer.spend({Rate.POINTS: 200})
    assert payer.owed() == (0.0, None)
    server.change(ServerLimits(Limits(points_per_second=10), burst_seconds=2.0))
    seconds, error = payer.owed()
    assert (seconds, error and error.reason) == (18.0, "POINT_RATE")
    server.change(ServerLimits())
    assert payer.owed() == (0.0, None)


def test_accounts_are_bounded_and_those_that_owe_or_have_something_open_stay() -> None:
    server = limiter(Clock(), Limits(calls_per_second=1), accounts=100)
    quiet = limiter(Clock(), accounts=100)
    debtor = server.payer("debtor", [])
    debtor.spend({Rate.CALLS: 100})
    for number in range(500):
        server.payer(f"p{number}", [])
        quiet.payer(f"p{number}", [f"n{number}"])
    assert len(server._accounts) <= 100
    assert len(quiet._accounts) <= 101
    assert begun(server.payer("debtor", [])) == "CALL_RATE"


def test_who_reads_for_a_call_charges_it_also_in_a_thread_of_its_own() -> None:
    server = limiter(Clock(), Limits(read_seconds_per_second=1))
    payer = server.payer("ann", ["n"])

    def call() -> None:
        set_payer(payer)
        thread = threading.Thread(target=copy_context().run, args=(charge_read, 10, 3.0))
        thread.start()
        thread.join()

    charge_read(10, 3.0)
    assert begun(payer) == ""
    copy_context().run(call)
    assert begun(payer) == "READ_SECONDS_RATE"
