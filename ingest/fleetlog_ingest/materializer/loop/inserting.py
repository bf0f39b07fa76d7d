"""Rows of a batch into the warehouse's tables, each insert with a token that makes a repeat of it harmless."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait

from fleetlog_core.log.port import Fenced
from fleetlog_core.serving.traces import ContextThreads
from fleetlog_core.threads import start_threads
from fleetlog_core.warehouse.port import Warehouse, WarehouseRefused

from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_ingest.materializer.fold.result import DeadLetter, Folded
from fleetlog_ingest.materializer.fold.state import State
from fleetlog_ingest.materializer.fold.tables import (
    FIRST,
    LANES,
    OF_THE_STORE,
    ROWS_PER_INSERT,
    Columns,
    piece,
    rows_in,
)
from fleetlog_ingest.materializer.loop.pieces import Batch, Pieces
from fleetlog_ingest.materializer.loop.retrying import Retrying

STAY_SECONDS = 5.0
"""How often it is heard of while only the thread beside it works."""


class Inserter:
    """Inserts tables. Used by one thread, and has another that inserts beside it.

    `bury` takes the letters of records that the warehouse refused. `stay` is called while only the thread beside works.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        epoch: str,
        retrying: Retrying,
        bury: Callable[[Sequence[DeadLetter]], None],
        stay: Callable[[], None],
    ) -> None:
        self._warehouse = warehouse
        self._epoch = epoch
        self._retrying = retrying
        self._bury = bury
        self._stay = stay
        self._beside = ContextThreads(1, "inserts")
        start_threads(self._beside, 1)

    def close(self) -> None:
        """Let the thread go. Idempotent."""
        self._beside.shutdown()

    def insert_all(self, pieces: Pieces, folded: Folded, times: Columns) -> Folded:
        """Insert its rows, and those of `log_times`. Answers with what is in: without records that were refused."""
        done = set[str]()
        self._insert_lane([table for table in FIRST if table in folded.tables], folded, pieces, done)
        here, there = ([table for table in lane if table in folded.tables] for lane in LANES)
        beside = self._beside.submit(self._insert_lane, there, folded, pieces, done) if here and there else None
        try:
            self._insert_lane(here if beside else [*here, *there], folded, pieces, done)
        finally:
            if beside is not None:
                self._await(beside)
        if beside is not None:
            beside.result()
        beside = self._beside.submit(self.insert, "log_times", times, pieces.batch)
        try:
            folded = self._insert_left(pieces, folded, done)
        finally:
            self._await(beside)
        beside.result()
        return folded

    def _insert_left(self, pieces: Pieces, folded: Folded, done: set[str]) -> Folded:
        """What is not done yet: the last tables, and those of which rows were refused."""
        while left := [table for table in folded.tables if table not in done]:
            table = left[0]
            try:
                self._insert_of(pieces, table, folded.tables[table])
            except WarehouseRefused:
                if table == "writers":
                    raise
                folded = self._without_refused(pieces, table)
            done.add(table)
        return folded

    def insert_beside(self, tables: Sequence[str], columns: Mapping[str, Columns], batch: Batch) -> None:
        """Insert these tables two at a time, in any order. WarehouseRefused."""

        def insert(some: Sequence[str]) -> None:
            for table in some:
                self.insert(table, columns[table], batch)

        here, there = tables[::2], tables[1::2]
        beside = self._beside.submit(insert, there) if there else None
        try:
            insert(here)
        finally:
            if beside is not None:
                self._await(beside)
        if beside is not None:
            beside.result()

    def _await(self, beside: Future[None]) -> None:
        """Whatever happened here: of a batch that is done again nothing is still on its way."""
        left: Fenced | None = None
        while wait([beside], STAY_SECONDS).not_done:
            try:
                self._stay()
            except Fenced as error:
                left = error
        if left is not None:
            raise left

    def _insert_lane(self, tables: Sequence[str], folded: Folded, pieces: Pieces, done: set[str]) -> None:
        """One table after another, as far as none is refused."""
        for table in tables:
            try:
                self._insert_of(pieces, table, folded.tables[table])
            except WarehouseRefused:
                return
            done.add(table)

    def _without_refused(self, pieces: Pieces, table: str) -> Folded:
        """The warehouse refused rows of the table: find the records that they come from, and leave those out.

        Halves of the batch are tried one by one, each with a token of its own, so that a repeat finds the same. Rows
        that the bad record already has in other tables stay. Answers with the batch as it is without them.
        """
        refused = self._try_pieces(pieces, table, pieces.batch.records, pieces.state)
        pieces.refused.update(refused)
        folded = pieces.fold()
        self._bury([letter for letter in folded.dead if letter.record.offset in refused])
        return folded

    def _try_pieces(self, pieces: Pieces, table: str, records: Sequence[Decoded], state: State) -> dict[int, str]:
        folded = pieces.fold_some(records, state)
        if table not in folded.tables:
            return {}
        first, last = records[0].record.offset, records[-1].record.offset
        try:
            self._insert_of(pieces, table, folded.tables[table], f"/{first}-{last}")
        except WarehouseRefused as error:
            if len(records) == 1:
                return {first: f"the warehouse can't hold a row of it in {table} ({type(error).__name__})"}
        else:
            return {}
        middle = len(records) // 2
        left, right = records[:middle], records[middle:]
        refused = self._try_pieces(pieces, table, left, state)
        pieces.refused.update(refused)
        after = state.after(pieces.fold_some(left, state).changes)
        return {**refused, **self._try_pieces(pieces, table, right, after)}

    def _insert_of(self, pieces: Pieces, table: str, columns: Columns, suffix: str = "") -> None:
        answers = pieces.stored_token() if table in OF_THE_STORE else ""
        self.insert(table, columns, pieces.batch, suffix + answers)

    def insert(self, table: str, columns: Columns, batch: Batch, suffix: str = "") -> None:
        """Insert the table's rows of the batch; `suffix`: tokens unlike others of the batch. WarehouseRefused."""
        partition = batch.partition
        token = f"{self._epoch}:{partition.topic}:{partition.number}:{batch.first}-{batch.last}{suffix}"
        rows = rows_in(columns)
        if rows <= ROWS_PER_INSERT:
            self._retrying.call(lambda: self._warehouse.insert(table, columns, token))
            return
        for number, place in enumerate(range(0, rows, ROWS_PER_INSERT)):
            part, name = piece(columns, place, place + ROWS_PER_INSERT), f"{token}:{number}"
            self._insert_part(table, part, name)

    def _insert_part(self, table: str, columns: Columns, token: str) -> None:
        self._retrying.call(lambda: self._warehouse.insert(table, columns, token))
