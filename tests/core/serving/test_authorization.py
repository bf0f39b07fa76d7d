"""Callers at a port: who is served what, message by message, and until when. Every call of the contract."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import fleetlog_proto.v1
import grpc
import pytest
from fleetlog_core.auth.authentication import Authentication
from fleetlog_core.auth.identity import ADMIN, APPROVE, NOBODY, READ, WRITE, Grant, caller
from fleetlog_core.auth.kept_tokens import KeptToken
from fleetlog_core.auth.permissions import rules_of
from fleetlog_core.auth.tokens import new_token
from fleetlog_core.serving.authorization import AuthorizationInterceptor
from fleetlog_core.serving.server import GrpcServer
from fleetlog_core.serving.telemetry import Telemetry
from fleetlog_proto.v1 import frame_pb2, ingest_pb2, permission_pb2, query_pb2, token_pb2
from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tests.core.serving.numbers import numbers

REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
GAVE_IN, DENIED, UNKNOWN = "OK", "PERMISSION_DENIED", "UNAUTHENTICATED"
MAY = {"reader": {READ}, "writer": {READ, WRITE}, "approver": {READ, APPROVE}, "admin": {READ, WRITE, APPROVE, ADMIN}}


def services() -> list[ServiceDescriptor]:
    found: list[ServiceDescriptor] = []
    for module in pkgutil.iter_modules(fleetlog_proto.v1.__path__, "fleetlog_proto.v1."):
        if module.name.endswith("_pb2"):
            found += importlib.import_module(module.name).DESCRIPTOR.services_by_name.values()
    return found


class Everything:
    """Serves every call of the contract with an empty answer, and says what namespace each had, and who called."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def register(self, service: ServiceDescriptor, server: grpc.aio.Server) -> None:
        handlers = {method.name: self._handler(method) for method in service.methods}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))

    def _handler(self, method: MethodDescriptor) -> Any:
        codec = GetMessageClass(method.input_type).FromString, lambda answer: answer.SerializeToString()
        answer = GetMessageClass(method.output_type)

        async def single(request: Any, context: object) -> Message:
            self._note(request)
            return answer()

        async def many(request: Any, context: object) -> AsyncIterator[Message]:
            self._note(request)
            yield answer()

        async def collected(requests: AsyncIterator[Any], context: object) -> Message:
            async for request in requests:
                self._note(request)
            return answer()

        async def streamed(requests: AsyncIterator[Any], context: object) -> AsyncIterator[Message]:
            async for request in requests:
                self._note(request)
                yield answer()

        if method.client_streaming and method.server_streaming:
            return grpc.stream_stream_rpc_method_handler(streamed, *codec)
        if method.client_streaming:
            return grpc.stream_unary_rpc_method_handler(collected, *codec)
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(many, *codec)
        return grpc.unary_unary_rpc_method_handler(single, *codec)

    def _note(self, request: Message) -> None:
        self.seen.append((caller().principal, getattr(request, "namespace", "")))


class Port:
    """A server of everything, the tokens that it knows, and a channel to it."""

    def __init__(self) -> None:
        self.tokens: dict[str, KeptToken] = {}
        self.behind = Everything()
        self.telemetry = Telemetry()
        self.interceptor = AuthorizationInterceptor(Authentication(lambda: dict(self.tokens)), self.telemetry.denials)
        self.channel: Any = None
        """Channel of gRPC's, whose calls here take bytes."""

    def token(self, *roles: str, seconds: float = 0.0) -> str:
        made = new_token()
        ends = int((time.time() + seconds) * 1_000) if seconds else 0
        token = token_pb2.Token(
            token_id=made.token_id, name="t", principal="ann", expire_time_millis=ends,
            grants=[Grant.of(role).to_proto() for role in roles],
        )  # fmt: skip
        self.tokens[made.token_id] = KeptToken(token, made.salt, made.digest)
        return made.text

    def revoke(self, text: str) -> None:
        kept = self.tokens[text.split("_")[1]]
        token = token_pb2.Token(revoke_time_millis=1)
        token.MergeFrom(kept.token)
        self.tokens[token.token_id] = KeptToken(token, kept.salt, kept.digest)

    def stream(self, token: str) -> Any:
        call = self.channel.stream_stream("/fleetlog.v1.IngestService/AppendEvents")
        return call(metadata=headers(token), timeout=100)

    async def code(self, method: MethodDescriptor, request: Message, token: str) -> str:
        """The code of one call."""
        name, data = f"/{method.containing_service.full_name}/{method.name}", request.SerializeToString()
        options: dict[str, Any] = {"metadata": headers(token), "timeout": 100}

        async def requests() -> AsyncIterator[bytes]:
            yield data

        try:
            if method.client_streaming and method.server_streaming:
                async for _ in self.channel.stream_stream(name)(requests(), **options):
                    pass
            elif method.client_streaming:
                await self.channel.stream_unary(name)(requests(), **options)
            elif method.server_streaming:
                async for _ in self.channel.unary_stream(name)(data, **options):
                    pass
            else:
                await self.channel.unary_unary(name)(data, **options)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return GAVE_IN


async def end_of(stream: Any) -> tuple[str, str]:
    """Code and words with which a stream ends, after what it may still have to say."""
    try:
        while await stream.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        return error.code().name, error.details() or ""
    return GAVE_IN, ""


def headers(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),) if token else ()


@asynccontextmanager
async def serving() -> AsyncIterator[Port]:
    port = Port()
    server = GrpcServer("127.0.0.1", 0, port.telemetry, authorization=port.interceptor)
    for service in services():
        server.add(partial(port.behind.register, service), service.full_name)
    address = f"127.0.0.1:{await server.start()}"
    async with grpc.aio.insecure_channel(address, (("grpc.use_local_subchannel_pool", 1),)) as channel:
        port.channel = channel
        try:
            yield port
        finally:
            await asyncio.shield(server.drain(0.0))


def request_of(method: MethodDescriptor, namespace: str) -> Message:
    """A request that names the namespace wherever it can."""
    request = GetMessageClass(method.input_type)()
    _name(request, method.input_type, namespace)
    return request


def _name(request: Any, kind: Descriptor | None, namespace: str) -> None:
    for field in kind.fields if kind is not None else ():
        if field.name == "namespace":
            request.namespace = namespace
        elif field.name in ("scope", "search", "header", "frame"):
            inner = getattr(request, field.name)
            inner.SetInParent()
            _name(inner, field.message_type, namespace)
    if isinstance(request, frame_pb2.Frame):
        request.run_id = request.writer_id = bytes(16)


def methods() -> Iterator[MethodDescriptor]:
    return (method for service in services() for method in service.methods)


def test_every_call_serves_those_who_may_and_nobody_else() -> None:
    async def scenario() -> None:
        async with serving() as port:
            tokens = {role: port.token(f"{role}@own") for role in MAY}
            await port.interceptor.refresh()
            rules = rules_of([service.full_name for service in services()])
            for method in methods():
                rule = rules[f"/{method.containing_service.full_name}/{method.name}"]
                asked = request_of(method, "own"), request_of(method, "foreign")
                assert await port.code(method, asked[0], "") == UNKNOWN, method.full_name
                assert await port.code(method, asked[0], "flt_wrong") == UNKNOWN, method.full_name
                for role, may in MAY.items():
                    is_free = rule.permission == permission_pb2.PERMISSION_IDENTIFIED
                    own = GAVE_IN if is_free or rule.permission in may else DENIED
                    foreign = GAVE_IN if is_free or rule.hides else DENIED
                    port.behind.seen.clear()
                    codes = [await port.code(method, request, tokens[role]) for request in asked]
                    assert codes == [own, foreign], (method.full_name, role)
                    # What is not the caller's is looked for where nothing is.
                    assert all(seen != ("ann", "foreign") for seen in port.behind.seen), method.full_name

    asyncio.run(scenario())


def test_a_second_message_of_a_stream_may_not_name_another_namespace() -> None:
    def request(namespace: str) -> bytes:
        frame = frame_pb2.Frame(namespace=namespace, run_id=bytes(16))
        return ingest_pb2.AppendEventsRequest(frame=frame).SerializeToString()

    async def scenario() -> None:
        async with serving() as port:
            token = port.token("writer@own", "writer@too", "reader@foreign")
            await port.interceptor.refresh()
            stream = port.stream(token)
            for namespace in ("own", "too", "own"):
                await stream.write(request(namespace))
                assert await stream.read() == b""
            await stream.write(request("foreign"))
            code, told = await end_of(stream)
            assert code == DENIED
            assert "'foreign'" in told

    asyncio.run(scenario())


def test_a_stream_ends_when_its_token_is_revoked_or_ends() -> None:
    async def scenario() -> None:
        async with serving() as port:
            revoked, ends, stays = (port.token("writer@own", seconds=seconds) for seconds in (0.0, 1.0, 0.0))
            await port.interceptor.refresh()
            frame = frame_pb2.Frame(namespace="own", run_id=bytes(16))
            data = ingest_pb2.AppendEventsRequest(frame=frame).SerializeToString()
            other, second = port.stream(stays), port.stream(ends)
            first = port.stream(revoked)
            for stream in (first, other):
                await stream.write(data)
                assert await stream.read() == b""
            port.revoke(revoked)
            await port.interceptor.refresh()
            ends_of = [await end_of(stream) for stream in (first, second)]
            assert ends_of[0] == ends_of[1]
            assert ends_of[0][0] == UNKNOWN
            await other.write(data)
            assert await other.read() == b""
            other.cancel()

    asyncio.run(scenario())


def test_health_is_for_everybody_and_reflection_for_those_who_have_a_token() -> None:
    async def scenario() -> None:
        async with serving() as port:
            token = port.token("reader@own")
            await port.interceptor.refresh()
            assert await port.channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=60)
            for shown, code in ((token, grpc.StatusCode.OK), ("", grpc.StatusCode.UNAUTHENTICATED)):
                call = port.channel.stream_stream(REFLECTION)(metadata=headers(shown), timeout=60)
                await call.done_writing()
                assert (await end_of(call))[0] == code.name

    asyncio.run(scenario())


def test_a_run_of_others_and_one_that_is_not_there_are_asked_for_alike() -> None:
    async def scenario() -> None:
        async with serving() as port:
            token = port.token("reader@own")
            await port.interceptor.refresh()
            method = query_pb2.DESCRIPTOR.services_by_name["QueryService"].methods_by_name["GetRun"]
            assert await port.code(method, request_of(method, "foreign"), token) == GAVE_IN
            ((_, namespace),) = port.behind.seen
            assert len(namespace) == 64

    asyncio.run(scenario())


def test_a_stranger_is_refused_before_a_message_is_received_and_is_noted_and_counted() -> None:
    async def scenario() -> None:
        async with serving() as port:
            await port.interceptor.refresh()
            for method in ("/fleetlog.v1.QueryService/GetRun", "/fleetlog.v1.IngestService/AppendEvents"):
                for shown in ("", "flt_wrong"):
                    # A call that never says a word, whatever kind of call it is.
                    call = port.channel.stream_stream(method)(metadata=headers(shown), timeout=100)
                    assert (await end_of(call))[0] == UNKNOWN
            assert port.behind.seen == []
            noted = [(one.method, one.reason) for one in port.telemetry.denials.answer(NOBODY).denials]
            assert noted == 2 * [("fleetlog.v1.IngestService/AppendEvents", UNKNOWN)] + 2 * [
                ("fleetlog.v1.QueryService/GetRun", UNKNOWN)
            ]
            told = numbers(port.telemetry.text())
            assert told["fleetlog_rpc_failures_total", UNKNOWN, "QueryService/GetRun"] == 2

    asyncio.run(scenario())


def test_a_token_that_is_revoked_between_the_begin_of_a_call_and_its_message_is_worth_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        async with serving() as port:
            token = port.token("reader@own")
            await port.interceptor.refresh()
            asked, admits = asyncio.Event(), port.interceptor.admits

            def noted(details: grpc.HandlerCallDetails) -> bool:
                asked.set()
                return admits(details)

            monkeypatch.setattr(port.interceptor, "admits", noted)
            call = port.channel.stream_stream("/fleetlog.v1.QueryService/GetRun")(metadata=headers(token), timeout=100)
            await asked.wait()
            port.revoke(token)
            await port.interceptor.refresh()
            await call.write(query_pb2.GetRunRequest(namespace="own", run_id="0" * 32).SerializeToString())
            assert (await end_of(call))[0] == UNKNOWN
            assert port.behind.seen == []

    asyncio.run(scenario())


def test_calls_of_one_method_share_a_handler_and_not_their_callers() -> None:
    async def scenario() -> None:
        async with serving() as port:
            ours, theirs = port.token("reader@own"), port.token("reader@foreign")
            await port.interceptor.refresh()
            method = query_pb2.DESCRIPTOR.services_by_name["QueryService"].methods_by_name["SearchRuns"]
            asked = [(token, namespace) for token in (ours, theirs, "") for namespace in ("own", "foreign")] * 20
            codes = await asyncio.gather(
                *(port.code(method, request_of(method, namespace), token) for token, namespace in asked)
            )
            assert codes == [GAVE_IN, DENIED, DENIED, GAVE_IN, UNKNOWN, UNKNOWN] * 20

    asyncio.run(scenario())
