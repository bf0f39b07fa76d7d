"""Calls that answer for long: taken up again where they broke off; a fork ends them, and they go on after it."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, TypeVar

import grpc
from fleetlog_proto.v1 import query_pb2_grpc

from fleetlog._transport.calls_in_progress import Stream
from fleetlog._transport.connection import connection_to
from fleetlog.errors import from_call

Response = TypeVar("Response")
LONGEST_PAUSE_SECONDS = 5.0
_jitter = random.Random()  # noqa: S311
"""As in delivery.py, not the module's own numbers: they are the program's, which may have seeded them."""
_BROKEN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
"""What a stream ends with when its connection or its server does; CANCELLED for a fork too."""

if TYPE_CHECKING:
    Stub = query_pb2_grpc.QueryServiceStub


def resumed(
    target: str, start: Callable[[Stub], Stream[Response]], retries: Callable[[], int | None]
) -> Generator[Response, None, None]:
    """The responses of a call. When it breaks, `start` is asked for what comes behind the last response that was taken.

    `retries` says how often in a row it may bring nothing, None = no end. Errors of this package.
    """
    failures = 0
    while True:
        connection = connection_to(target)
        try:
            with connection.under_way.streaming(lambda: start(connection.query)) as stream:  # noqa: B023
                for response in stream:
                    failures = 0
                    yield response
                return
        except grpc.RpcError as error:
            failures += 1
            if error.code() not in _BROKEN or failures > _most(retries()):
                raise from_call(error, target) from None
            connection.renew_if_certificates_changed()
        if failures > 1:
            time.sleep(_jitter.uniform(0.5, 1.0) * min(LONGEST_PAUSE_SECONDS, 0.1 * 2**failures))


def _most(retries: int | None) -> float:
    return math.inf if retries is None else retries
