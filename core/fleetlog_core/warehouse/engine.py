"""The engine is one, in process or as a server: its settings for a statement, and what its error codes mean."""

from __future__ import annotations

from fleetlog_core.warehouse.port import (
    Statement,
    TimedOut,
    TooMuchToRead,
    WarehouseRefused,
    WarehouseUnavailable,
)

INSERT_ROWS = 1_000_000
"""The most that are one block whatever the engine's own limits are."""

_TIMEOUTS = {
    159,  # TIMEOUT_EXCEEDED
    160,  # TOO_SLOW
    394,  # QUERY_WAS_CANCELLED
}
_TOO_MUCH = {
    158,  # TOO_MANY_ROWS
}
# A refusal is about the rows or the statement: the materializer sets such a record aside. So whatever a person mends
# at the server (access, quotas, space, a lost keeper) must never be one: it is tried again.
_UNAVAILABLE = {
    3,  # UNEXPECTED_END_OF_FILE
    32,  # ATTEMPT_TO_READ_AFTER_EOF
    81,  # UNKNOWN_DATABASE
    164,  # READONLY
    192,  # UNKNOWN_USER
    193,  # WRONG_PASSWORD
    194,  # REQUIRED_PASSWORD
    201,  # QUOTA_EXCEEDED
    202,  # TOO_MANY_SIMULTANEOUS_QUERIES
    209,  # SOCKET_TIMEOUT
    210,  # NETWORK_ERROR
    225,  # NO_ZOOKEEPER
    236,  # ABORTED
    241,  # MEMORY_LIMIT_EXCEEDED
    242,  # TABLE_IS_READ_ONLY
    243,  # NOT_ENOUGH_SPACE
    252,  # TOO_MANY_PARTS
    279,  # ALL_CONNECTION_TRIES_FAILED
    285,  # TOO_FEW_LIVE_REPLICAS
    286,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
    289,  # REPLICA_IS_NOT_IN_QUORUM
    319,  # UNKNOWN_STATUS_OF_INSERT
    425,  # SYSTEM_ERROR
    497,  # ACCESS_DENIED
    516,  # AUTHENTICATION_FAILED
    999,  # KEEPER_EXCEPTION
}


def error_of(code: int, message: str) -> TimedOut | WarehouseUnavailable | WarehouseRefused:
    """The error of the port for one of the engine."""
    if code in _TIMEOUTS:
        return TimedOut(message)
    if code in _UNAVAILABLE:
        return WarehouseUnavailable(message)
    if code in _TOO_MUCH:
        return TooMuchToRead(message)
    return WarehouseRefused(message)


def select_settings(statement: Statement, timeout_seconds: float) -> dict[str, str]:
    """For a SELECT that may take so long."""
    settings = {
        # Whole seconds are too coarse for deadlines; ClickHouse takes fractions.
        "max_execution_time": f"{max(timeout_seconds, 0.001):.3f}",
        # A set of more ids costs more to look up in an index than the rows that it spares.
        "use_index_for_in_with_subqueries_max_values": "2000",
    }
    if not statement.wide:
        settings["max_threads"] = "1"
    if statement.block_rows:
        settings["max_block_size"] = str(statement.block_rows)
    return settings


def insert_settings(token: str) -> dict[str, str]:
    """For an INSERT of one block."""
    return {
        "insert_deduplication_token": token,
        # One block, one part: atomic, and one place for the token.
        "max_insert_block_size": "2000000",
        "min_insert_block_size_rows": "2000000",
        "min_insert_block_size_bytes": "0",
        "async_insert": "0",
        # More threads are made, and have nothing to do: of a small insert that was a fifth.
        "max_threads": "1",
        # A batch's rows of a table are nearly all distinct: merging them once more took a third of an insert's time.
        "optimize_on_insert": "0",
        "deduplicate_blocks_in_dependent_materialized_views": "1",
        # An insert has no deadline: cut short it would only be sent again.
        "max_execution_time": "0",
    }
