"""Channels beside the process's own one, for a program that stands in for many processes."""

from __future__ import annotations

import grpc

from fleetlog._transport.connection import CHANNEL_OPTIONS, connection_to
from fleetlog._transport.targets import dialed, uses_tls
from fleetlog._transport.tls import ClientTls
from fleetlog._transport.tokens import TokenSource

Metadata = tuple[tuple[str, str], ...]


class WorkerChannels:
    """Makes channels to one server, each with a connection of its own."""

    def __init__(self, target: str | None) -> None:
        """InvalidArgument TLS_FILE, TOKEN_INVALID, INVALID_TARGET; FailedPrecondition TOKEN_NEEDS_TLS."""
        self.target = connection_to(target).target
        self._tls = ClientTls() if uses_tls(self.target) else None
        self._tokens = TokenSource(self.target)

    def channel(self) -> grpc.aio.Channel:
        """A channel that shares its connection with no other."""
        options = (*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1))
        if self._tls is None:
            return grpc.aio.insecure_channel(dialed(self.target), options=options)
        return grpc.aio.secure_channel(dialed(self.target), self._tls.credentials(), options=options)

    def metadata(self) -> Metadata:
        """Metadata of each call: who calls."""
        return self._tokens.metadata()
