"""A load, as a TOML file says it: workers, what they log and how often, and what is asked meanwhile. Pure."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any

from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.limits import COLUMNS_PER_EVENT, INLINE_ARTIFACT_BYTES, PAGE_SIZE, PARAMS_PER_EVENT, TAGS_PER_EVENT

Limits = tuple[float, float]
REASON = "PROFILE_INVALID"
MAX_WORKERS = 1_000_000
"""Maximum of workers, of all machines together."""
MAX_SEARCHES = 20
MAX_SEARCH_CHARACTERS = 10_000


@dataclass(frozen=True)
class Search:
    """A search that is asked again and again, of the load's own experiment."""

    filter: str = ""
    """As in `fleetlog runs search`; "" = every run."""
    order_by: tuple[str, ...] = ()
    """Items such as "metrics.m000 ASC"; empty = the latest start first."""
    limit: int = field(default=10, metadata={"limits": (1, PAGE_SIZE)})
    """Maximum of runs in an answer."""
    per_second: float = field(default=1.0, metadata={"limits": (0.001, 1_000)})
    """How many are asked, whether or not those before are answered by then."""

    @property
    def name(self) -> str:
        """What reports call it."""
        order = f" order by {', '.join(self.order_by)}" if self.order_by else ""
        return f"{self.filter or 'all runs'}{order}, {self.limit}"


@dataclass(frozen=True)
class Profile:
    """A load. Rates are of each worker; times count from the moment at which the first worker starts."""

    workers: int = field(default=10, metadata={"limits": (1, MAX_WORKERS)})
    """Writers, each with a stream of its own, as training processes have."""
    ranks: int = field(default=1, metadata={"limits": (1, 10_000)})
    """Workers that write to one run."""
    metrics: int = field(default=20, metadata={"limits": (1, COLUMNS_PER_EVENT)})
    """Metrics of a step: m000, m001, …"""
    steps_per_second: float = field(default=1.0, metadata={"limits": (0.0001, 10_000)})
    """Steps that a worker logs in a second."""
    seconds: float = field(default=30.0, metadata={"limits": (0.1, 30 * 86_400)})
    """How long they log, once all have started."""
    ramp_seconds: float = field(default=0.0, metadata={"limits": (0, 86_400)})
    """Seconds over which they start, evenly."""
    streams_per_connection: int = field(default=1, metadata={"limits": (1, 200)})
    """Workers that share a connection. Training processes share none: more takes less memory here and there."""
    params: int = field(default=5, metadata={"limits": (0, PARAMS_PER_EVENT)})
    """Params of a run: `lr` and `batch`, and p002, p003, …"""
    tags: int = field(default=1, metadata={"limits": (0, TAGS_PER_EVENT)})
    """Tags of a run: `team`, and t001, t002, …"""
    artifacts: int = field(default=0, metadata={"limits": (0, 10_000)})
    """Files of a worker, evenly over its steps."""
    artifact_bytes: int = field(default=4_096, metadata={"limits": (0, INLINE_ARTIFACT_BYTES)})
    """Size of each file. Larger ones go past the gateway, straight to the object store, and are no part of this."""
    probes_per_second: float = field(default=1.0, metadata={"limits": (0, 100)})
    """Reads of a point that was acknowledged just now. Each has the server apply what waits, as such reads do."""
    late_seconds: float = field(default=10.0, metadata={"limits": (0.1, 86_400)})
    """Points that can't be read so long after they were acknowledged are late."""
    drain_seconds: float = field(default=120.0, metadata={"limits": (1, 86_400)})
    """Longest wait for the last answers, and then for the last points to be readable, without any progress."""
    searches: tuple[Search, ...] = ()
    """Searches that are asked meanwhile."""

    @property
    def runs(self) -> int:
        """Runs of all machines together."""
        return math.ceil(self.workers / self.ranks)

    @property
    def points_per_second(self) -> float:
        """Points that are logged in a second, once all workers have started."""
        return self.workers * self.metrics * self.steps_per_second


BUILT_IN: Mapping[str, Profile] = {
    "smoke": Profile(
        workers=10, seconds=10, searches=(Search("metrics.m000 < 0.5", ("metrics.m000 ASC",)),)
    ),
    "team": Profile(
        workers=100, ranks=4, seconds=120, ramp_seconds=10, artifacts=2,
        searches=(
            Search("metrics.m000 < 0.5 AND params.lr < 0.01"),
            Search("", ("metrics.m001 ASC",), limit=100, per_second=0.5),
        ),
    ),
    "fleet": Profile(
        workers=10_000, steps_per_second=0.1, seconds=300, ramp_seconds=60,
        searches=(
            Search("metrics.m000 < 0.5 AND params.lr < 0.01"),
            Search("", ("metrics.m001 ASC",), limit=100, per_second=0.5),
        ),
    ),
    "burst": Profile(workers=50, metrics=100, steps_per_second=50, seconds=60, ramp_seconds=5),
}  # fmt: skip
"""Profiles that need no file, by name."""


def parse(text: str) -> Profile:
    """The profile of a TOML file. InvalidArgument PROFILE_INVALID: names the field, its value and its limits."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidArgument.of_field(REASON, "profile", f"it is no TOML: {error}") from None
    based_on = said.pop("like", None)
    base = Profile()
    if based_on is not None:
        base = built_in(based_on)
    return changed(base, said)


def built_in(name: object) -> Profile:
    """A profile that needs no file. InvalidArgument."""
    found = BUILT_IN.get(name) if isinstance(name, str) else None
    if found is None:
        raise _invalid("like", name, f"is no profile; there are {', '.join(BUILT_IN)}")
    return found


def changed(profile: Profile, said: Mapping[str, Any]) -> Profile:
    """The profile with other values for some fields. InvalidArgument."""
    given = dict(said)
    if "searches" in given:
        given["searches"] = _searches(given["searches"])
    found = replace(profile, **_checked(Profile, "", given))
    if found.ranks > found.workers:
        raise _invalid("ranks", found.ranks, f"is more than there are workers ({found.workers:,})")
    return found


def _searches(said: object) -> tuple[Search, ...]:
    if not isinstance(said, (list, tuple)) or len(said) > MAX_SEARCHES:
        raise _invalid("searches", said, f"is not a list of at most {MAX_SEARCHES} tables: write [[searches]]")
    found = []
    for number, one in enumerate(said):
        if isinstance(one, Search):
            found.append(one)
            continue
        if not isinstance(one, dict):
            raise _invalid(f"searches[{number}]", one, "is no table: write [[searches]]")
        given = dict(one)
        if isinstance(order := given.get("order_by"), str):
            given["order_by"] = [order]
        found.append(Search(**_checked(Search, f"searches[{number}].", given)))
    return tuple(found)


def _checked(kind: type[Profile] | type[Search], prefix: str, said: Mapping[str, Any]) -> dict[str, Any]:
    known = {one.name: one for one in fields(kind)}
    found = {}
    for name, value in said.items():
        if name not in known:
            raise _invalid(prefix + name, value, f"is no setting of a profile; there are {', '.join(known)}")
        default = known[name].default
        found[name] = _value(prefix + name, value, () if default is MISSING else default, known[name].metadata)
    return found


def _value(name: str, value: object, default: object, metadata: Mapping[str, Any]) -> object:
    """The value, of the default's type and within the limits. InvalidArgument."""
    if isinstance(default, str):
        if not isinstance(value, str) or len(value) > MAX_SEARCH_CHARACTERS:
            raise _invalid(name, value, f"is no text of at most {MAX_SEARCH_CHARACTERS:,} characters")
        return value
    if isinstance(default, tuple):
        if not isinstance(value, (list, tuple)):
            raise _invalid(name, value, "is no list")
        if name.endswith("order_by") and not all(isinstance(one, str) for one in value):
            raise _invalid(name, value, "is no list of texts")
        return tuple(value)
    low, high = metadata["limits"]
    whole = isinstance(default, int)
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise _invalid(name, value, f"is no {'whole number' if whole else 'number'} from {low:,} to {high:,}")
    number = value if isinstance(value, (int, float)) else 0
    # NaN is in no range.
    if not low <= number <= high:
        raise _invalid(name, value, f"is not {low:,} to {high:,}")
    return number if whole else float(number)


def _invalid(name: str, value: object, what: str) -> InvalidArgument:
    return InvalidArgument.of_field(REASON, name, f"{shown(value)} {what}")
