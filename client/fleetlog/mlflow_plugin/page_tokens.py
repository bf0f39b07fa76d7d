"""Tokens of pages in MLflow's format, as somebody may have made or damaged them: they are read, or refused by name.

MLflow's own reader lets some of them end in errors of Python, which its server tells as a fault of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.exceptions import MlflowException
from mlflow.utils.search_utils import SearchUtils

from fleetlog.mlflow_plugin.errors import invalid


@contextmanager
def reading_token(token: object) -> Iterator[None]:
    """Read a token within. INVALID_PARAMETER_VALUE where it is none."""
    try:
        yield
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise _refusal(token) from error


def page_start(token: str | None) -> int:
    """Returns the place of a page's first entry. INVALID_PARAMETER_VALUE."""
    with reading_token(token):
        return checked_start(token, int(SearchUtils.parse_start_offset_from_page_token(token)))


def checked_start(token: object, start: int) -> int:
    """Returns the place that a token says. INVALID_PARAMETER_VALUE when it is before the first."""
    if start < 0:
        raise _refusal(token)
    return start


def _refusal(token: object) -> MlflowException:
    return invalid(f"Invalid page token {str(token)[:100]!a}: give the one of the page before")
