from __future__ import annotations

from fleetlog_core.rates.resets import (
    ADDRESSES,
    BUSY_CALLS,
    EVERY,
    FORGIVEN_SECONDS,
    LEAST_CONNECTIONS,
    LEAST_RESETS,
    MOST_REFUSED_SECONDS,
    REFUSED_SECONDS,
    WINDOW_SECONDS,
    Resets,
)


def busy(resets: Resets, now: float) -> None:
    """As many calls begin as it takes for some to be looked at."""
    for _ in range(BUSY_CALLS):
        resets.begin(now)


def flood(resets: Resets, address: str, now: float, *, connections: int = LEAST_CONNECTIONS) -> bool:
    """True if samples of an address, all of them reset, have it refused."""
    busy(resets, now)
    found = [resets.end(address, f"{address}:{n % connections}", True, now) for n in range(LEAST_RESETS)]
    return any(found)


def test_calls_are_looked_at_while_many_begin_and_only_some_of_them() -> None:
    resets = Resets()
    assert not any(resets.begin(0.0) for _ in range(BUSY_CALLS - 1))
    assert [resets.begin(0.0) for _ in range(2 * EVERY)].count(True) == 2
    # In the second after it too, and no longer than many do.
    assert [resets.begin(WINDOW_SECONDS) for _ in range(EVERY)].count(True) == 1
    assert not any(resets.begin(2 * WINDOW_SECONDS) for _ in range(EVERY))


def test_who_resets_nearly_all_calls_over_several_connections_is_refused_for_a_while() -> None:
    resets = Resets()
    assert flood(resets, "10.0.0.7", 0.0)
    assert resets.refused(0.0) == {"10.0.0.7": REFUSED_SECONDS}
    # What it began before is no new reason.
    assert not flood(resets, "10.0.0.7", 1.0)
    assert resets.refused(REFUSED_SECONDS) == {}


def test_over_a_few_connections_it_is_not() -> None:
    resets = Resets()
    assert not flood(resets, "10.0.0.7", 0.0, connections=LEAST_CONNECTIONS - 1)


def test_who_shares_an_address_with_others_that_are_served_is_not() -> None:
    resets = Resets()
    busy(resets, 0.0)
    found = [resets.end("10.0.0.7", f"10.0.0.7:{n}", n % 5 > 0, 0.0) for n in range(20 * LEAST_RESETS)]
    assert not any(found)


def test_resets_of_other_seconds_do_not_count() -> None:
    resets = Resets()
    for second in range(10):
        busy(resets, second * WINDOW_SECONDS)
        for n in range(LEAST_RESETS - 1):
            assert not resets.end("10.0.0.7", f"10.0.0.7:{n}", True, second * WINDOW_SECONDS)


def test_each_time_it_is_for_longer_up_to_a_bound_until_it_is_forgiven() -> None:
    resets, now, told = Resets(), 0.0, list[float]()
    for _ in range(8):
        assert flood(resets, "10.0.0.7", now)
        until = resets.refused(now)["10.0.0.7"]
        told.append(round(until - now, 6))
        now = until
    assert told == [10, 20, 40, 80, 160, MOST_REFUSED_SECONDS, MOST_REFUSED_SECONDS, MOST_REFUSED_SECONDS]
    now += FORGIVEN_SECONDS
    assert flood(resets, "10.0.0.7", now)
    assert resets.refused(now) == {"10.0.0.7": now + REFUSED_SECONDS}


def test_what_is_kept_is_bounded_however_many_addresses_there_are() -> None:
    resets = Resets()
    assert all(flood(resets, f"10.0.{number}.1", 0.0) for number in range(ADDRESSES + 10))
    assert list(resets.refused(0.0)) == [f"10.0.{number}.1" for number in range(10, ADDRESSES + 10)]
    # Samples of so many addresses in turn push one another out before any has enough.
    others = [f"10.1.{number}.1" for number in range(ADDRESSES + 1)]
    found = [resets.end(one, f"{one}:{n}", True, 0.0) for n in range(LEAST_RESETS) for one in others]
    assert not any(found)
