"""Rows of an answer as values of Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from fleetlog_core.warehouse.port import Answer


def rows_of(answer: Answer, *names: str) -> Iterator[tuple[Any, ...]]:
    """The values of some columns, row by row: int, float, str, and bytes of fixed length."""
    if not answer.rows:
        return iter(())
    columns = (answer.columns[name] for name in names)
    values = (
        column.tolist() if isinstance(column, np.ndarray) else answer.texts(name)
        for name, column in zip(names, columns, strict=True)
    )
    return zip(*values, strict=True)
