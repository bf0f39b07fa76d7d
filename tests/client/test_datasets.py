"""Data that runs read: names, and what tells of itself, as the message of the contract."""

from __future__ import annotations

from typing import Any

import pytest
from fleetlog._values.datasets import Dataset, to_dataset
from fleetlog._values.values import Unusable
from fleetlog_core import limits


class Described:
    """As a dataset of mlflow.data."""

    def to_dict(self) -> dict[str, Any]:
        return {"name": "own", "digest": "d1", "source": {"uri": "s3://a"}, "profile": None, "unknown": 5}


def test_a_name_is_a_dataset_of_nothing_else() -> None:
    message, out = to_dataset("fineweb", "training", {"digest": "", "source": None})
    assert (Dataset.of(message), out) == (Dataset("fineweb", "", "training", "", "", "", ""), [])


def test_what_is_said_counts_more_than_what_the_data_tells_of_itself() -> None:
    message, out = to_dataset(Described(), "", {"digest": "d2", "schema": {"x": "double"}})
    assert out == []
    assert (message.name, message.digest, message.source) == ("own", "d2", '{"uri": "s3://a"}')
    assert (message.schema, message.profile) == ('{"x": "double"}', "")


def test_a_part_that_is_too_long_is_left_out_and_the_others_are_kept() -> None:
    message, out = to_dataset("a", "", {"schema": "x" * (limits.DATASET_TEXT_BYTES + 1), "source": "s"})
    assert (message.name, message.source, message.schema) == ("a", "s", "")
    assert [(one.key, one.reason) for one in out] == [("schema", "TEXT_TOO_LONG")]


@pytest.mark.parametrize("wrong", [5, None, object()])
def test_what_has_no_name_is_unusable(wrong: Any) -> None:
    with pytest.raises(Unusable) as error:
        to_dataset(wrong, "", {})
    assert error.value.reason == "DATASET_INVALID"
