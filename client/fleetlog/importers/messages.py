"""Protobuf messages of other trackers' files, by the few fields of theirs that are read.

They are described in Python and kept in a pool of their own: nothing that is generated, and no name that the tracker's
own library would register a second time in the same process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

Field = tuple[int, str, str]
"""Number, name and type: a scalar type of protobuf, or the name of another message; `[]` behind it where it repeats."""

_SCALARS = {
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "float": descriptor_pb2.FieldDescriptorProto.TYPE_FLOAT,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "uint64": descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "uint32": descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
}


def message_classes(package: str, messages: Mapping[str, Sequence[Field]]) -> Mapping[str, Any]:
    """Classes of the messages, by name.

    Texts are `bytes`: what is not UTF-8 in one of them is then a question of that text, not of the whole message.
    """
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto2")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for number, field, kind in fields:
            repeated, kind = kind.endswith("[]"), kind.removesuffix("[]")
            described = message.field.add(
                number=number,
                name=field,
                label=(
                    descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
                    if repeated
                    else descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
                ),
            )
            if kind in _SCALARS:
                described.type = _SCALARS[kind]
            else:
                described.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
                described.type_name = f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}


def text_of(content: bytes) -> str:
    """Text of the bytes; what is not UTF-8 in them becomes replacement characters."""
    return content.decode("utf-8", "replace")
