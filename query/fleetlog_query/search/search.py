"""SearchRuns' core: which runs, in which order, a page at a time; all pages as of where the first one found the log.

A first page is not kept waiting: it shows runs as they are. The pages behind it are cut from the order as of its
position (see order/orders). Runs that changed while the first page was read may be on it with values of afterwards;
the token names them, so that each run comes once.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from fleetlog_core import limits
from fleetlog_core.errors import FailedPrecondition
from fleetlog_proto.v1 import query_pb2, run_pb2, scope_pb2

from fleetlog_query.changes.changed_runs import ChangedRuns
from fleetlog_query.changes.position import AppliedPositions
from fleetlog_query.language.plan import plan_of
from fleetlog_query.order.orders import Orders
from fleetlog_query.order.page_reader import PageReader
from fleetlog_query.order.run_order import FirstPage, RunOrder
from fleetlog_query.pages.page import PageQuery
from fleetlog_query.search.documents import PageDocuments
from fleetlog_query.search.token import PageTokens, SearchToken, check_page_size
from fleetlog_query.sql.as_of import AsOf
from fleetlog_query.sql.branches import Branches
from fleetlog_query.sql.order_by import parse_order
from fleetlog_query.sql.scope import Scope

DEFAULT_PAGE = 100
TOTAL_AT_LEAST = 10_000
"""Maximum up to which an "at least" count is the count."""
UNSETTLED = 100
"""Maximum runs that may have changed while a first page was read; with more it is read as of its position instead."""


@dataclass(frozen=True)
class Search:
    """Search that is asked for: see SearchRunsRequest."""

    namespace: str
    experiments: tuple[int, ...]
    filter: str = ""
    order_by: tuple[str, ...] = ()
    page_size: int = 0
    deleted_view: int = scope_pb2.DELETED_VIEW_ACTIVE
    total_count: int = query_pb2.TOTAL_COUNT_NONE
    asked: tuple[int | str, ...] | None = None
    """Experiments as the request said them. Tokens belong to that, and not to what it came to: an experiment that is
    made between two pages is no reason to refuse the second."""
    as_of: AsOf | None = None
    """Position as of which everything is read, since the request says so; a later page has it from its token."""
    asked_as_of: bytes = b""
    """Position as the request said it: tokens belong to that."""
    now_millis: float | None = None
    """Unix milliseconds that now() is; None = what the clock says."""
    token: SearchToken | None = None
    """Token where to go on; None = at the beginning."""

    @property
    def purpose(self) -> str:
        """Purpose that a token belongs to: everything of the search but the page."""
        where = self.experiments if self.asked is None else self.asked
        what = [self.namespace, where, self.filter, self.order_by, self.deleted_view, self.asked_as_of.hex()]
        return "runs:" + hashlib.sha256(json.dumps(what).encode()).hexdigest()

    @property
    def is_of_token(self) -> bool:
        """True if it looks in the experiments that its token is of."""
        return self.token is None or self.token.experiments == _digest(self.experiments)


@dataclass(frozen=True)
class SearchPage:
    """Runs in order, with their attributes alone."""

    runs: list[run_pb2.Run]
    token_behind: Callable[[int], str]
    """The token of what comes behind the first so many of the runs."""
    is_last: bool
    query: PageQuery
    as_of: AsOf | None = None
    """Position that it shows runs as of; None = as they are."""
    total: Total | None = None

    @property
    def next_page_token(self) -> str:
        """The token of the page that follows, "" at the end."""
        return "" if self.is_last else self.token_behind(len(self.runs))

    def cut(self, count: int) -> SearchPage:
        """The page with fewer runs."""
        return replace(self, runs=self.runs[:count], is_last=self.is_last and count >= len(self.runs))


@dataclass(frozen=True)
class Total:
    """Count of runs that match, or a lower bound of it."""

    count: int
    is_lower_bound: bool = False


@dataclass(frozen=True)
class SearchOrder:
    """All runs of a search from `first` on; `token_behind`: the token of what comes behind a place of the order."""

    order: RunOrder
    first: int
    token_behind: Callable[[int], str]


class Searcher:
    """Compiles searches and runs them."""

    def __init__(
        self,
        token_keys: Sequence[bytes],
        positions: AppliedPositions,
        changed_runs: ChangedRuns,
        reader: PageReader,
        documents: PageDocuments,
        branches: Branches,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._branches = branches
        self._tokens = PageTokens(token_keys)
        self._positions = positions
        self._changed_runs = changed_runs
        self._reader = reader
        self._orders = Orders(reader)
        self._documents = documents

    def going_on(self, search: Search, page_token: str) -> Search:
        """The search behind a token; "" = from its beginning. PAGE_TOKEN_INVALID."""
        if not page_token:
            return search
        return replace(search, token=SearchToken.of(self._tokens.read(search.purpose, page_token)))

    def search(self, search: Search) -> SearchPage:
        """One page. InvalidArgument for a filter or an order that is wrong; FailedPrecondition for a token of pages
        that can't go on; TimedOut, TooMuchToRead.
        """
        query, moment = self._query(search)
        counted = search.total_count not in (query_pb2.TOTAL_COUNT_UNSPECIFIED, query_pb2.TOTAL_COUNT_NONE)
        if not search.experiments:
            return SearchPage([], lambda _: "", True, query, total=Total(0) if counted else None)
        page = None
        if search.token is None and search.as_of is None:
            page = self._first_page(search, query, moment)
        if page is None:
            page = self._page(search, query, moment)
        if not counted:
            return page
        if page.is_last and search.token is None:
            return replace(page, total=Total(len(page.runs)))
        is_exact = search.total_count == query_pb2.TOTAL_COUNT_EXACT
        return replace(page, total=self._total(query, is_exact))

    def foremost(self, search: Search) -> list[run_pb2.Run]:
        """The runs of a first page behind which nobody asks for another: it may be of more than one moment."""
        query, _ = self._query(search)
        return self._reader.page(query)[: query.size] if search.experiments else []

    def order(self, search: Search) -> SearchOrder | None:
        """All runs, as of one position; None for none. Raises as `search`."""
        query, moment = self._query(search)
        if not search.experiments:
            return None
        token = self._token(search, moment)
        order = self._order(search, token, query, None)
        return SearchOrder(order, token.place, self._behind(search, replace(token, place=0)))

    def _query(self, search: Search) -> tuple[PageQuery, float]:
        """The search, not yet run, and what now() means: on later pages what it meant on the first."""
        size = check_page_size(search.page_size, DEFAULT_PAGE, limits.PAGE_SIZE)
        now = self._clock() * 1000 if search.now_millis is None else search.now_millis
        moment = now if search.token is None else search.token.moment
        keys, plan = parse_order(search.order_by, moment), plan_of(search.filter, moment)
        scope = Scope(search.namespace, search.experiments, as_of=search.as_of, branches=self._branches)
        return PageQuery(scope, plan, keys, size, search.deleted_view), moment

    def _first_page(self, search: Search, query: PageQuery, moment: float) -> SearchPage | None:
        """Page of the runs as they are; None when more changed meanwhile than the token may name."""
        position = self._positions.now()
        runs = self._reader.page(query)
        is_last = len(runs) <= query.size
        changed = None if is_last else self._changed_runs.since(query.scope, position)
        if not is_last and (changed is None or len(changed) > UNSETTLED):
            return None
        token = SearchToken(moment, position, 0, _digest(search.experiments))

        def token_behind(count: int) -> str:
            # No page follows the last one, unless it is cut.
            unsettled = self._changed_runs.since(query.scope, position) if changed is None else changed
            if unsettled == {}:
                return self._behind(search, token)(count)
            return self._behind(search, replace(token, first=_first(runs[:count], unsettled)))(0)

        return SearchPage(runs[: query.size], token_behind, is_last, query)

    def _page(self, search: Search, query: PageQuery, moment: float) -> SearchPage:
        token = self._token(search, moment)
        end = token.place + query.size
        order = self._order(search, token, query, end + 1)
        ids = order.part(token.place, query.size)
        runs = self._documents.attributes(query.scope, ids, token.position)
        return SearchPage(runs, self._behind(search, token), len(order) <= end, query, token.position)

    def _order(self, search: Search, token: SearchToken, query: PageQuery, count: int | None) -> RunOrder:
        name = search.purpose, token.experiments, token.moment
        return self._orders.as_of(token.position, query, name, count, token.first)

    def _token(self, search: Search, moment: float) -> SearchToken:
        """Token where a search begins or goes on. PAGE_TOKEN_OUT_OF_DATE."""
        token, experiments = search.token, _digest(search.experiments)
        if search.as_of is not None:
            return token or SearchToken(moment, search.as_of, 0, experiments)
        now = self._positions.now()
        if token is None:
            return SearchToken(moment, now, 0, experiments)
        if not search.is_of_token:
            raise _out_of_date("the experiments that it looks in are others now")
        if len(token.position.events) != len(now.events):
            raise _out_of_date("the log has been cut into another number of partitions")
        if any(here < there for here, there in zip(now.events, token.position.events, strict=True)):
            raise _out_of_date("the tables do not hold all that the first page did; they are being rebuilt")
        return token

    def _behind(self, search: Search, token: SearchToken) -> Callable[[int], str]:
        purpose = search.purpose
        return lambda count: self._tokens.make(purpose, replace(token, place=token.place + count).values())

    def _total(self, query: PageQuery, exact: bool) -> Total:
        count = self._reader.count(query, None if exact else TOTAL_AT_LEAST + 1)
        bounded = not exact and count > TOTAL_AT_LEAST
        return Total(TOTAL_AT_LEAST if bounded else count, bounded)


def _first(shown: Sequence[run_pb2.Run], changed: Mapping[bytes, int] | None) -> FirstPage:
    """None = nobody knows what changed: any of those that are shown may have."""
    ids = {bytes.fromhex(run.run_id) for run in shown}
    unsettled = ids if changed is None else changed.keys()
    return FirstPage(len(ids - unsettled), frozenset(ids & unsettled), frozenset(unsettled - ids))


def _out_of_date(why: str) -> FailedPrecondition:
    return FailedPrecondition("PAGE_TOKEN_OUT_OF_DATE", f"page_token: {why}; begin without one")


def _digest(experiments: Sequence[int]) -> str:
    return hashlib.sha256(json.dumps(list(experiments)).encode()).hexdigest()[:16]
