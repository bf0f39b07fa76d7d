"""One connection to a ClickHouse server: clickhouse-driver's protocol with this package's columns.

The driver speaks the packets (greeting, settings, bound values, progress, errors, compression); blocks go through
native.py, as for chDB. Its own columns need pandas for numpy, know no UInt256, take texts one by one and strip what
FixedString ends in.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from clickhouse_driver import defines, errors
from clickhouse_driver.block import BlockInfo, RowOrientedBlock
from clickhouse_driver.connection import Connection
from clickhouse_driver.protocol import ServerPacketTypes
from clickhouse_driver.streams.compressed import CompressedBlockInputStream, CompressedBlockOutputStream
from clickhouse_driver.streams.native import BlockInputStream, BlockOutputStream
from clickhouse_driver.varint import read_varint

from fleetlog_core.unavailable import shortage_of
from fleetlog_core.warehouse.clickhouse_settings import ClickHouseSettings
from fleetlog_core.warehouse.engine import EngineError, encoding_error, insert_error, statement_error
from fleetlog_core.warehouse.native import Block, NotReadHere, decode_block, encode_parts, joined
from fleetlog_core.warehouse.port import (
    Answer,
    Bind,
    Column,
    DatabaseMissing,
    TimedOut,
    WarehouseRefused,
    WarehouseUnavailable,
)

UNKNOWN_DATABASE = 81
GRACE_SECONDS = 2.0
"""How much longer than its own limit a statement may take here: the server ends it first, and says so."""
_CLIENT = {
    "use_numpy": False,
    "server_side_params": True,
    "strings_as_bytes": False,
    "strings_encoding": "utf-8",
    "quota_key": "",
    "opentelemetry_traceparent": None,
    "opentelemetry_tracestate": "",
}
# Counters of the server that nobody reads here, two or more packets a statement.
_ALWAYS = {"send_profile_events": "0", "send_logs_level": "none"}


class Wire:
    """One connection, made when it is needed and again when it broke. One thread at a time.

    Every error but a refusal of what was to be written leaves it disconnected: nothing of an old answer is ever
    read as a new one.
    """

    def __init__(self, settings: ClickHouseSettings) -> None:
        self._settings = settings
        self._connection = _connection(settings, settings.database)

    def select(self, sql: str, binds: Mapping[str, Bind], deadline: float, settings: Mapping[str, str]) -> Answer:
        """The answer. TimedOut when `deadline` (time.monotonic) is over, and the server was told to stop."""
        rows_read, bytes_read = 0, 0
        blocks: list[Block] = []
        with self._told(statement_error):
            self._query(sql, binds, settings, max(deadline - time.monotonic(), 0) + GRACE_SECONDS)
            while (packet := self._connection.receive_packet()).type != ServerPacketTypes.END_OF_STREAM:
                if packet.type == ServerPacketTypes.EXCEPTION:
                    raise packet.exception
                if packet.type == ServerPacketTypes.PROGRESS:
                    rows_read += packet.progress.rows
                    bytes_read += packet.progress.bytes
                elif packet.type == ServerPacketTypes.DATA:
                    blocks.append(packet.block)
                if time.monotonic() > deadline + GRACE_SECONDS:
                    self._connection.send_cancel()
                    raise TimedOut("the statement took longer than it was given, and was cancelled")
        columns, rows = joined(blocks)
        return Answer(columns, rows, rows_read, bytes_read)

    def insert(self, sql: str, columns: Mapping[str, Column], settings: Mapping[str, str]) -> None:
        """One block. `sql` names table and columns, without VALUES."""
        wrong: WarehouseRefused | WarehouseUnavailable | None = None
        with self._told(insert_error):
            self._query(f"{sql} VALUES", {}, settings, self._settings.insert_timeout_seconds)
            types = self._types()
            try:
                encoded = _Encoded(encode_parts(columns, types, flagged=True))
            except (KeyError, ValueError) as error:
                wrong = encoding_error(error)
            else:
                self._connection.send_data(encoded)
            self._connection.send_data(RowOrientedBlock())
            self._drain()
        if wrong is not None:
            raise wrong

    def execute(self, sql: str, binds: Mapping[str, Bind], settings: Mapping[str, str]) -> None:
        """Run to the end; answers are dropped."""
        with self._told(statement_error):
            self._query(sql, binds, settings, self._settings.insert_timeout_seconds)
            self._drain()

    def create_database(self) -> None:
        """Make the database that the settings name, unless it is there."""
        other = Wire(self._settings)
        other._connection = _connection(self._settings, "")
        try:
            everywhere = f" ON CLUSTER '{self._settings.cluster}'" if self._settings.cluster else ""
            other.execute(f"CREATE DATABASE IF NOT EXISTS `{self._settings.database}`{everywhere}", {}, {})
        finally:
            other.disconnect()

    def disconnect(self) -> None:
        """Let go of the connection; the next call makes another."""
        self._connection.disconnect()

    def _query(self, sql: str, binds: Mapping[str, Bind], settings: Mapping[str, str], silence: float) -> None:
        connection = self._connection
        connection.context.settings = {**_ALWAYS, **settings}
        connection.sync_request_timeout = min(silence, self._settings.connect_timeout_seconds)
        connection.connect_timeout = connection.send_receive_timeout = connection.sync_request_timeout
        # A ping for one that was idle: a server that restarted costs a reconnect, not an error.
        connection.force_connect()
        if connection.server_info.used_revision < defines.DBMS_MIN_PROTOCOL_VERSION_WITH_PARAMETERS:
            raise WarehouseUnavailable(
                f"{connection.server_info!r} binds no values: ClickHouse 25.8 or newer is needed"
            )
        connection.socket.settimeout(silence)
        connection.send_query(sql, params={name: _bound(value) for name, value in binds.items()})
        connection.send_external_tables([])

    def _types(self) -> dict[str, str]:
        """The types of the columns that the server waits for."""
        while True:
            packet = self._connection.receive_packet()
            if packet.type == ServerPacketTypes.EXCEPTION:
                raise packet.exception
            if packet.type == ServerPacketTypes.DATA:
                block: Block = packet.block
                return block.types
            if packet.type == ServerPacketTypes.END_OF_STREAM:
                raise WarehouseUnavailable("the server asked for no rows")

    def _drain(self) -> None:
        while (packet := self._connection.receive_packet()).type != ServerPacketTypes.END_OF_STREAM:
            if packet.type == ServerPacketTypes.EXCEPTION:
                raise packet.exception

    @contextmanager
    def _told(self, error_of: Callable[[int, str], EngineError]) -> Iterator[None]:
        """Errors of the driver and the server as errors of the port: those with a code as `error_of` has it."""
        try:
            yield
        except BaseException as error:
            self._connection.disconnect()
            where = f"{self._settings.host}:{self._settings.port}"
            if isinstance(error, errors.ServerException):
                message = str(error.message).partition("Stack trace:")[0].strip()
                if error.code == UNKNOWN_DATABASE:
                    raise DatabaseMissing(message) from error
                raise error_of(error.code, f"Code: {error.code}. {message}") from error
            if isinstance(error, (OSError, EOFError, errors.Error)):
                raise WarehouseUnavailable(
                    f"ClickHouse at {where} does not answer: {error!r}", shortage=shortage_of(error)
                ) from error
            if isinstance(error, NotReadHere):
                raise WarehouseRefused(str(error)) from error
            if isinstance(error, (ValueError, LookupError, struct.error, MemoryError, RuntimeError)):
                raise WarehouseUnavailable(
                    f"the talk with ClickHouse at {where} broke off: {error!r}", shortage=shortage_of(error)
                ) from error
            raise


def _bound(value: Bind) -> str | int | float | list[str | int | float]:
    """A bind as the driver takes it: a tuple would become an SQL tuple."""
    if isinstance(value, (str, int, float)):
        return value
    return [*value]


class _Buffer(Protocol):
    def read(self, size_bytes: int) -> bytes: ...
    def read_strings(self, count: int, encoding: str) -> tuple[str | bytes, ...]: ...


class _Source:
    """A Source (native.py) over the driver's buffer."""

    def __init__(self, buffer: _Buffer) -> None:
        self._read = buffer.read
        self._read_strings = buffer.read_strings
        self._buffer = buffer

    def read(self, size_bytes: int) -> bytes:
        return self._read(size_bytes) if size_bytes else b""

    def varint(self) -> int:
        return int(read_varint(self._buffer))

    def texts(self, count: int) -> list[str]:
        # What is not UTF-8 is left as bytes by the driver.
        found = self._read_strings(count, "utf-8")
        return [text if isinstance(text, str) else text.decode("utf-8", "surrogateescape") for text in found]


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A block that is bytes already."""

    parts: list[bytes]


class _In(BlockInputStream):
    def read(self, use_numpy: object = None) -> Block:
        BlockInfo().read(self.fin)
        return decode_block(_Source(self.fin), flagged=True)


class _CompressedIn(CompressedBlockInputStream):
    read = _In.read


def _write(stream: BlockOutputStream, block: _Encoded) -> None:
    BlockInfo().write(stream.fout)
    for part in block.parts:
        stream.fout.write(part)
    stream.finalize()


class _Out(BlockOutputStream):
    def write(self, block: object) -> None:
        _write(self, block) if isinstance(block, _Encoded) else super().write(block)


class _CompressedOut(CompressedBlockOutputStream):
    def write(self, block: object) -> None:
        _write(self, block) if isinstance(block, _Encoded) else super().write(block)


class _Connection(Connection):
    """The driver's, with blocks of our own. Blocks of the server's log stay the driver's."""

    def get_block_in_stream(self) -> BlockInputStream:
        return (_CompressedIn if self.compression else _In)(self.fin, self.context)

    def get_block_out_stream(self) -> BlockOutputStream:
        if self.compression:
            return _CompressedOut(self.compressor_cls, self.compress_block_size, self.fout, self.context)
        return _Out(self.fout, self.context)


def _connection(settings: ClickHouseSettings, database: str) -> _Connection:
    connection = _Connection(
        settings.host,
        settings.port,
        database,
        settings.user,
        settings.password,
        client_name="fleetlog",
        compression="lz4" if settings.compress else False,
        secure=settings.secure,
        ca_certs=None if settings.ca_path is None else str(settings.ca_path),
        tcp_keepalive=(30, 10, 3),
    )
    connection.context.client_settings = _CLIENT
    connection.context.settings = {}
    return connection
