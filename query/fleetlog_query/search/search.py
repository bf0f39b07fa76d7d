"""SearchRuns' core: which runs, in which order, a page at a time; all pages as of where the first one found the log.

See order/page_reader for how a page is read, and snapshot/ for how it stays what it was while runs change.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fleetlog_core import limits
from fleetlog_core.errors import FailedPrecondition, InvalidArgument
from fleetlog_core.ids import ID_BYTES
from fleetlog_proto.v1 import query_pb2, run_pb2, scope_pb2

from fleetlog_query.changes.changed_runs import Touches
from fleetlog_query.changes.position import Pins
from fleetlog_query.language.plan import plan_of
from fleetlog_query.order.page_reader import PageReader
from fleetlog_query.pages.page import PageQuery
from fleetlog_query.search.token import PageTokens, check_page_size
from fleetlog_query.snapshot.snapshot_pages import PinnedPages, PinnedRows
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.order_by import parse_order, sort_columns
from fleetlog_query.sql.scope import Scope
from fleetlog_query.warehouse.cancellable import CancellableWarehouse

DEFAULT_PAGE = 100
TOTAL_AT_LEAST = 10_000
"""Up to here an "at least" count is the count."""


@dataclass(frozen=True)
class Search:
    """What is asked: see SearchRunsRequest."""

    namespace: str
    experiments: tuple[int, ...]
    filter: str = ""
    order_by: tuple[str, ...] = ()
    page_size: int = 0
    page_token: str = ""
    deleted_view: int = scope_pb2.DELETED_VIEW_ACTIVE
    total_count: int = query_pb2.TOTAL_COUNT_NONE
    asked: tuple[int | str, ...] | None = None
    """What the request said of experiments. Tokens belong to that, and not to what it came to: an experiment that is
    made between two pages is no reason to refuse the second."""
    as_of: AsOf | None = None
    """As everything was then; a later page has it from its token (`Searcher.pinned`)."""
    asked_as_of: bytes = b""
    """What the request said of it: tokens belong to that."""
    now_millis: float | None = None
    """What now() is; None = what the clock says."""
    alone: bool = False
    """No page follows: it may be of more than one moment while runs change."""


@dataclass(frozen=True)
class SearchPage:
    """Runs in order, without their keys; and the token of the page that follows, "" at the end."""

    runs: list[run_pb2.Run]
    next_page_token: str
    total: Total | None = None
    compiled: Compiled | None = None
    """As it ran, with its pin."""

    def fewer(self, search: Search, size: int) -> Search:
        """Search for fewer runs, from the same moment on."""
        same = replace(search, page_size=size)
        return same if self.compiled is None else replace(same, now_millis=self.compiled.moment)

    @property
    def is_first(self) -> bool:
        """Whether it shows runs as they are now, whatever is said of the pages behind it."""
        return self.compiled is None or not self.compiled.later


@dataclass(frozen=True)
class Total:
    """How many runs match, or that there are more than so many."""

    count: int
    is_lower_bound: bool = False


@dataclass(frozen=True)
class Compiled:
    """A search as it runs: the query of what comes behind its token; and what its own tokens hold beside the last row.

    `moment` is what now() means, on all pages the same. `pin`: what all pages are as of, of a search that is not as of
    a position that was asked for; None = nothing. `shown`: runs of a first page that was not of one moment, which do
    not come again. `later`: it is no first page.
    """

    query: PageQuery
    purpose: str
    moment: float
    pin: AsOf | None = None
    shown: frozenset[bytes] = frozenset()
    later: bool = False


@dataclass(frozen=True)
class _Token:
    """What a token says: see Compiled. `values`: of the last row's order, empty without a token."""

    moment: float
    values: list[Any]
    pin: AsOf | None = None
    experiments: str = ""
    """Experiments that the first page looked in."""
    shown: frozenset[bytes] = frozenset()


class Searcher:
    """Compiles searches and runs them."""

    def __init__(
        self,
        warehouse: CancellableWarehouse,
        token_key: bytes,
        pins: Pins,
        touches: Touches,
        reader: PageReader,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._tokens = PageTokens(token_key)
        self._pins = pins
        self.touches = touches
        self._reader = reader
        self._pages = PinnedPages(warehouse, touches, reader)

    def search(self, search: Search, timeout_seconds: float) -> SearchPage:
        """One page. InvalidArgument for a filter, order or token that is wrong; FailedPrecondition for a token of
        pages that can't go on; TimedOut, TooMuchToRead.
        """
        compiled = self.compile(search)
        query = compiled.query
        counted = search.total_count not in (query_pb2.TOTAL_COUNT_UNSPECIFIED, query_pb2.TOTAL_COUNT_NONE)
        if not search.experiments:
            return SearchPage([], "", Total(0) if counted else None)
        found, compiled = self._rows(compiled, search.alone, timeout_seconds)
        more = len(found.rows) > query.size
        last = [] if found.anew else found.rows[query.size - 1].values if more else []
        token = self.token(compiled, last) if more else ""
        runs = [row.run for row in found.rows[: query.size]]
        if not counted:
            total = None
        elif not compiled.later and not more:
            total = Total(len(runs))
        else:
            total = self._total(query, search.total_count == query_pb2.TOTAL_COUNT_EXACT, timeout_seconds)
        return SearchPage(runs, token, total, compiled)

    def compile(self, search: Search) -> Compiled:
        """The search, not yet run. InvalidArgument and FailedPrecondition as `search`."""
        size = check_page_size(search.page_size, DEFAULT_PAGE, limits.PAGE_SIZE)
        # The first page says what now() is: a later one of the same search goes on in the same order.
        now = self._clock() * 1000 if search.now_millis is None else search.now_millis
        token = self._token(search) if search.page_token else _Token(now, [])
        if token.experiments and token.experiments != _digest(search.experiments):
            raise out_of_date("the experiments that it looks in are others now")
        keys, plan = parse_order(search.order_by, token.moment), plan_of(search.filter, token.moment)
        scope = Scope(search.namespace, search.experiments, as_of=search.as_of)
        query = PageQuery(scope, plan, keys, sort_columns(keys), token.values or None, size, search.deleted_view)
        pin = token.pin if search.as_of is None else None
        return Compiled(query, _purpose(search), token.moment, pin, token.shown, later=bool(search.page_token))

    def token(self, compiled: Compiled, values: Sequence[Any]) -> str:
        """The token of what comes behind a row with these values of the order."""
        scope, pin = compiled.query.scope, compiled.pin
        if pin is not None:
            shown = [base64.b64encode(b"".join(sorted(compiled.shown))).decode()] if compiled.shown else []
            pinned = [list(pin.events), pin.control, _digest(scope.experiments), *shown]
            return self._tokens.make(f"pages of {compiled.purpose}", [compiled.moment, pinned, *values])
        as_of = [] if scope.as_of is None else [[list(scope.as_of.events), scope.as_of.control]]
        return self._tokens.make(compiled.purpose, [compiled.moment, *as_of, *values])

    def pinned(self, search: Search) -> AsOf | None:
        """What a search that goes on behind its token is as of; None = nothing. PAGE_TOKEN_INVALID."""
        return self._token(search).pin

    def continues(self, search: Search) -> bool:
        """Whether a search looks in the experiments that its token is of. PAGE_TOKEN_INVALID."""
        experiments = self._token(search).experiments
        return not experiments or experiments == _digest(search.experiments)

    def _token(self, search: Search) -> _Token:
        purpose = _purpose(search)
        if search.asked_as_of or search.as_of is not None:
            moment, (events, control), *values = self._tokens.read(purpose, search.page_token)
            return _Token(moment, values, AsOf(tuple(events), control))
        try:
            moment, pinned, *values = self._tokens.read(f"pages of {purpose}", search.page_token)
        except InvalidArgument:
            # Of a stream, or of a first page that was not pinned.
            moment, *values = self._tokens.read(purpose, search.page_token)
            return _Token(moment, values)
        events, control, experiments, *shown = pinned
        data = base64.b64decode(shown[0]) if shown else b""
        ids = frozenset(data[place : place + ID_BYTES] for place in range(0, len(data), ID_BYTES))
        return _Token(moment, values, AsOf(tuple(events), control), experiments, ids)

    def _rows(self, compiled: Compiled, alone: bool, timeout_seconds: float) -> tuple[PinnedRows, Compiled]:
        query = compiled.query
        if query.scope.as_of is None and not alone:
            now = self._pins.now(timeout_seconds)
            pin = compiled.pin or now
            if len(pin.events) != len(now.events):
                raise out_of_date("the log has been cut into another number of partitions")
            if any(here < there for here, there in zip(now.events, pin.events, strict=True)):
                raise out_of_date("the tables do not hold all that the first page did; they are being rebuilt")
            name = compiled.purpose, compiled.moment
            if compiled.later:
                rows = self._pages.page(query, pin, name, timeout_seconds, compiled.shown)
            else:
                rows = self._pages.first(query, pin, timeout_seconds)
            return rows, replace(compiled, pin=rows.pin, shown=rows.shown)
        return PinnedRows(self._reader.page(query, timeout_seconds)), replace(compiled, pin=None)

    def _total(self, query: PageQuery, exact: bool, timeout_seconds: float) -> Total:
        count = self._reader.count(query, None if exact else TOTAL_AT_LEAST + 1, timeout_seconds)
        bounded = not exact and count > TOTAL_AT_LEAST
        return Total(TOTAL_AT_LEAST if bounded else count, bounded)


def out_of_date(why: str) -> FailedPrecondition:
    """PAGE_TOKEN_OUT_OF_DATE."""
    return FailedPrecondition("PAGE_TOKEN_OUT_OF_DATE", f"page_token: {why}; begin without one")


def _digest(experiments: Sequence[int]) -> str:
    return hashlib.sha256(json.dumps(list(experiments)).encode()).hexdigest()[:16]


def _purpose(search: Search) -> str:
    """What a token belongs to: everything of the search but the page."""
    where = search.experiments if search.asked is None else search.asked
    what = [search.namespace, where, search.filter, search.order_by, search.deleted_view]
    what += [search.asked_as_of.hex()] if search.asked_as_of else []
    return "runs:" + hashlib.sha256(json.dumps(what).encode()).hexdigest()
