"""Rows of answers are values of Python."""

from __future__ import annotations

import numpy as np
from fleetlog_core.warehouse.port import Answer, Coded, Read
from fleetlog_query.warehouse.rows import rows_of


def test_columns_of_all_kinds_are_rows() -> None:
    columns: dict[str, Read] = {
        "id": np.frombuffer(b"a" * 16 + b"\0" * 16, "V16"),
        "number": np.array([1, 2], np.uint8),
        "text": ["x", "y"],
        "few": Coded(np.array([1, 0], np.uint32), ["p", "q"]),
    }
    answer = Answer(columns, 2, 0, 0)
    assert list(rows_of(answer, "few", "id", "number", "text")) == [
        ("q", b"a" * 16, 1, "x"), ("p", b"\0" * 16, 2, "y"),
    ]  # fmt: skip


def test_an_answer_without_rows_has_none() -> None:
    assert list(rows_of(Answer({}, 0, 0, 0), "id", "text")) == []
