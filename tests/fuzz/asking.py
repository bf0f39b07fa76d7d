"""Calls with any bytes, by gRPC and by HTTP, and what no answer may be."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import grpc
from fleetlog_proto.v1 import ingest_pb2
from fleetlog_query.web.methods import METHODS, Method
from google.rpc import error_details_pb2, status_pb2

from tests.end_to_end.refusals import HIDDEN

SECONDS = 20.0
WATCH_SECONDS = 0.5
"""Deadline of calls that last."""
ANSWERS = 3
"""Answers of a stream that are read."""
FAULTS = frozenset({"INTERNAL", "UNKNOWN", "UNAVAILABLE", "UNIMPLEMENTED", "DATA_LOSS"})
"""Codes that say that the server is at fault, whatever it was sent."""
HOSTS = tuple(name for name in (socket.gethostname(),) if len(name) > 3)
"""Names of this machine, if they are so long that no random text has them."""
TELL_OF_PROCESSES = ("/ListDenials", "/ListEvents")
"""Calls that tell who may ask which gateway it was."""
OPTIONS = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))


class Finding(AssertionError):
    """An answer that must not be."""


@dataclass
class Server:
    """A server under attack."""

    channel: grpc.Channel
    web_port: int
    secrets: Sequence[str] = ()
    """Texts that no answer and no line of its log may have: its paths, its tokens."""
    connection: http.client.HTTPConnection | None = field(default=None, init=False)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter, init=False)
    """Answers by call and code."""

    def close(self) -> None:
        """Let the connection of HTTP go."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def ask(self, method: Method, requests: Sequence[bytes], token: str = "") -> None:
        """Ask by gRPC. Finding."""
        self.outcomes[method.path.rpartition("/")[2], self._ask(method, requests, token)] += 1

    def _ask(self, method: Method, requests: Sequence[bytes], token: str) -> str:
        """Code of the answer. Finding."""
        metadata = (("authorization", token),) if token else ()
        seconds = WATCH_SECONDS if method.path.endswith("WatchRuns") else SECONDS
        given = iter(requests) if method.streams_requests else requests[0]
        kind = {(True, True): "stream_stream", (True, False): "stream_unary", (False, True): "unary_stream"}.get(
            (method.streams_requests, method.streams_responses), "unary_unary"
        )
        call = getattr(self.channel, kind)(method.path)
        try:
            answer = call(given, timeout=seconds, metadata=metadata)
            if method.streams_responses:
                for _, data in zip(range(ANSWERS), answer, strict=False):
                    self._answered(method, data)
                answer.cancel()
            else:
                self._answered(method, answer)
        except grpc.RpcError as error:
            return self._refused(method, error)
        return "OK"

    def ask_by_http(self, method: Method, content_type: str, body: bytes, headers: dict[str, str]) -> None:
        """Ask by HTTP. Finding."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.web_port, timeout=SECONDS)
        timeout = str(int((WATCH_SECONDS if method.path.endswith("WatchRuns") else SECONDS) * 1000))
        try:
            self.connection.request(
                "POST", method.path, body,
                {"content-type": content_type, "connect-timeout-ms": timeout, **headers},
            )  # fmt: skip
            response = self.connection.getresponse()
            data = response.read()
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise Finding(f"{method.path} by HTTP has no answer: {error!r}") from error
        self._clean(method, data.decode("utf-8", "replace"))
        if response.status >= 400:
            told = json.loads(data)
            self._short(method, str(told["message"]))
            is_fault = response.status >= 500 and told["code"].upper() in FAULTS
            if is_fault or not told["reason"]:
                raise Finding(f"{method.path} by HTTP: {response.status} {data[:1000]!r}")
        elif response.status != 200:
            raise Finding(f"{method.path} by HTTP: {response.status}")
        self.outcomes[method.path.rpartition("/")[2], str(response.status)] += 1

    def _answered(self, method: Method, data: bytes) -> None:
        self._clean(method, data.decode("latin-1"))
        if method.path.endswith("/AppendEvents"):
            response = ingest_pb2.AppendEventsResponse.FromString(data)
            for answer in (response, *response.more_responses):
                statuses = [answer.status] if answer.HasField("status") else []
                for status in (*statuses, *(refusal.status for refusal in answer.refusals)):
                    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
                    self._told(method, code.name, status)

    def _refused(self, method: Method, error: grpc.RpcError) -> str:
        code = error.code().name
        if code in ("DEADLINE_EXCEEDED", "CANCELLED") or (code == "RESOURCE_EXHAUSTED" and _is_grpcs(error)):
            # Of the client here, or of gRPC itself, which says sizes alone.
            return str(code)
        status = status_pb2.Status(message=error.details() or "")
        for item in error.trailing_metadata() or ():
            if item.key == "grpc-status-details-bin":
                status = status_pb2.Status.FromString(item.value)
        self._told(method, code, status)
        return str(code)

    def _told(self, method: Method, code: str, status: status_pb2.Status) -> None:
        reasons = []
        for detail in status.details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                reasons.append(info.reason)
        if code in FAULTS or len(reasons) != 1 or not reasons[0]:
            raise Finding(f"{method.path}: {code} {reasons} {status.message!r}")
        self._clean(method, str(status.SerializeToString()))
        self._short(method, status.message)

    def _clean(self, method: Method, text: str) -> None:
        hosts = () if method.path.endswith(TELL_OF_PROCESSES) else HOSTS
        for secret in (*self.secrets, "Traceback (most", "fleetlog_core", "site-packages", *hosts):
            if secret in text:
                raise Finding(f"{method.path}: {secret!r} is in {text[:2000]!r}")

    def _short(self, method: Method, message: str) -> None:
        first, *quoted = message.split("\n")
        hidden = [word for word in HIDDEN if word in first]
        if hidden or not message or len(message) > 1_100 or not all(line.isprintable() for line in (first, *quoted)):
            raise Finding(f"{method.path}: {hidden} {message!r}")


def _is_grpcs(error: grpc.RpcError) -> bool:
    return not any(item.key == "grpc-status-details-bin" for item in error.trailing_metadata() or ())


def enveloped(messages: Iterable[bytes]) -> bytes:
    """Messages as Connect's streams have them."""
    return b"".join(struct.pack(">BI", 0, len(one)) + one for one in messages)


EVERY = tuple(METHODS.values())
