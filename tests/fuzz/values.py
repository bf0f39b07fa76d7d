"""Values of fields: boundaries, huge ones, hostile texts, and what is there, so that calls get beyond first checks.

None has a word in it that an answer may not have (tests/end_to_end/refusals.py): answers quote what they refuse.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from hypothesis import strategies as st

RUN, OTHER_RUN, WRITER = bytes(range(16)), b"\xff" * 16, b"w" * 16
NAMESPACE, EXPERIMENT, MODEL, PATH, DIGEST = "fuzz", "fuzzed", "model", "a/b.bin", b"d" * 32
HOSTILE = (
    "' OR 1=1 --", "'; DROP TABLE runs; --", "\\'", '"', "`", "``", "\x00", "a\x00b", "\x1b[31m", "\u202e", "\u2028",
    "\ud7ff\ue000", "\U0010ffff", "﷽", "e\u0301" * 20, "../x", "..\\x", "%2e%2e%2f", "/", ".", "..", "a//b",
    "{x:String}", "%s%n", "${jndi:ldap}", "<script>", "=1+1", "*", "(", "(a+)+$", "[[:alpha:]]{1,1000}", "\n", "\r\n",
    "\t", " ", "x" * 251, "x" * 501, "x" * 70_000, "0" * 33, "-1", "9" * 40, "1e999", "nan", "é" * 130, "\\x00\\",
    "a=b@c", "__proto__", "true", "null", "%", "_", "\\%", "urn:x", "https://", "models:/x@y", "runs:/x",
)  # fmt: skip
FILTERS = (
    "metrics.loss < 1", "params.lr = 'x' AND tags.a LIKE '%b%'", "attributes.state = 'RUNNING'", "NOT (", "((((((((((",
    "min(metrics.loss WHERE step BETWEEN 1 AND 5) < 2", "at(metrics.loss, 1000) > 1e308",
    "metrics.loss MATCHES '(a|b)*'",
    "attributes.start_time > now() - 1 s", "`a``b` = 1", "metrics.`x y` IS NULL", "datasets.name ILIKE '%'",
    "params.a IN (" + ", ".join(["'x'"] * 300) + ")", "metrics.a + metrics.b * 2 / 0 > 1", "tags.x MATCHES '(('",
    "NOT " * 90 + "metrics.a = 1", "NOT " * 200 + "metrics.a = 1", "metrics.a = nan", "text(params.lr) > 'a'",
    "attributes.run_id = '00'", "name = 'x'", "attributes.run_name = 'x'", "metrics.loss = -9223372036854775809",
)  # fmt: skip
ORDERS = (
    "metrics.loss", "metrics.loss DESC", "attributes.start_time ASC", "params.lr", "loss,", "max(metrics.loss) DESC",
    "text(params.lr)", "tags.`mlflow.user`", "name", "last_updated_timestamp DESC",
)  # fmt: skip
BY_NAME: Mapping[str, tuple[Any, ...]] = {
    "namespace": ("", NAMESPACE, NAMESPACE, NAMESPACE, "other"),
    "run_id": (RUN.hex(), RUN.hex(), OTHER_RUN.hex(), RUN, RUN.hex().upper()),
    "run_ids": (RUN.hex(), OTHER_RUN.hex(), RUN, RUN + OTHER_RUN),
    "source_run_id": (RUN.hex(),), "parent_run_id": (RUN.hex(),), "model_id": (RUN.hex(), RUN, OTHER_RUN),
    "writer_id": (WRITER, WRITER, b"v" * 16), "request_id": (b"", RUN, WRITER),
    "experiment_names": (EXPERIMENT,), "experiment_name": (EXPERIMENT,), "experiment_id": (0, 1, 2),
    "experiment_ids": (0, 1), "filter": FILTERS, "order_by": ORDERS, "keys": ("loss", "lr", "x"),
    "key": ("loss", "lr", "x", "params.lr", "metrics.loss", "tags.a"), "name": (MODEL, EXPERIMENT, "new"),
    "model": (MODEL,), "model_name": (MODEL,), "version": (1, 2, "1"), "alias": ("champion",), "path": (PATH, ""),
    "read_mask": ("attributes", "metrics", "metrics.loss", "params", "tags.a", "x"), "sha256": (DIGEST,),
    "sequence": (1, 2, 3), "step": (0, 1), "page_size": (0, 1, 1_000), "page_token": ("", "AAAA", "e30="),
    "url": ("https://example.com/x", "http://[::1]/"), "topic": ("events", "control"), "partition": (0, 1),
    "kind": ("x", 1), "parameters": (1,), "buckets": (1, 10), "limit": (1, 10),
}  # fmt: skip
"""Values of fields by their names, where their type fits."""
_SIGNED, _UNSIGNED = (0, 1, -1, 2), (0, 1, 2)
_INTEGERS: Mapping[int, tuple[int, int]] = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_REALS = (0.0, -0.0, 1.5, math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, -1e308, 2.0**53 + 1, 1e18)
_MILLIS = 1_796_000_000_000
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def scalars(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Values that a field of a scalar type takes."""
    return _known(field) | _of_kind(field)


def plausible(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Values that a caller who means well may give."""
    known = _known(field)
    if not known.is_empty:
        return known
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.sampled_from((RUN, WRITER, DIGEST))
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return st.sampled_from(("x", "loss", "a b", MODEL))
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return st.sampled_from([value.number for value in field.enum_type.values] if field.enum_type else [0])
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    if field.name.endswith("_millis"):
        return st.sampled_from((0, _MILLIS))
    return st.sampled_from((1, 0, 2))


def _known(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    kind = {
        FieldDescriptor.CPPTYPE_STRING: bytes if field.type == FieldDescriptor.TYPE_BYTES else str,
        FieldDescriptor.CPPTYPE_INT32: int, FieldDescriptor.CPPTYPE_INT64: int,
        FieldDescriptor.CPPTYPE_UINT32: int, FieldDescriptor.CPPTYPE_UINT64: int,
    }.get(field.cpp_type)  # fmt: skip
    known = [value for value in BY_NAME.get(field.name, ()) if type(value) is kind]
    return st.sampled_from(known) if known else st.nothing()


def _of_kind(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.sampled_from((b"", RUN, b"\0" * 16, b"\xff" * 32, b"x" * 70_000)) | st.binary(max_size=40)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return st.sampled_from(HOSTILE) | TEXTS
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    if field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT:
            return st.floats(width=32)
        return st.sampled_from(_REALS) | st.floats()
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        numbers = [value.number for value in field.enum_type.values] if field.enum_type else [0]
        return st.sampled_from((*numbers, *numbers, -1, 99, 2**31 - 1))
    least, most = _INTEGERS[field.cpp_type]
    edges = [
        value for value in (least, least + 1, 0, 1, 2, 7, 1_000, _MILLIS, most - 1, most) if least <= value <= most
    ]
    return st.sampled_from(edges) | st.integers(least, most)
