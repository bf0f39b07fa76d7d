"""Calls that answer for long: taken up again where they broke off; a fork ends them, and they go on after it."""

from __future__ import annotations

import math
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar

import grpc
from fleetlog_proto.v1 import query_pb2_grpc

from fleetlog.connection import FORK_SECONDS, connection_to
from fleetlog.errors import from_call

Response = TypeVar("Response")
Covariant = TypeVar("Covariant", covariant=True)
LONGEST_PAUSE_SECONDS = 5.0
_BROKEN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
"""What a stream ends with when its connection or its server does; CANCELLED for a fork too."""

if TYPE_CHECKING:
    Stub = query_pb2_grpc.QueryServiceStub


class Call(Protocol[Covariant]):
    """A call under way that answers in a stream."""

    def __iter__(self) -> Iterator[Covariant]: ...
    def cancel(self) -> bool:
        """End it."""
        ...


_live: weakref.WeakSet[Call[object]] = weakref.WeakSet()
_may_begin = threading.Event()
_may_begin.set()


def resumed(
    target: str, start: Callable[[Stub], Call[Response]], retries: Callable[[], int | None]
) -> Generator[Response, None, None]:
    """The responses of a call. When it breaks, `start` is asked for what comes behind the last response that was taken.

    `retries` says how often in a row it may bring nothing, None = no end. Errors of this package.
    """
    failures = 0
    while True:
        _may_begin.wait(FORK_SECONDS)
        call = start(connection_to(target).query)
        _live.add(call)
        try:
            for response in call:
                failures = 0
                yield response
            return
        except grpc.RpcError as error:
            failures += 1
            if error.code() not in _BROKEN or failures > _most(retries()):
                raise from_call(error, target) from None
        finally:
            call.cancel()
        if failures > 1:
            time.sleep(random.uniform(0.5, 1.0) * min(LONGEST_PAUSE_SECONDS, 0.1 * 2**failures))  # noqa: S311


def _most(retries: int | None) -> float:
    return math.inf if retries is None else retries


def _end() -> None:
    """Before a fork: gRPC prepares itself only when no call is under way, and these might go on for hours."""
    _may_begin.clear()
    for call in list(_live):
        call.cancel()


def _go_on() -> None:
    _may_begin.set()


def _forget() -> None:
    """In a forked child: the parent's calls are not its own."""
    global _may_begin
    _may_begin = threading.Event()
    _may_begin.set()
    _live.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_end, after_in_parent=_go_on, after_in_child=_forget)
