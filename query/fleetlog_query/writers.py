"""Writers of a run, as the materializer knows them: rank, what came of each, and whether it is at work."""

from __future__ import annotations

from fleetlog_core.endings import ENDED, Endings
from fleetlog_core.log.port import EVENTS
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_core.warehouse.schema import RECORD_SPAN
from fleetlog_proto.v1 import writer_pb2

from fleetlog_query.sql.binds import Binds
from fleetlog_query.warehouse.rows import rows_of

NO_RANK = -1


class Writers:
    """Reads the writers of runs."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def page(
        self, namespace: str, run_id: bytes, after: tuple[int, bytes] | None, count: int
    ) -> list[writer_pb2.Writer]:
        """Writers by rank and id, behind such a place."""
        binds = Binds()
        owner = f"namespace = {binds.text(namespace)} AND run_id = {binds.run_id(run_id)}"
        behind = f" AND (rank, writer_id) > ({binds.whole(after[0])}, {binds.run_id(after[1])})" if after else ""
        # Of a run without endings nobody tells.
        sql = (
            "SELECT lower(hex(writer_id)) AS id, rank, ranges, next_offset, at_work,"
            f" ifNull((SELECT any(endings) FROM runs FINAL WHERE {self._home(owner)}), '') AS endings"
            f" FROM writers FINAL WHERE {owner}{behind} ORDER BY rank, writer_id LIMIT {count}"
        )
        names = ("id", "rank", "ranges", "next_offset", "at_work", "endings")
        rows = list(rows_of(self._warehouse.select(binds.statement(sql)), *names))
        times = self._times(run_id, [row[3] - 1 for row in rows])
        return [
            _writer(id_, rank, ranges, state_of(at_work, Endings.parse(endings)), times.get(offset - 1, 0))
            for id_, rank, ranges, offset, at_work, endings in rows
        ]

    @staticmethod
    def _home(owner: str) -> str:
        return f"{owner} AND experiment IN (SELECT experiment FROM run_homes WHERE {owner})"

    def _times(self, run_id: bytes, offsets: list[int]) -> dict[int, int]:
        """When records of the run were taken, by their offsets; those that are not known are left out."""
        if not offsets:
            return {}
        binds = Binds()
        sql = (
            f"SELECT begin, toUnixTimestamp64Milli(max(time)) AS taken FROM log_times"
            f" WHERE topic = {binds.text(EVENTS)} AND span = {RECORD_SPAN}"
            f" AND begin IN (SELECT arrayJoin({binds.wholes(offsets)}))"
            f" AND subject = {binds.run_id(run_id)} GROUP BY begin"
        )
        return dict(rows_of(self._warehouse.select(binds.statement(sql)), "begin", "taken"))


def state_of(since: int, endings: Endings | None) -> writer_pb2.WriterState.ValueType:
    """State of a writer by its time of work, and what its run knows of its writers."""
    if not since or endings is None:
        return writer_pb2.WRITER_STATE_UNSPECIFIED
    if since == ENDED:
        return writer_pb2.WRITER_STATE_ENDED
    if endings.is_at_work(since):
        return writer_pb2.WRITER_STATE_AT_WORK
    return writer_pb2.WRITER_STATE_LOST if endings.is_lost(since) else writer_pb2.WRITER_STATE_SILENT


def counted(ranges: str) -> tuple[int, int]:
    """The highest sequence of inclusive ranges such as "1-7,9", and how many below it are in none."""
    pairs = [part.partition("-") for part in ranges.split(",") if part]
    bounds = [(int(first), int(last or first)) for first, _, last in pairs]
    highest = max((last for _, last in bounds), default=0)
    return highest, highest - sum(last - first + 1 for first, last in bounds)


def _writer(
    id_: str, rank: int, ranges: str, state: writer_pb2.WriterState.ValueType, last_time_millis: int
) -> writer_pb2.Writer:
    highest, missing = counted(ranges)
    return writer_pb2.Writer(
        writer_id=id_,
        rank=None if rank == NO_RANK else rank,
        state=state,
        last_sequence=highest,
        missing_events=missing,
        last_time_millis=last_time_millis,
    )
