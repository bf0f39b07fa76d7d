"""Messages of the contract as pickle and copy take them: the answers that hold them cross process borders.

Their classes name modules by the contract's package, not by Python's, so pickle does not find them by itself.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable

from fleetlog_proto.v1 import (
    artifact_pb2,
    event_pb2,
    experiment_pb2,
    facets_pb2,
    metric_pb2,
    position_pb2,
    query_pb2,
    run_pb2,
    scope_pb2,
    selection_pb2,
    watch_pb2,
)
from google.protobuf.message import Message

_MODULES = (
    artifact_pb2, event_pb2, experiment_pb2, facets_pb2, metric_pb2, position_pb2, query_pb2, run_pb2, scope_pb2,
    selection_pb2, watch_pb2,
)  # fmt: skip
_CLASSES: dict[str, type[Message]] = {
    kind.full_name: getattr(module, name)
    for module in _MODULES
    for name, kind in module.DESCRIPTOR.message_types_by_name.items()
}


def message_of(full_name: str, data: bytes) -> Message:
    """The message of its bytes: what a pickled one becomes."""
    return _CLASSES[full_name].FromString(data)


def _reduced(message: Message) -> tuple[Callable[[str, bytes], Message], tuple[str, bytes]]:
    return message_of, (message.DESCRIPTOR.full_name, message.SerializeToString())


def register() -> None:
    """Let pickle and copy know the messages. Once a process."""
    for kind in _CLASSES.values():
        copyreg.pickle(kind, _reduced)
