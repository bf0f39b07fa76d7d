"""Errors that point at a place in a text: the field of the request, the column, what was expected."""

from __future__ import annotations

from fleetlog_core.errors import InvalidArgument


def filter_error(reason: str, column: int, what: str, field: str = "filter") -> InvalidArgument:
    """An error at a column, counted from 0 here and from 1 in the message and in metadata["column"]."""
    error = InvalidArgument.of_field(reason, field, f"column {column + 1}: {what}")
    error.metadata["column"] = str(column + 1)
    return error


def either(words: list[str]) -> str:
    """ "a", "a or b", "a, b or c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
