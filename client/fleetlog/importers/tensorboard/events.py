"""Events of TensorBoard's files, one by one: those that are more than a few scalars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from fleetlog.importers.messages import message_classes, text_of

START = 1
"""Status of a session's log where a session begins."""

_MESSAGES = message_classes(
    "fleetlog.importers.tensorboard",
    {
        "Event": [
            (1, "wall_time", "double"), (2, "step", "int64"), (3, "file_version", "bytes"), (4, "graph_def", "bytes"),
            (5, "summary", "Summary"), (6, "log_message", "bytes"), (7, "session_log", "SessionLog"),
            (8, "tagged_run_metadata", "TaggedRunMetadata"), (9, "meta_graph_def", "bytes"),
        ],
        "SessionLog": [(1, "status", "int32")],
        "TaggedRunMetadata": [(1, "tag", "bytes"), (2, "run_metadata", "bytes")],
        "Summary": [(1, "value", "Value[]")],
        "Value": [
            (1, "tag", "bytes"), (2, "simple_value", "float"), (4, "image", "Image"), (5, "histo", "Histogram"),
            (6, "audio", "Audio"), (7, "node_name", "bytes"), (8, "tensor", "Tensor"), (9, "metadata", "Metadata"),
        ],
        "Image": [(1, "height", "int32"), (2, "width", "int32"), (4, "encoded_image_string", "bytes")],
        "Audio": [(1, "sample_rate", "float"), (4, "encoded_audio_string", "bytes"), (5, "content_type", "bytes")],
        "Histogram": [
            (1, "min", "double"), (2, "max", "double"), (3, "num", "double"), (4, "sum", "double"),
            (5, "sum_squares", "double"), (6, "bucket_limit", "double[]"), (7, "bucket", "double[]"),
        ],
        "Metadata": [(1, "plugin_data", "PluginData")],
        "PluginData": [(1, "plugin_name", "bytes"), (2, "content", "bytes")],
        "Tensor": [
            (1, "dtype", "int32"), (2, "tensor_shape", "Shape"), (4, "tensor_content", "bytes"),
            (5, "float_val", "float[]"), (6, "double_val", "double[]"), (7, "int_val", "int32[]"),
            (8, "string_val", "bytes[]"),
            (10, "int64_val", "int64[]"), (11, "bool_val", "bool[]"), (13, "half_val", "int32[]"),
            (16, "uint32_val", "uint32[]"), (17, "uint64_val", "uint64[]"),
        ],
        "Shape": [(2, "dim", "Dimension[]")],
        "Dimension": [(1, "size", "int64")],
    },
)  # fmt: skip

_STRING, _BFLOAT16 = 7, 14
_ELEMENTS: dict[int, tuple[str, str]] = {
    1: ("<f4", "float_val"), 2: ("<f8", "double_val"), 3: ("<i4", "int_val"), 4: ("<u1", "int_val"),
    5: ("<i2", "int_val"), 6: ("<i1", "int_val"), 9: ("<i8", "int64_val"), 10: ("<?", "bool_val"),
    _BFLOAT16: ("<u2", "half_val"), 17: ("<u2", "int_val"), 19: ("<f2", "half_val"), 22: ("<u4", "uint32_val"),
    23: ("<u8", "uint64_val"),
}  # fmt: skip
"""Element types of tensors: how numpy names them in `tensor_content`, and the field that has them otherwise."""


def event_of(record: bytes) -> Any | None:
    """The event of a record; None for what is no event."""
    try:
        return _MESSAGES["Event"].FromString(record)
    except DecodeError:
        return None


def scalar_of(value: Any) -> float | None:
    """The number of a value that is one scalar; None for every other one."""
    if value.HasField("simple_value"):
        return float(value.simple_value)
    if value.HasField("tensor") and not value.tensor.tensor_shape.dim and value.tensor.dtype in _ELEMENTS:
        numbers = numbers_of(value.tensor)
        if numbers is not None and numbers.size == 1:
            return float(numbers.reshape(-1)[0])
    return None


def scalars_in(event: Any) -> Iterator[tuple[bytes, float]]:
    """Tags and numbers of the scalars of an event."""
    for value in event.summary.value:
        number = scalar_of(value)
        if number is not None:
            yield value.tag or value.node_name, number


def numbers_of(tensor: Any) -> Any | None:
    """A tensor's numbers as an array of its shape; None where it has no numbers, or not as many as its shape says."""
    if tensor.dtype not in _ELEMENTS:
        return None
    kind, field = _ELEMENTS[tensor.dtype]
    if tensor.tensor_content:
        if len(tensor.tensor_content) % np.dtype(kind).itemsize:
            return None
        found = np.frombuffer(tensor.tensor_content, kind)
    else:
        listed = getattr(tensor, field)
        found = np.array(listed, "<u2").view(kind) if field == "half_val" else np.array(listed).astype(kind)
    if tensor.dtype == _BFLOAT16:
        found = (found.astype("<u4") << np.uint32(16)).view("<f4")
    shape = [dimension.size for dimension in tensor.tensor_shape.dim]
    if any(size < 0 for size in shape) or not shape:
        return found
    count = int(np.prod(shape, dtype=object))
    if len(found) == 1 and 1 < count <= len(tensor.tensor_content) + 1_000_000:
        found = np.repeat(found, count)  # one number stands for all of them
    return found.reshape(shape) if len(found) == count else None


def texts_of(tensor: Any) -> list[bytes]:
    """A tensor's byte strings."""
    return list(tensor.string_val) if tensor.dtype == _STRING else []


def tag_of(value: Any) -> str:
    """The value's tag."""
    return text_of(value.tag or value.node_name)


def plugin_of(value: Any) -> str:
    """Name of TensorBoard's plugin that shows the value, where the event says it."""
    return text_of(value.metadata.plugin_data.plugin_name)
