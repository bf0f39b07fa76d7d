"""Read masks: which parts of a run are filled."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, shown

from fleetlog_query.language.fields import KIND_NUMBERS
from fleetlog_query.language.values import Key
from fleetlog_query.sql.as_of import BY_RUN, AsOf, attr_rows, keys_of
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.branches import PointTables

_ITEM = re.compile(r"(attributes|datasets|models|(params|tags|metrics)(?:\.(`(?:[^`]|``)+`|.+))?)", re.DOTALL)


@dataclass(frozen=True)
class ReadMask:
    """The kinds to fill: None = all keys of it, a set = those keys. A kind that is not there is not filled.

    Datasets and links to models are filled all or none.
    """

    kinds: dict[str, frozenset[str] | None] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """True if all kinds are filled with all keys."""
        return all(kind in self.kinds and self.kinds[kind] is None for kind in KIND_NUMBERS)

    @property
    def without_datasets(self) -> ReadMask:
        """Mask of the kinds of which a run has one value by key."""
        return ReadMask({kind: keys for kind, keys in self.kinds.items() if kind not in ("datasets", "models")})

    def with_key(self, key: Key) -> ReadMask:
        """Mask with one key more."""
        keys = self.kinds.get(key.kind, frozenset())
        return self if keys is None else ReadMask({**self.kinds, key.kind: keys | {key.key}})

    def sql(self, binds: Binds) -> str:
        """Condition on rows of `attrs` or `run_attrs`. Not for a mask without kinds."""
        whole = [str(KIND_NUMBERS[kind]) for kind, keys in self.kinds.items() if keys is None]
        clauses = [f"kind IN ({', '.join(whole)})"] if whole else []
        for kind, keys in self.kinds.items():
            if keys is not None:
                clauses.append(f"(kind = {KIND_NUMBERS[kind]} AND key IN {binds.texts(sorted(keys))})")
        return " OR ".join(clauses)


def run_key_rows(where: str, branches: PointTables, mask: ReadMask, as_of: AsOf | None, binds: Binds) -> str:
    """The rows of the keys that a mask names of some runs, latest each: FROM and WHERE.

    `where`: a condition on namespace and run_id. Not for a mask without kinds.
    """
    if as_of is not None:
        keys = keys_of(mask.kinds, binds)
        return f"FROM ({attr_rows(BY_RUN, where, branches, keys, as_of, binds)}) WHERE 1"
    some = "" if mask.whole else f" AND ({mask.sql(binds)})"
    return f"FROM run_attrs FINAL WHERE {where} AND removed = 0{some}"


def parse_read_mask(items: Sequence[str]) -> ReadMask:
    """READ_MASK_INVALID, OVER_LIMIT. Nothing given means everything."""
    if len(items) > limits.READ_MASK_ITEMS:
        raise InvalidArgument.of_field(
            "OVER_LIMIT",
            "read_mask",
            f"{len(items):,} items, at most {limits.READ_MASK_ITEMS:,}; name a kind as a whole, such as metrics",
        )
    if not items:
        return ReadMask(dict.fromkeys(KIND_NUMBERS))
    kinds: dict[str, frozenset[str] | None] = {}
    for place, item in enumerate(items):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise InvalidArgument.of_field(
                "READ_MASK_INVALID",
                f"read_mask[{place}]",
                f"{shown(item)} is none of attributes, params, tags, metrics, datasets, models, or like metrics.loss",
            )
        whole, kind, key = match.groups()
        if whole == "attributes":
            continue
        kind = kind or whole
        if key is None:
            kinds[kind] = None
        elif kinds.get(kind, frozenset()) is not None:
            name = key[1:-1].replace("``", "`") if key[0] == "`" else key
            kinds[kind] = (kinds.get(kind) or frozenset()) | {name}
    return ReadMask(kinds)
