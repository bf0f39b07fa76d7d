"""Which parts of a run are filled, from what a request says."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument
from fleetlog_query.language.values import Key
from fleetlog_query.runs.read_mask import ReadMask, parse_read_mask
from fleetlog_query.sql.binds import Binds

EVERYTHING = dict.fromkeys(("params", "tags", "metrics", "datasets", "models"))


@pytest.mark.parametrize(
    ("items", "kinds"),
    [
        ([], EVERYTHING),
        (["attributes"], {}),
        (["metrics"], {"metrics": None}),
        (["metrics.loss"], {"metrics": {"loss"}}),
        (["metrics.loss", "metrics.val.loss", "params"], {"metrics": {"loss", "val.loss"}, "params": None}),
        (["metrics.loss", "metrics"], {"metrics": None}),
        (["metrics", "metrics.loss"], {"metrics": None}),
        (["tags.`a ``b`` c`"], {"tags": {"a `b` c"}}),
        (["tags.a\nb"], {"tags": {"a\nb"}}),
        (["datasets", "attributes"], {"datasets": None}),
    ],
)
def test_items_name_kinds_and_keys(items: list[str], kinds: Mapping[str, object]) -> None:
    assert parse_read_mask(items).kinds == kinds


@pytest.mark.parametrize("item", ["", "loss", "metric.loss", "metrics.", "datasets.name", "attributes.name"])
def test_an_item_that_names_nothing_is_refused_by_its_place(item: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_read_mask(["params", item])
    assert caught.value.reason == "READ_MASK_INVALID"
    assert caught.value.violations[0].field == "read_mask[1]"


def test_a_mask_has_a_bounded_length() -> None:
    parse_read_mask(["metrics.x"] * limits.READ_MASK_ITEMS)
    with pytest.raises(InvalidArgument, match="name a kind as a whole") as caught:
        parse_read_mask(["metrics.x"] * (limits.READ_MASK_ITEMS + 1))
    assert caught.value.reason == "OVER_LIMIT"


def test_everything_is_whole_and_less_is_not() -> None:
    assert parse_read_mask([]).whole
    assert not parse_read_mask(["params", "tags", "metrics"]).whole
    assert not parse_read_mask(["params", "tags", "metrics.x", "datasets"]).whole
    assert "datasets" not in parse_read_mask([]).without_datasets.kinds


def test_a_key_is_added_where_not_all_of_its_kind_are_named() -> None:
    assert ReadMask().with_key(Key("tags", "a")).kinds == {"tags": frozenset("a")}
    assert parse_read_mask(["tags.b"]).with_key(Key("tags", "a")).kinds == {"tags": frozenset("ab")}
    assert parse_read_mask(["tags"]).with_key(Key("tags", "a")).kinds == {"tags": None}


def test_values_are_bound_and_kinds_are_numbers() -> None:
    binds = Binds()
    sql = parse_read_mask(["params", "metrics.x", "metrics.a"]).sql(binds)
    assert sql == "kind IN (1) OR (kind = 3 AND key IN {p0:Array(String)})"
    assert binds.values == {"p0": ["a", "x"]}
