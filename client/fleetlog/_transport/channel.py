"""A channel that stubs are made of once: each call goes over the connection of its time, with the caller's token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import grpc

Metadata = Sequence[tuple[str, str | bytes]]


class RenewedChannel(grpc.Channel):
    """Passes calls on to the channel that was put last; those under way end on theirs."""

    def __init__(self, metadata: Callable[[], Metadata]) -> None:
        """`metadata` is asked for what each call has beside its own: who calls."""
        self.metadata = metadata
        self.current: grpc.Channel | None = None

    def put(self, channel: grpc.Channel) -> None:
        """Every call from now on goes over this one."""
        self.current = channel

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """See grpc.Channel."""
        return _Method(self, "unary_unary", method, args, kwargs)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """See grpc.Channel."""
        return _Method(self, "unary_stream", method, args, kwargs)

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """See grpc.Channel."""
        return _Method(self, "stream_unary", method, args, kwargs)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """See grpc.Channel."""
        return _Method(self, "stream_stream", method, args, kwargs)

    def subscribe(self, callback: Callable[[Any], None], try_to_connect: bool | None = False) -> None:
        """See grpc.Channel: of the current one."""
        if self.current is not None:
            self.current.subscribe(callback, bool(try_to_connect))

    def unsubscribe(self, callback: Callable[[Any], None]) -> None:
        """See grpc.Channel: of the current one."""
        if self.current is not None:
            self.current.unsubscribe(callback)

    def close(self) -> None:
        """Close the current channel."""
        if self.current is not None:
            self.current.close()

    def __enter__(self) -> RenewedChannel:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class _Method:
    """One method: bound anew when another channel was put."""

    def __init__(
        self, renewed: RenewedChannel, kind: str, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._renewed = renewed
        self._kind, self._method = kind, method
        self._args, self._kwargs = args, kwargs
        self._bound: tuple[grpc.Channel, Callable[..., Any]] | None = None

    def __call__(
        self, request: object, timeout: float | None = None, metadata: Metadata | None = None, **options: Any
    ) -> Any:
        """See the multi-callables of grpc."""
        return self._multi_callable()(request, timeout=timeout, metadata=self._told(metadata), **options)

    def future(
        self, request: object, timeout: float | None = None, metadata: Metadata | None = None, **options: Any
    ) -> Any:
        """See the multi-callables of grpc: a call whose answer is waited for later."""
        return self._multi_callable().future(request, timeout=timeout, metadata=self._told(metadata), **options)

    def _multi_callable(self) -> Any:
        channel, bound = self._renewed.current, self._bound
        if channel is None:
            raise ValueError("no channel was put yet")
        if bound is None or bound[0] is not channel:
            bound = self._bound = channel, getattr(channel, self._kind)(self._method, *self._args, **self._kwargs)
        return bound[1]

    def _told(self, metadata: Metadata | None) -> Metadata | None:
        return (*(metadata or ()), *self._renewed.metadata()) or None
