"""Writes OpenAPI 3.1 of the contract: every call over HTTP in protobuf's JSON, with the comments of the protos.

    python protos/openapi.py IMAGE TARGET     IMAGE is what `protoc --include_source_info` writes

Called by tool.py, which commits what it wrote beside the web server and fails when that is stale.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

PACKAGE = "fleetlog.v1"
ERROR = "Error"
_FILE_MESSAGES, _FILE_ENUMS, _FILE_SERVICES = 4, 5, 6
_MESSAGE_FIELDS, _MESSAGE_NESTED, _MESSAGE_ENUMS, _SERVICE_METHODS, _ENUM_VALUES = 2, 3, 4, 2, 2
"""Numbers of fields of descriptors: places of comments are paths of them."""
Comments = dict[tuple[int, ...], str]
Schema = dict[str, Any]
_INT32: Schema = {"type": "integer", "format": "int32"}
_UINT32: Schema = {"type": "integer", "format": "int64", "minimum": 0, "maximum": 2**32 - 1}
_INT64: Schema = {"type": ["string", "integer"], "format": "int64"}
_DOUBLE: Schema = {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}
_SCALARS: dict[int, Schema] = {
    FieldDescriptorProto.TYPE_DOUBLE: _DOUBLE,
    FieldDescriptorProto.TYPE_FLOAT: _DOUBLE,
    FieldDescriptorProto.TYPE_INT64: _INT64,
    FieldDescriptorProto.TYPE_UINT64: _INT64,
    FieldDescriptorProto.TYPE_SINT64: _INT64,
    FieldDescriptorProto.TYPE_FIXED64: _INT64,
    FieldDescriptorProto.TYPE_SFIXED64: _INT64,
    FieldDescriptorProto.TYPE_INT32: _INT32,
    FieldDescriptorProto.TYPE_SINT32: _INT32,
    FieldDescriptorProto.TYPE_SFIXED32: _INT32,
    FieldDescriptorProto.TYPE_UINT32: _UINT32,
    FieldDescriptorProto.TYPE_FIXED32: _UINT32,
    FieldDescriptorProto.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptorProto.TYPE_STRING: {"type": "string"},
    FieldDescriptorProto.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}
_KNOWN: dict[str, Schema] = {
    ".google.protobuf.Value": {"description": "A text, a number, true or false."},
    ".google.rpc.Status": {
        "type": "object",
        "properties": {"code": _INT32, "message": {"type": "string"}, "details": {"type": "array"}},
    },
}
"""Messages of others that have JSON of their own."""
_ERROR_SCHEMA: Schema = {
    "type": "object",
    "description": "Why a call failed.",
    "required": ["code", "message", "reason", "metadata"],
    "properties": {
        "code": {"type": "string", "description": "Name of the gRPC code in lower case, such as not_found."},
        "message": {"type": "string", "description": "Which field, its value, the limit, and how to mend it."},
        "reason": {"type": "string", "description": "Stable and for programs, such as RUN_NOT_FOUND."},
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
        "violations": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "description": {"type": "string"}},
            },
        },
        "retryAfterSeconds": {"type": "number", "description": "Seconds after which the same call may succeed."},
        "details": {"type": "array", "description": "Details of google.rpc, as Connect has them."},
    },
}
_TIMEOUT: Schema = {
    "name": "connect-timeout-ms",
    "in": "header",
    "description": "Milliseconds that the caller waits; 60,000, or 600,000 of a stream, unless it is set.",
    "schema": {"type": "integer", "minimum": 1},
}
_RAW: Schema = {
    "get": {
        "operationId": "Raw",
        "tags": ["Files"],
        "summary": "The bytes of an artifact, whole or a range of them.",
        "parameters": [
            {"name": name, "in": "path", "required": True, "description": text, "schema": {"type": "string"}}
            for name, text in (
                ("namespace", "Namespace, such as default."),
                ("run", "The run or the logged model: 32 hexadecimal digits."),
                ("path", "Path of the artifact; its slashes stay as they are."),
            )
        ]
        + [
            {"name": "subject", "in": "query", "schema": {"enum": ["run", "model"]}, "description": "What `run` names."}
        ],
        "responses": {
            "200": {"description": "The bytes.", "content": {"*/*": {}}},
            "206": {"description": "The range of them that was asked for.", "content": {"*/*": {}}},
            "default": {"$ref": "#/components/responses/Error"},
        },
    }
}


def main(image: Path, target: Path) -> None:
    """Write the document."""
    files = FileDescriptorSet.FromString(image.read_bytes())
    target.write_text(json.dumps(document(files), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def document(files: FileDescriptorSet) -> Schema:
    """The whole contract."""
    ours = sorted((file for file in files.file if file.package == PACKAGE), key=lambda file: file.name)
    paths: Schema = {}
    schemas: Schema = {ERROR: _ERROR_SCHEMA}
    tags: list[Schema] = []
    for file in ours:
        comments = _comments(file)
        schemas |= _schemas(file, comments)
        for number, service in enumerate(file.service):
            place = (_FILE_SERVICES, number)
            tags.append({"name": service.name, "description": comments.get(place, "")})
            for method_number, method in enumerate(service.method):
                text = comments.get((*place, _SERVICE_METHODS, method_number), "")
                path = f"/{PACKAGE}.{service.name}/{method.name}"
                paths[path] = {"post": _operation(service.name, method, text)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "fleetlog",
            "version": "v1",
            "description": "Every call of fleetlog over HTTP. See docs/http.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://localhost:7461"}],
        "tags": [*tags, {"name": "Files", "description": "Bytes of artifacts."}],
        "paths": {**paths, "/raw/{namespace}/{run}/{path}": _RAW},
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "parameters": {"Timeout": _TIMEOUT},
            "responses": {
                "Error": {
                    "description": "It failed; the status is that of the code.",
                    "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{ERROR}"}}},
                }
            },
        },
    }


def _operation(service: str, method: MethodDescriptorProto, text: str) -> Schema:
    streamed = "application/connect+json"
    asked = streamed if method.client_streaming else "application/json"
    if method.client_streaming:
        answered = streamed
    else:
        answered = "application/x-ndjson" if method.server_streaming else "application/json"
    how = "" if asked != streamed else " Messages are in envelopes both ways: a byte 0, four bytes of length, JSON."
    if answered == "application/x-ndjson":
        how = " Answers with one JSON object a line."
    return {
        "operationId": f"{service}_{method.name}",
        "tags": [service],
        "summary": text.partition(". ")[0].rstrip("."),
        "description": text + how,
        "parameters": [{"$ref": "#/components/parameters/Timeout"}],
        "requestBody": {"required": True, "content": {asked: {"schema": _reference(method.input_type)}}},
        "responses": {
            "200": {"description": "Done.", "content": {answered: {"schema": _reference(method.output_type)}}},
            "default": {"$ref": "#/components/responses/Error"},
        },
    }


def _schemas(file: FileDescriptorProto, comments: Comments) -> Schema:
    found: Schema = {}
    for number, message in enumerate(file.message_type):
        found |= _message(message, message.name, (_FILE_MESSAGES, number), comments)
    for number, one in enumerate(file.enum_type):
        found[one.name] = _enum(one, (_FILE_ENUMS, number), comments)
    return found


def _message(message: DescriptorProto, name: str, place: tuple[int, ...], comments: Comments) -> Schema:
    """The schema of a message, and of those within it, by their names."""
    entries = {nested.name: nested for nested in message.nested_type if nested.options.map_entry}
    properties: Schema = {}
    for number, field in enumerate(message.field):
        text = comments.get((*place, _MESSAGE_FIELDS, number), "")
        if field.HasField("oneof_index") and not field.proto3_optional:
            others = [
                one.json_name
                for one in message.field
                if one.HasField("oneof_index") and one.oneof_index == field.oneof_index and one.name != field.name
            ]
            text += f" Not with {', '.join(others)}." if others else ""
        schema = _field(field, entries)
        properties[field.json_name] = {**schema, "description": text} if text else schema
    found: Schema = {name: {"type": "object", "description": comments.get(place, ""), "properties": properties}}
    for number, nested in enumerate(message.nested_type):
        if nested.name not in entries:
            found |= _message(nested, f"{name}.{nested.name}", (*place, _MESSAGE_NESTED, number), comments)
    for number, one in enumerate(message.enum_type):
        found[f"{name}.{one.name}"] = _enum(one, (*place, _MESSAGE_ENUMS, number), comments)
    return found


def _field(field: FieldDescriptorProto, entries: dict[str, DescriptorProto]) -> Schema:
    entry = entries.get(field.type_name.rpartition(".")[2]) if field.type == FieldDescriptorProto.TYPE_MESSAGE else None
    if entry is not None:
        return {"type": "object", "additionalProperties": _value(entry.field[1])}
    value = _value(field)
    return {"type": "array", "items": value} if field.label == FieldDescriptorProto.LABEL_REPEATED else value


def _value(field: FieldDescriptorProto) -> Schema:
    if field.type in (FieldDescriptorProto.TYPE_MESSAGE, FieldDescriptorProto.TYPE_ENUM):
        return _reference(field.type_name)
    return dict(_SCALARS[field.type])


def _enum(one: EnumDescriptorProto, place: tuple[int, ...], comments: Comments) -> Schema:
    lines = [comments.get(place, "")]
    for number, value in enumerate(one.value):
        text = comments.get((*place, _ENUM_VALUES, number), "")
        lines.append(f"{value.name}: {text}" if text else value.name)
    return {"type": "string", "enum": [value.name for value in one.value], "description": "\n".join(lines).strip()}


def _reference(type_name: str) -> Schema:
    if type_name in _KNOWN:
        return dict(_KNOWN[type_name])
    name = type_name.removeprefix(f".{PACKAGE}.")
    if name.startswith("."):
        raise SystemExit(f"{type_name}: say in openapi.py what its JSON is")
    return {"$ref": f"#/components/schemas/{name}"}


def _comments(file: FileDescriptorProto) -> Comments:
    return dict(_told(file))


def _told(file: FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    for location in file.source_code_info.location:
        text = " ".join(line.strip() for line in location.leading_comments.strip().splitlines() if line.strip())
        if text:
            yield tuple(location.path), text


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
