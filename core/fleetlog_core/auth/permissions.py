"""What each call asks of its caller, as its proto says, and the namespaces that its messages name.

A service of which a call says nothing, or says a role without naming a namespace, is refused: MethodUnsaid.
"""

from __future__ import annotations

import importlib
import pkgutil
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import fleetlog_proto.v1
from fleetlog_proto.v1 import frame_pb2, permission_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message

from fleetlog_core.auth.identity import Identity, Permission, denied

NAMESPACE = "namespace"
PACKAGE = "fleetlog."
NOWHERE = secrets.token_hex(32)
"""A namespace that nobody can name: what a caller without a role reads instead of one that is not theirs."""
_FRAME = frame_pb2.Frame.DESCRIPTOR.full_name
_IDENTIFIED = permission_pb2.PERMISSION_IDENTIFIED
_OPEN = ("grpc.health.v1.Health",)
"""Services for everybody: probes of machines have no token, and it tells of no data."""
Reader = Callable[[Any], Iterable[str]]


class MethodUnsaid(Exception):
    """A call whose proto does not say what it asks of its caller."""


def _untold(namespace: str) -> None:
    """Nobody asks."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one call asks. `permission` None: nothing, not even a token."""

    permission: Permission | None
    namespaces: tuple[Reader, ...] = ()
    hides: bool = False
    """A namespace without a role is looked for nowhere, instead of being refused."""

    def check(
        self, identity: Identity, request: Any, seen: str | None = None, hidden: Callable[[str], None] = _untold
    ) -> str | None:
        """The last namespace that the message names, None = it names none. PermissionDenied.

        `seen`: a namespace that was checked for this caller before. A message of a call that hides is changed where its
        namespace is not the caller's; `hidden` is told which it was.
        """
        permission = self.permission
        if permission is None or permission == _IDENTIFIED:
            return None
        for read in self.namespaces:
            for namespace in read(request):
                if namespace == seen:
                    continue
                may = identity.may(namespace)
                if permission not in may:
                    if may or not self.hides:
                        raise denied(permission, namespace)
                    hidden(namespace)
                    request.namespace = NOWHERE
                seen = namespace
        return seen


def rules_of(services: Iterable[str]) -> dict[str, Rule]:
    """Rule of each call by its full name, "/fleetlog.v1.QueryService/GetRun". MethodUnsaid."""
    # A service may stand in a file of which nothing else is needed: it is known once that is imported.
    for module in pkgutil.iter_modules(fleetlog_proto.v1.__path__, "fleetlog_proto.v1."):
        if module.name.endswith("_pb2"):
            importlib.import_module(module.name)
    pool, found = descriptor_pool.Default(), dict[str, Rule]()
    for name in services:
        try:
            service = pool.FindServiceByName(name)
        except KeyError:
            # A name for health alone, behind which nothing is served.
            continue
        for method in service.methods:
            found[f"/{name}/{method.name}"] = _rule(name, method)
    return found


def _rule(service: str, method: MethodDescriptor) -> Rule:
    if not service.startswith(PACKAGE):
        return Rule(None if service in _OPEN else _IDENTIFIED)
    options = method.GetOptions()
    permission = options.Extensions[permission_pb2.permission]
    if permission == permission_pb2.PERMISSION_UNSPECIFIED:
        raise MethodUnsaid(f"{method.full_name} does not say what it asks of its caller: give it a permission")
    if permission == _IDENTIFIED:
        return Rule(permission)
    namespaces = tuple(_readers(method.input_type))
    if not namespaces:
        raise MethodUnsaid(f"{method.full_name} asks for a role, and its request names no namespace to have it in")
    hides = options.Extensions[permission_pb2.foreign_is_not_found]
    if hides and NAMESPACE not in method.input_type.fields_by_name:
        raise MethodUnsaid(f"{method.full_name} hides what is foreign, and its request has no namespace of its own")
    return Rule(permission, namespaces, hides)


def _readers(message: Descriptor, above: tuple[str, ...] = ()) -> Iterator[Reader]:
    """Reads of every namespace that a message of the kind may have in it."""
    if NAMESPACE in message.fields_by_name:
        # Where it is done. What a message within names beside it is kept as a text, such as the search behind a model.
        yield lambda request: (request.namespace,)
        return
    if message.full_name in above:
        return
    for field in message.fields:
        if field.message_type is not None and field.message_type.full_name == _FRAME:
            yield _of_frames(field.name, field.is_repeated)
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for inner in _readers(field.message_type, (*above, message.full_name)):
                yield _within(field.name, inner, field.is_repeated, field.containing_oneof is not None)


def _within(name: str, inner: Reader, is_repeated: bool, is_choice: bool) -> Reader:
    def many(request: Message) -> Iterator[str]:
        for one in getattr(request, name):
            yield from inner(one)

    def one(request: Message) -> Iterator[str]:
        # One that was left out is as an empty one: of the default namespace. Of a choice, another one was made.
        if not is_choice or request.HasField(name):
            yield from inner(getattr(request, name))

    return many if is_repeated else one


def _of_frames(name: str, is_repeated: bool) -> Reader:
    """Namespaces of frames, each once. One without ids is in the namespace of the one before it, whatever it says."""

    def many(request: Any) -> Iterable[str]:
        return {frame.namespace for frame in getattr(request, name) if frame.run_id or frame.writer_id}

    def one(request: Any) -> Iterable[str]:
        frame = getattr(request, name)
        return (frame.namespace,) if frame.run_id or frame.writer_id else ()

    return many if is_repeated else one
