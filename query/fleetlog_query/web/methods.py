"""The calls that can be made over HTTP: every method of every service of the contract, and nothing else."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import fleetlog_proto.v1
from google.protobuf import message_factory
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.message import Message

PACKAGE = "fleetlog.v1"


@dataclass(frozen=True)
class Method:
    """One call of the contract."""

    path: str
    """As gRPC and Connect have it: "/fleetlog.v1.QueryService/GetRun"."""
    service: str
    """Full name of its service."""
    request: type[Message]
    response: type[Message]
    streams_requests: bool
    streams_responses: bool

    @property
    def is_unary(self) -> bool:
        """True if it takes one message and answers with one."""
        return not (self.streams_requests or self.streams_responses)

    @property
    def is_read(self) -> bool:
        """True if a query service answers it; a gateway takes all others."""
        return self.service.endswith("QueryService")


def _files() -> Iterator[FileDescriptor]:
    for module in pkgutil.iter_modules(fleetlog_proto.v1.__path__):
        if module.name.endswith("_pb2"):
            file: FileDescriptor = importlib.import_module(f"{fleetlog_proto.v1.__name__}.{module.name}").DESCRIPTOR
            yield file


def _method(one: MethodDescriptor) -> Method:
    service = one.containing_service.full_name
    return Method(
        path=f"/{service}/{one.name}",
        service=service,
        request=message_factory.GetMessageClass(one.input_type),
        response=message_factory.GetMessageClass(one.output_type),
        streams_requests=one.client_streaming,
        streams_responses=one.server_streaming,
    )


METHODS: Mapping[str, Method] = {
    method.path: method
    for file in _files()
    if file.package == PACKAGE
    for service in file.services_by_name.values()
    for method in map(_method, service.methods)
}
"""Every method by its path."""
