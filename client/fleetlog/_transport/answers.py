"""Answers of a server, compared with what was asked for: one that can't be meant is an error, never taken.

A server may be broken, of another version, or mean harm. Its answers bound no memory, name no files and end no loops.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from fleetlog_core.errors import FleetlogError, shown

from fleetlog._transport.connection import Connection

BAD_ANSWER = "BAD_ANSWER"
MAX_PAGES = 100_000
"""Maximum pages of one listing, 100 million items at a thousand a page; beyond that BAD_ANSWER."""


class Paged(Protocol):
    """A request of one page."""

    page_token: str


class Page(Protocol):
    """An answer that may have more behind it."""

    @property
    def next_page_token(self) -> str:
        """Empty at the end."""
        ...


Answer = TypeVar("Answer", bound=Page)


def bad_answer(target: str, what: str) -> FleetlogError:
    """The error for an answer that can't be meant; `what` says what is wrong with it."""
    return FleetlogError(BAD_ANSWER, f"the server at {target} gave an answer that can't be right: {what}")


@contextmanager
def understood(target: str, what: str) -> Iterator[None]:
    """Errors of taking an answer apart become BAD_ANSWER: it has values that no server of this version sends."""
    try:
        yield
    except (ValueError, LookupError, ArithmeticError, TypeError, NotImplementedError, OSError) as error:
        raise bad_answer(target, f"{what}: {shown(str(error))}") from error


def pages(
    connection: Connection, method: Callable[..., Answer], request: Paged, timeout_seconds: float
) -> Iterator[Answer]:
    """Every page, the first one at the request's own token. BAD_ANSWER when a token comes again, or never the end."""
    seen = {request.page_token}
    for _ in range(MAX_PAGES):
        page = connection.call(method, request, timeout_seconds)
        yield page
        if not page.next_page_token:
            return
        if page.next_page_token in seen:
            raise bad_answer(connection.target, "its pages go round in a circle, a page token came twice")
        seen.add(page.next_page_token)
        request.page_token = page.next_page_token
    raise bad_answer(connection.target, f"more than {MAX_PAGES:,} pages of one listing")


def check_ids(target: str, what: str, ids: Sequence[str], asked: Sequence[str]) -> None:
    """BAD_ANSWER when an answer has an id that was not asked for, or one twice."""
    expected = Counter(map(canonical, asked))
    for one in ids:
        if not expected[one]:
            raise bad_answer(target, f"{what} {shown(one)} was not asked for, or came twice")
        expected[one] -= 1


def check_same(target: str, what: str, answered: Any, asked: Any) -> None:
    """BAD_ANSWER when the answer is about something else."""
    if answered != asked:
        raise bad_answer(target, f"{what} is {shown(answered)}, and {shown(asked)} was asked for")


def canonical(run_id: str) -> str:
    """An id as servers write it: lower case, without dashes."""
    return run_id.lower().replace("-", "")
