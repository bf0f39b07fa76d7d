"""Errors that may be told to a client.

    FleetlogError
    ├── InvalidArgument        a field is wrong, whatever the state of the system
    ├── NotFound               no such thing in this namespace
    ├── AlreadyExists          a name is taken
    ├── FailedPrecondition     right in itself, wrong at this time
    ├── OutOfRange             not the next one of what is sent in order
    ├── ResourceExhausted      over a limit, or come back later (retry_after_seconds)
    ├── Unauthenticated        no valid token
    ├── PermissionDenied       the token has no role for it
    ├── Unavailable            a part that is needed does not answer; retry
    ├── DeadlineExceeded       the caller's time ran out
    └── DataLoss               what was stored is gone, or is not what was stored

Everything else that is raised inside a service becomes INTERNAL with one fixed text: a client never sees a stack
trace, SQL, a path or a secret. Messages here are written for the user: which field, its value (through
`shown`), the limit, how to mend it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fleetlog_core.printable import printable

DOMAIN = "fleetlog"
"""ErrorInfo.domain of every error that a fleetlog server says: proxies in between have errors of their own."""
SHOWN_CHARACTERS = 100


def shown(value: object) -> str:
    """The value as a message may show it: escaped, cut to 100 characters."""
    text = ascii(value) if not isinstance(value, str) else ascii(value[: SHOWN_CHARACTERS + 1])
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


@dataclass(frozen=True)
class Violation:
    """One field that is wrong: its path in the request, and what is wrong with it."""

    field: str
    description: str


class FleetlogError(Exception):
    """The base of every error that a client may see.

    `reason` is stable and machine-readable (UPPER_SNAKE_CASE); `message` is one line without hidden characters,
    whatever texts of users or servers went into it; `violations` name fields; `metadata` is small and
    safe to show. It can be pickled and copied: workers' errors reach the process that waits for them.
    """

    code = "UNKNOWN"
    domain = DOMAIN
    """ErrorInfo.domain; "" in a client for what is not known to be said by a fleetlog server."""

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        violations: tuple[Violation, ...] = (),
        metadata: dict[str, str] | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        message = printable(message)
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.violations = violations
        self.metadata = metadata or {}
        self.retry_after_seconds = retry_after_seconds

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[FleetlogError], args: tuple[object, ...]) -> FleetlogError:
    """An error whose attributes follow: what pickle makes of one."""
    error = kind.__new__(kind)
    error.args = args
    return error


class InvalidArgument(FleetlogError):
    """A field is wrong, whatever the state of the system."""

    code = "INVALID_ARGUMENT"

    @classmethod
    def of_field(cls, reason: str, field: str, description: str) -> InvalidArgument:
        """The error for one wrong field; the message is `field: description`."""
        return cls(reason, f"{field}: {description}", violations=(Violation(field, description),))


def check_count(field: str, count: int, least: int, most: int) -> None:
    """InvalidArgument OVER_LIMIT, which names the field."""
    if not least <= count <= most:
        raise InvalidArgument.of_field("OVER_LIMIT", field, f"{count:,} is not {least} to {most:,}")


class NotFound(FleetlogError):
    """No such thing in this namespace."""

    code = "NOT_FOUND"


class AlreadyExists(FleetlogError):
    """A name is taken."""

    code = "ALREADY_EXISTS"


class FailedPrecondition(FleetlogError):
    """Right in itself, wrong at this time."""

    code = "FAILED_PRECONDITION"


class OutOfRange(FleetlogError):
    """Not the next one of what is sent in order."""

    code = "OUT_OF_RANGE"


class ResourceExhausted(FleetlogError):
    """Over a limit."""

    code = "RESOURCE_EXHAUSTED"


class Unauthenticated(FleetlogError):
    """No valid token."""

    code = "UNAUTHENTICATED"


class PermissionDenied(FleetlogError):
    """The token has no role for it."""

    code = "PERMISSION_DENIED"


class Unavailable(FleetlogError):
    """A part that is needed does not answer; the same call may succeed later."""

    code = "UNAVAILABLE"


class DeadlineExceeded(FleetlogError):
    """The caller's time ran out."""

    code = "DEADLINE_EXCEEDED"


class DataLoss(FleetlogError):
    """What was stored is gone, or is not what was stored."""

    code = "DATA_LOSS"
