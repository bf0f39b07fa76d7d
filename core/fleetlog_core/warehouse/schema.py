"""Numbers that stand in the tables, for all who write or read them. Released ones are never changed."""

from __future__ import annotations

from enum import IntEnum

from fleetlog_proto.v1 import event_pb2


class KeyKind(IntEnum):
    """`kind` of `attrs` and `run_attrs`."""

    PARAM = 1
    TAG = 2
    METRIC = 3
    DATASET = 4
    MODEL = 5


class ParamType(IntEnum):
    """`type` of a param there: the field number of its value. 0 for other kinds."""

    TEXT = event_pb2.Param.TEXT_FIELD_NUMBER
    WHOLE = event_pb2.Param.WHOLE_FIELD_NUMBER
    REAL = event_pb2.Param.REAL_FIELD_NUMBER
    TRUTH = event_pb2.Param.TRUTH_FIELD_NUMBER


PURGED = 2
"""`deleted` of what is gone for good, which nothing shows; 1 is deleted, 0 is not."""
SUPERSEDED = 3
"""`deleted` of a run that was rewound: another branch stands in its place. It takes what its writers still hold."""
PLACE_BITS = 20
"""Low bits of `ver` of params and tags: log offset << 20 | place in the record."""
BUCKET_BITS = 7
BUCKET_STEPS = 1 << BUCKET_BITS
"""Steps of a row of `rollup`."""
RECORD_SPAN = 0
"""`span` of the rows of `log_times` that are about one record each: who wrote it, and what stands in it."""
NO_EXPERIMENT = 0xFFFF_FFFF
"""`experiment` there of what is in none."""
EVERY_NAMESPACE = "*"
"""`namespace` there of intents that are about the whole server, such as those on tokens."""
