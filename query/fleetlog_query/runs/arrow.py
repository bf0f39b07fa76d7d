"""Blocks of runs as Arrow: one row a run, one column an attribute or key. The only module that knows pyarrow.

    run_id, name, user, state, parent_run_id    string; parent_run_id is null where there is none
    experiment_id                               uint32
    start_time, end_time                        timestamp[ms, UTC]; end_time is null while a run has not ended
    deleted                                     bool
    metrics.KEY                                 float64: the latest value
    params.KEY                                  int64, float64, bool, or string where types are mixed
    tags.KEY                                    string

A key that a run lacks is null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from fleetlog_core import limits
from fleetlog_core.errors import ResourceExhausted
from fleetlog_core.warehouse.port import Array
from fleetlog_core.warehouse.schema import ParamType

from fleetlog_query.language.fields import STATES
from fleetlog_query.runs.run_columns import KeyColumn, RunBlock

MOST_BYTES = limits.PAGE_BYTES
"""Maximum bytes of one stream with more than one run."""
LARGEST_BYTES = limits.RESPONSE_BYTES - 64 * 1024
"""Maximum bytes of one stream with one run: what gRPC lets through, less what else a response holds."""
_STATE_NAMES = [""] * (max(STATES.values()) + 1)
for _name, _number in STATES.items():
    _STATE_NAMES[_number] = _name
_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), "V2")


def streams(block: RunBlock, size: int) -> Iterator[tuple[bytes, int]]:
    """IPC streams of up to `size` runs each, and how many each holds. RUN_TOO_LARGE when not even one run fits."""
    batch = _batch(block)
    first = 0
    while first < block.size:
        count = min(size, block.size - first)
        data = _stream(batch.slice(first, count))
        while len(data) > MOST_BYTES and count > 1:
            count = max(1, min(count // 2, int(count * MOST_BYTES / len(data))))
            data = _stream(batch.slice(first, count))
        if len(data) > LARGEST_BYTES:
            raise ResourceExhausted(
                "RUN_TOO_LARGE",
                f"a run of {len(block.keys):,} keys takes {len(data):,} bytes as Arrow, at most {LARGEST_BYTES:,} can"
                " be sent: name the keys you want in read_mask, or ask for messages",
            )
        yield data, count
        first += count


def _stream(batch: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def _batch(block: RunBlock) -> Any:
    columns = dict(_attributes(block.attributes))
    dictionary = pa.array(block.texts, pa.string())
    for column in block.keys:
        columns[f"{column.kind}.{column.key}"] = _values(column, block, dictionary)
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _attributes(found: Mapping[str, Array | list[str]]) -> Iterator[tuple[str, Any]]:
    ends, parents = np.asarray(found["end_millis"]), np.asarray(found["parent_run_id"])
    without = np.logical_not(np.ascontiguousarray(parents).view(np.uint64).reshape(-1, 2).any(axis=1))
    stamp = pa.timestamp("ms", "UTC")
    yield "run_id", _hexadecimal(np.asarray(found["run_id"]), None)
    yield "name", pa.array(found["name"], pa.string())
    yield "state", pa.array(_STATE_NAMES, pa.string()).take(pa.array(found["state"]))
    yield "user", pa.array(found["user"], pa.string())
    yield "experiment_id", pa.array(found["experiment"])
    yield "start_time", pa.array(found["start_millis"], pa.int64()).cast(stamp)
    yield "end_time", pa.array(ends, pa.int64(), mask=ends == 0).cast(stamp)
    yield "parent_run_id", _hexadecimal(parents, without)
    yield "deleted", pa.array(np.asarray(found["deleted"]) != 0)


def _hexadecimal(ids: Array, without: Array | None) -> Any:
    """Ids of 16 bytes as text, without a text for each."""
    digits = _HEX[np.ascontiguousarray(ids).view(np.uint8)].tobytes()
    offsets = np.arange(len(ids) + 1, dtype=np.int32) * 32
    text = pa.Array.from_buffers(pa.string(), len(ids), [None, pa.py_buffer(offsets), pa.py_buffer(digits)])
    if without is None or not without.any():
        return text
    return text.take(pa.array(np.arange(len(ids), dtype=np.int32), mask=without))


def _values(column: KeyColumn, block: RunBlock, dictionary: Any) -> Any:
    if column.kind == "metrics":
        return _numbers(column.numbers, column, block.size)
    if column.kind == "params":
        types = set(np.flatnonzero(np.bincount(column.types)).tolist())
        if types == {ParamType.WHOLE}:
            return _numbers(_wholes(column, block), column, block.size)
        if types <= {ParamType.WHOLE, ParamType.REAL}:
            return _numbers(column.numbers, column, block.size)
        if types == {ParamType.TRUTH}:
            truths = np.array([text == "true" for text in block.texts])
            return _spread(truths[column.texts], column, block.size)
        if types & {ParamType.WHOLE, ParamType.REAL}:
            return _spread_texts(_mixed(column, block), column, block.size)
    return dictionary.take(_spread(column.texts, column, block.size))


def _numbers(values: npt.NDArray[Any], column: KeyColumn, size: int) -> Any:
    """A number for each run that has one, from the arrays as they are."""
    if len(column.places) == size:
        whole = np.empty_like(values)
        whole[column.places] = values
        return pa.array(whole)
    return _spread(values, column, size)


def _spread(values: npt.NDArray[Any], column: KeyColumn, size: int) -> Any:
    """Values of the runs that have the key at their places, null at the others."""
    spread, lacking = np.zeros(size, values.dtype), np.ones(size, np.bool_)
    spread[column.places] = values
    lacking[column.places] = False
    return pa.array(spread, mask=lacking)


def _wholes(column: KeyColumn, block: RunBlock) -> npt.NDArray[np.int64]:
    """Whole params. Beyond 2^53 the number is not exact, and the text is there."""
    texts = np.array([text != "" for text in block.texts])[column.texts]
    if not texts.any():
        return column.numbers.astype(np.int64)
    wholes = np.where(texts, 0.0, column.numbers).astype(np.int64)
    for place in np.flatnonzero(texts).tolist():
        wholes[place] = int(block.texts[column.texts[place]])
    return wholes


def _mixed(column: KeyColumn, block: RunBlock) -> list[str]:
    """Canonical texts of values of several types."""
    return [
        block.texts[text]
        or (str(int(number)) if type_ == ParamType.WHOLE else repr(number) if type_ == ParamType.REAL else "")
        for number, type_, text in zip(
            column.numbers.tolist(), column.types.tolist(), column.texts.tolist(), strict=True
        )
    ]


def _spread_texts(texts: list[str], column: KeyColumn, size: int) -> Any:
    spread: list[str | None] = [None] * size
    for place, text in zip(column.places.tolist(), texts, strict=True):
        spread[place] = text
    return pa.array(spread, pa.string())
