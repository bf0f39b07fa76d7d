"""Who did what, as a server tells of it: records of its log, and calls that it denied."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fleetlog_proto.v1 import audit_pb2, position_pb2

from fleetlog._values.position import Position
from fleetlog._views.views import utc


@dataclass(frozen=True)
class LoggedEvent:
    """A record of the log: events that came together, or one request. What is not known is empty."""

    time: datetime
    """When the server took it."""
    principal: str
    """Who sent it; "" where nobody is asked for a token."""
    token: str
    """Name of the token that was shown."""
    gateway: str
    """Machine of the server that took it."""
    kinds: tuple[str, ...]
    """What it is of, such as "run_started", "metrics_logged" or "model_alias_set"."""
    summary: str
    """What stands in it, in one line."""
    refused: str
    """Why a request was refused; "" = accepted. "REPEATED": it had its outcome before."""
    namespace: str
    run_id: str
    logged_model_id: str
    experiment: int | None
    """Number of the experiment."""
    partition: str
    """Partition of the log, such as "events-3"."""
    offset: int
    """Place in the partition."""
    position: Position
    """A read as of it holds this record."""
    message: dict[str, Any] | None
    """All of it, when it was asked for; None where it is too long or the log has it no longer."""

    @classmethod
    def of(cls, message: audit_pb2.RecordedEvent, content: dict[str, Any] | None) -> LoggedEvent:
        """From the message. ValueError."""
        behind = position_pb2.PartitionOffset(
            topic=message.topic, partition=message.partition, next_offset=message.offset + 1
        )
        return cls(
            time=utc(message.time_millis),
            principal=message.principal,
            token=message.token_name,
            gateway=message.gateway,
            kinds=tuple(message.kinds),
            summary=message.summary,
            refused=message.refused_reason,
            namespace=message.namespace,
            run_id=message.run_id,
            logged_model_id=message.logged_model_id,
            experiment=message.experiment_id if message.HasField("experiment_id") else None,
            partition=f"{message.topic}-{message.partition}",
            offset=message.offset,
            position=Position.of(position_pb2.Position(offsets=[behind])),
            message=content,
        )


@dataclass(frozen=True)
class DeniedCall:
    """A call that a server denied."""

    time: datetime
    principal: str
    """Who called; "": no valid token was shown."""
    token: str
    """Name of the token."""
    method: str
    """The call, such as "fleetlog.v1.QueryService/GetRun"."""
    reason: str
    """Such as "ROLE_MISSING"; "FOREIGN_NAMESPACE": it was answered as if nothing were there."""
    namespace: str
    """What it was about; "" = not looked at."""
    server: str
    """Process that denied it."""

    @classmethod
    def of(cls, message: audit_pb2.Denial) -> DeniedCall:
        """From the message."""
        return cls(
            utc(message.time_millis), message.principal, message.token_name, message.method, message.reason,
            message.namespace, message.server,
        )  # fmt: skip
