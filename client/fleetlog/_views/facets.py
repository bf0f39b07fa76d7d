"""What there is to search for: keys and values with counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from fleetlog_core import limits
from fleetlog_proto.v1 import facets_pb2, scope_pb2

from fleetlog._transport.answers import bad_answer, pages
from fleetlog._transport.connection import Connection
from fleetlog._values.arguments import choice

Kind = Literal["params", "tags", "metrics"]
_KINDS: dict[Kind, facets_pb2.KeyKind.ValueType] = {
    "params": facets_pb2.KEY_KIND_PARAM,
    "tags": facets_pb2.KEY_KIND_TAG,
    "metrics": facets_pb2.KEY_KIND_METRIC,
}
_WORDS: dict[int, Kind] = {int(number): word for word, number in _KINDS.items()}
_PLAIN = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_./:-]*[A-Za-z0-9_])?")


@dataclass(frozen=True)
class KeyInfo:
    """A key that runs have: how many, how many of them as a number, and the range of those numbers."""

    kind: Kind
    """params, tags or metrics."""
    key: str
    runs: int
    numeric_runs: int
    min: float | None
    max: float | None

    @property
    def name(self) -> str:
        """As filters say it: metrics.val_loss, params.`learning rate`."""
        return f"{self.kind}.{self.key}" if _PLAIN.fullmatch(self.key) else f"{self.kind}.{quoted(self.key)}"


@dataclass(frozen=True)
class Bin:
    """Numbers from `low` to before `high`, and how many runs have one; the last bin of a histogram has `high`, too."""

    low: float
    high: float
    runs: int


@dataclass(frozen=True)
class KeyDescription:
    """Values of one key: how many runs have it, how many values differ, and how its numbers spread."""

    runs: int
    """Runs that have it."""
    numeric_runs: int
    """Runs whose value is a number."""
    distinct_values: int
    """Number of different values."""
    min: float | None
    """Lowest number that is finite; None = there is none."""
    max: float | None
    """Highest number that is finite; None = there is none."""
    bins: tuple[Bin, ...]
    """Histogram of the numbers, from the lowest bin to the highest."""
    outside_runs: int
    """Runs whose number is in no bin: outside of the range, or infinite."""

    @property
    def differs(self) -> bool:
        """True if not all runs that have it have the same value."""
        return self.distinct_values > 1


@dataclass(frozen=True)
class ValueCount:
    """A value as text, and how many runs have it."""

    value: str
    runs: int


def quoted(key: str) -> str:
    """A key in backticks."""
    return "`" + key.replace("`", "``") + "`"


def list_keys(
    connection: Connection, scope: scope_pb2.RunScope, kind: str, contains: str, timeout_seconds: float
) -> list[KeyInfo]:
    """All of them, by kind, then key."""
    known = choice("kind", kind, {**_KINDS, "": facets_pb2.KEY_KIND_UNSPECIFIED}, "KEY_KIND_INVALID")
    request = facets_pb2.ListKeysRequest(
        scope=scope,
        kind=_KINDS.get(known, facets_pb2.KEY_KIND_UNSPECIFIED),
        contains=contains,
        page_size=limits.PAGE_SIZE,
    )
    found: list[KeyInfo] = []
    for page in pages(connection, connection.query.ListKeys, request, timeout_seconds):
        for one in page.keys:
            word = _WORDS.get(one.kind)
            if word is None or (kind and word != kind):
                raise bad_answer(connection.target, f"a key of kind {one.kind}, which was not asked for")
            low, high = one.min if one.HasField("min") else None, one.max if one.HasField("max") else None
            found.append(KeyInfo(word, one.key, one.runs, one.numeric_runs, low, high))
    return found


def list_values(
    connection: Connection, scope: scope_pb2.RunScope, key: str, contains: str, limit: int | None,
    timeout_seconds: float,
) -> list[ValueCount]:  # fmt: skip
    """The most frequent first; `key` as filters name it."""
    kind, name = _named(key)
    request = facets_pb2.ListValuesRequest(scope=scope, kind=kind, key=name, contains=contains)
    request.page_size = limits.PAGE_SIZE if limit is None else min(limits.PAGE_SIZE, limit)
    found: list[ValueCount] = []
    if limit is not None and limit <= 0:
        return found
    for page in pages(connection, connection.query.ListValues, request, timeout_seconds):
        if len(page.values) > request.page_size:
            raise bad_answer(connection.target, f"a page of {len(page.values):,} values, more than were asked for")
        found += [ValueCount(one.value, one.runs) for one in page.values]
        if limit is not None:
            if len(found) >= limit:
                break
            request.page_size = min(limits.PAGE_SIZE, limit - len(found))
    return found


def describe_key(
    connection: Connection, request: facets_pb2.DescribeKeyRequest, key: str, timeout_seconds: float
) -> KeyDescription:
    """Description of a key, as filters name it."""
    request.kind, request.key = _named(key)
    found = connection.call(connection.query.DescribeKey, request, timeout_seconds)
    bins = tuple(Bin(one.low, one.high, one.runs) for one in found.bins)
    low, high = found.min if found.HasField("min") else None, found.max if found.HasField("max") else None
    return KeyDescription(found.runs, found.numeric_runs, found.distinct_values, low, high, bins, found.outside_runs)


def _named(key: str) -> tuple[facets_pb2.KeyKind.ValueType, str]:
    """The kind and the key of a name as filters have it; what is of no other kind is an attribute."""
    group, dot, name = key.partition(".")
    if len(name) > 1 and name[0] == name[-1] == "`":
        name = name[1:-1].replace("``", "`")
    kinds: dict[str, facets_pb2.KeyKind.ValueType] = dict(_KINDS.items())
    kind = kinds.get(group, facets_pb2.KEY_KIND_ATTRIBUTE) if dot else facets_pb2.KEY_KIND_ATTRIBUTE
    if kind == facets_pb2.KEY_KIND_ATTRIBUTE:
        name = name if group == "attributes" else key
    return kind, name
