"""The engine is one, in process or as a server: its settings for a statement, and what its error codes mean."""

from __future__ import annotations

import errno
import re
from collections.abc import Collection

from fleetlog_core.unavailable import words_of_errno
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
    735,  # QUERY_WAS_CANCELLED_BY_CLIENT
}
_TOO_MUCH = {
    158,  # TOO_MANY_ROWS
}
# A record whose rows are refused is set aside, so these speak of a value of a row, whatever the machine, the schema and
# the settings are. Left out on purpose: tables and columns that are not there (a deployment that is not finished), and
# what also tells of damaged files or cut-off reads (INCORRECT_DATA, CANNOT_READ_ALL_DATA, BAD_ARGUMENTS).
_OF_A_ROW = {
    6,  # CANNOT_PARSE_TEXT
    25,  # CANNOT_PARSE_ESCAPE_SEQUENCE
    26,  # CANNOT_PARSE_QUOTED_STRING
    38,  # CANNOT_PARSE_DATE
    41,  # CANNOT_PARSE_DATETIME
    69,  # ARGUMENT_OUT_OF_BOUND
    72,  # CANNOT_PARSE_NUMBER
    128,  # TOO_LARGE_ARRAY_SIZE
    131,  # TOO_LARGE_STRING_SIZE
    153,  # ILLEGAL_DIVISION
    321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
    349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
    376,  # CANNOT_PARSE_UUID
    395,  # FUNCTION_THROW_IF_VALUE_IS_NON_ZERO
    407,  # DECIMAL_OVERFLOW
    467,  # CANNOT_PARSE_BOOL
    469,  # VIOLATED_CONSTRAINT
    675,  # CANNOT_PARSE_IPV4
    676,  # CANNOT_PARSE_IPV6
    691,  # UNKNOWN_ELEMENT_OF_ENUM
    760,  # UNICODE_ERROR
}
# What can't be read, analyzed or bound, or is too large or too deep, whoever asks and whenever.
_OF_A_STATEMENT = _OF_A_ROW | {
    1,  # UNSUPPORTED_METHOD
    2,  # UNSUPPORTED_PARAMETER
    7,  # INCORRECT_NUMBER_OF_COLUMNS
    8,  # THERE_IS_NO_COLUMN
    15,  # DUPLICATE_COLUMN
    16,  # NO_SUCH_COLUMN_IN_TABLE
    20,  # NUMBER_OF_COLUMNS_DOESNT_MATCH
    27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
    34,  # TOO_MANY_ARGUMENTS_FOR_FUNCTION
    35,  # TOO_FEW_ARGUMENTS_FOR_FUNCTION
    36,  # BAD_ARGUMENTS
    37,  # UNKNOWN_ELEMENT_IN_AST
    42,  # NUMBER_OF_ARGUMENTS_DOESNT_MATCH
    43,  # ILLEGAL_TYPE_OF_ARGUMENT
    44,  # ILLEGAL_COLUMN
    46,  # UNKNOWN_FUNCTION
    47,  # UNKNOWN_IDENTIFIER
    48,  # NOT_IMPLEMENTED
    50,  # UNKNOWN_TYPE
    51,  # EMPTY_LIST_OF_COLUMNS_QUERIED
    52,  # COLUMN_QUERIED_MORE_THAN_ONCE
    53,  # TYPE_MISMATCH
    57,  # TABLE_ALREADY_EXISTS
    59,  # ILLEGAL_TYPE_OF_COLUMN_FOR_FILTER
    60,  # UNKNOWN_TABLE
    62,  # SYNTAX_ERROR
    63,  # UNKNOWN_AGGREGATE_FUNCTION
    70,  # CANNOT_CONVERT_TYPE
    73,  # UNKNOWN_FORMAT
    78,  # UNKNOWN_TYPE_OF_QUERY
    80,  # INCORRECT_QUERY
    115,  # UNKNOWN_SETTING
    124,  # INCORRECT_ELEMENT_OF_SET
    125,  # INCORRECT_RESULT_OF_SCALAR_SUBQUERY
    127,  # ILLEGAL_INDEX
    133,  # AGGREGATE_FUNCTION_DOESNT_ALLOW_PARAMETERS
    134,  # PARAMETERS_TO_AGGREGATE_FUNCTIONS_MUST_BE_LITERALS
    135,  # ZERO_ARRAY_OR_TUPLE_INDEX
    161,  # TOO_MANY_COLUMNS
    162,  # TOO_DEEP_SUBQUERIES
    165,  # TOO_MANY_TEMPORARY_COLUMNS
    167,  # TOO_DEEP_AST
    168,  # TOO_BIG_AST
    169,  # BAD_TYPE_OF_FIELD
    174,  # CYCLIC_ALIASES
    179,  # MULTIPLE_EXPRESSIONS_FOR_ALIAS
    181,  # ILLEGAL_FINAL
    182,  # ILLEGAL_PREWHERE
    183,  # UNEXPECTED_EXPRESSION
    184,  # ILLEGAL_AGGREGATION
    190,  # SIZES_OF_ARRAYS_DONT_MATCH
    191,  # SET_SIZE_LIMIT_EXCEEDED
    206,  # ALIAS_REQUIRED
    207,  # AMBIGUOUS_IDENTIFIER
    211,  # EMPTY_QUERY
    215,  # NOT_AN_AGGREGATE
    223,  # UNEXPECTED_AST_STRUCTURE
    229,  # QUERY_IS_TOO_LARGE
    258,  # UNION_ALL_RESULT_STRUCTURES_MISMATCH
    290,  # LIMIT_EXCEEDED
    306,  # TOO_DEEP_RECURSION
    307,  # TOO_MANY_BYTES
    344,  # SUPPORT_IS_DISABLED
    352,  # AMBIGUOUS_COLUMN_NAME
    377,  # ILLEGAL_SYNTAX_FOR_DATA_TYPE
    386,  # NO_COMMON_TYPE
    396,  # TOO_MANY_ROWS_OR_BYTES
    403,  # INVALID_JOIN_ON_EXPRESSION
    427,  # CANNOT_COMPILE_REGEXP
    440,  # INVALID_LIMIT_EXPRESSION
    446,  # FUNCTION_NOT_ALLOWED
    452,  # SETTING_CONSTRAINT_VIOLATION
    456,  # UNKNOWN_QUERY_PARAMETER
    457,  # BAD_QUERY_PARAMETER
    471,  # INVALID_SETTING_VALUE
}
_SHORTAGES = {
    173: errno.ENOMEM,  # CANNOT_ALLOCATE_MEMORY
    241: errno.ENOMEM,  # MEMORY_LIMIT_EXCEEDED
    243: errno.ENOSPC,  # NOT_ENOUGH_SPACE
    439: errno.EAGAIN,  # CANNOT_SCHEDULE_TASK
}
_ERRNO = re.compile(r", errno: (\d{1,4}), strerror: ")
EngineError = TimedOut | WarehouseUnavailable | WarehouseRefused


def insert_error(code: int, message: str) -> EngineError:
    """The error of the port for one of the engine at an INSERT. `code` is 0 when the engine gave none."""
    return _error_of(code, message, _OF_A_ROW)


def statement_error(code: int, message: str) -> EngineError:
    """The error of the port for one of the engine at any other statement. `code` is 0 when the engine gave none."""
    return _error_of(code, message, _OF_A_STATEMENT)


def encoding_error(error: KeyError | ValueError) -> WarehouseRefused | WarehouseUnavailable:
    """The error of the port for columns that could not be made into a block.

    A text that is no Unicode is a value of a row. Columns of another name or type than the table's are not: they fit
    when both are of one version.
    """
    if isinstance(error, UnicodeError):
        return WarehouseRefused(str(error))
    return WarehouseUnavailable(f"they don't fit the table: {error}", shortage="its tables are of another version")


def _error_of(code: int, message: str, refusals: Collection[int]) -> EngineError:
    if code in _TIMEOUTS:
        return TimedOut(message)
    if code in _TOO_MUCH:
        return TooMuchToRead(message)
    if code in refusals:
        return WarehouseRefused(message)
    said = _ERRNO.search(message)
    number = int(said[1]) if said else _SHORTAGES.get(code, 0)
    return WarehouseUnavailable(message, shortage=words_of_errno(number))


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
    elif statement.threads:
        settings["max_threads"] = str(statement.threads)
    if statement.block_rows:
        settings["max_block_size"] = str(statement.block_rows)
    if statement.mark:
        # Comments are lost from the text that the engine shows, as soon as values are bound.
        settings["log_comment"] = statement.mark
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
