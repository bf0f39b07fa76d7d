"""One rule for times."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fleetlog_core import limits
from fleetlog_core.times import to_millis
from hypothesis import given
from hypothesis import strategies as st

from tests.zones import local_zone

NOW = 1_700_000_000_123
MOMENTS = st.datetimes(
    datetime(1970, 1, 3), datetime(2200, 1, 1), timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))])
)


@pytest.mark.parametrize(
    "when",
    [
        NOW,
        float(NOW),
        NOW / 1000,
        str(NOW),
        f" {NOW / 1000} ",
        Decimal(NOW) / 1000,
        np.int64(NOW),
        np.float64(NOW / 1000),
        np.array(NOW),
        datetime.fromtimestamp(NOW / 1000, UTC),
        "2023-11-14T22:13:20.123Z",
        "2023-11-14 23:13:20.123+01:00",
        pd.Timestamp("2023-11-14T22:13:20.123456789Z"),
    ],
)
def test_seconds_milliseconds_and_moments_are_told_apart(when: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert to_millis(when) == NOW


@given(st.integers(0, 8_999_999_999), st.integers(0, 999))
def test_whole_seconds_and_their_milliseconds_are_the_same_moment(seconds: int, millis: int) -> None:
    assert to_millis(seconds) == to_millis(str(seconds) + ".0") == seconds * 1000
    if seconds >= 100_000_000:
        assert to_millis(seconds * 1000 + millis) == seconds * 1000 + millis == to_millis(seconds + millis / 1000)


@given(MOMENTS)
def test_a_moment_is_the_same_however_it_is_written(moment: datetime) -> None:
    millis = to_millis(moment)
    assert millis == (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert to_millis(moment.isoformat()) == to_millis(pd.Timestamp(moment)) == millis


@pytest.mark.parametrize(
    "when",
    [
        datetime(2024, 1, 1),
        "2024-01-01 00:00:00",
        "2024-01-01",
        "20240101",
        date(2024, 1, 1),
        np.datetime64("2024-01-01"),
        np.datetime64("2024-01-01T00:00:00.000000000"),
        pd.Timestamp("2024-01-01"),
        pd.Timestamp("2024-01-01").to_datetime64(),
    ],
)
def test_what_names_no_zone_is_local_time(when: Any) -> None:
    with local_zone("America/New_York"):
        assert to_millis(when) == 1_704_085_200_000
    with local_zone("Asia/Kolkata"):
        assert to_millis(when) == 1_704_047_400_000


@pytest.mark.parametrize(
    "when",
    [
        None,
        True,
        "",
        "soon",
        "nan",
        b"2024",
        float("nan"),
        float("inf"),
        -1,
        -1.5,
        10**10,
        10**14,
        NOW * 1000,
        NOW * 1_000_000,
        10**400,
        limits.MAX_TIME_MILLIS + 1,
        pd.NaT,
        np.datetime64("NaT"),
        np.array([1, 2]),
        1j,
        datetime(1969, 12, 31, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59),
        timedelta(1),
        object(),
        [NOW],
        {},
    ],
)
def test_what_is_no_time_is_refused_with_the_rule(when: Any) -> None:
    with pytest.raises(ValueError, match=r"seconds since 1970 \(a number below 10\^11"):
        to_millis(when)


@given(st.one_of(st.integers(), st.floats(), st.text(), st.datetimes(), st.binary()))
def test_every_answer_is_a_time_that_the_log_takes(when: Any) -> None:
    try:
        found = to_millis(when)
    except ValueError:
        return
    assert limits.MIN_TIME_MILLIS <= found <= limits.MAX_TIME_MILLIS
