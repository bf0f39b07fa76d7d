"""AuthService: who calls, and the tokens that say so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from fleetlog_core.applied import AppliedWatch
from fleetlog_core.auth.authentication import Authentication
from fleetlog_core.auth.identity import ADMIN, Grant, Identity, caller, grants_of
from fleetlog_core.auth.kept_tokens import KeptToken, read_tokens
from fleetlog_core.auth.tokens import new_token
from fleetlog_core.errors import FailedPrecondition, NotFound, shown
from fleetlog_core.ids import new_random_id
from fleetlog_core.log.port import EventLog
from fleetlog_core.position import to_proto
from fleetlog_core.rules.names import DEFAULT_NAMESPACE
from fleetlog_core.rules.tokens import check_grants, check_principal, check_token_end, check_token_name
from fleetlog_core.serving.denials import Denials
from fleetlog_core.serving.errors import Context
from fleetlog_core.serving.traces import ContextThreads
from fleetlog_core.warehouse.port import Warehouse
from fleetlog_proto.v1 import audit_pb2, frame_pb2, position_pb2, token_event_pb2, token_pb2, token_pb2_grpc

from fleetlog_ingest.gateway.control import Control, Decided, timeout_seconds

T = TypeVar("T")
THREADS = 2


class AuthServicer(token_pb2_grpc.AuthServiceServicer):
    """See protos/fleetlog/v1/token.proto. `authentication` None: the server asks for no tokens."""

    def __init__(
        self,
        log: EventLog,
        warehouse: Warehouse,
        applied: AppliedWatch,
        authentication: Authentication | None,
        denials: Denials,
    ) -> None:
        self._denials = denials
        self._warehouse = warehouse
        self._authentication = authentication
        self._executor = ContextThreads(THREADS, "tokens")
        self._control = Control(log, warehouse, applied, self._executor)

    def close(self) -> None:
        """Let the threads go."""
        self._executor.shutdown()

    async def WhoAmI(  # noqa: N802
        self, request: token_pb2.WhoAmIRequest, context: Context
    ) -> token_pb2.WhoAmIResponse:
        """See the proto."""
        identity = caller()
        return token_pb2.WhoAmIResponse(
            principal=identity.principal,
            token_name=identity.token_name,
            grants=[grant.to_proto() for grant in identity.grants],
            expire_time_millis=int(identity.expire_time * 1_000),
        )

    async def CreateToken(  # noqa: N802
        self, request: token_pb2.CreateTokenRequest, context: Context
    ) -> token_pb2.CreateTokenResponse:
        """See the proto."""
        authentication = self._authentication
        if authentication is None:
            raise FailedPrecondition(
                "AUTH_OFF", "the server asks nobody for a token; turn on [auth] there, or start it by `up --auth`"
            )
        name = check_token_name(request.name)
        principal = check_principal(request.principal or name)
        grants = check_grants(request.grants)
        check_token_end(request.expire_time_millis, time.time_ns() // 1_000_000)
        for grant in grants:
            caller().check(ADMIN, grant.namespace)
        made = new_token()
        intent = token_event_pb2.TokenCreated(
            token_id=made.token_id, name=name, principal=principal, grants=grants,
            expire_time_millis=request.expire_time_millis, salt=made.salt, digest=made.digest,
        )  # fmt: skip
        kept, position = await self._decide(frame_pb2.ControlRecord(token_created=intent), context)
        return token_pb2.CreateTokenResponse(token=kept, secret=made.text, position=position)

    async def ListTokens(  # noqa: N802
        self, request: token_pb2.ListTokensRequest, context: Context
    ) -> token_pb2.ListTokensResponse:
        """See the proto."""
        found = await self._do(lambda: list(read_tokens(self._warehouse.select).values()))
        seen = [one.token for one in reversed(found) if _is_seen(caller(), one)]
        return token_pb2.ListTokensResponse(
            tokens=[token for token in seen if request.revoked_too or not token.revoke_time_millis]
        )

    async def RevokeToken(  # noqa: N802
        self, request: token_pb2.RevokeTokenRequest, context: Context
    ) -> token_pb2.RevokeTokenResponse:
        """See the proto."""
        known = await self._do(lambda: list(read_tokens(self._warehouse.select).values()))
        token_id = _named(request.name, [one for one in known if _is_seen(caller(), one)])
        intent = token_event_pb2.TokenRevoked(token_id=token_id)
        kept, position = await self._decide(frame_pb2.ControlRecord(token_revoked=intent), context)
        return token_pb2.RevokeTokenResponse(token=kept, position=position)

    async def ListDenials(  # noqa: N802
        self, request: audit_pb2.ListDenialsRequest, context: Context
    ) -> audit_pb2.ListDenialsResponse:
        """See the proto."""
        return self._denials.answer(caller())

    async def _decide(
        self, record: frame_pb2.ControlRecord, context: Context
    ) -> tuple[token_pb2.Token, position_pb2.Position]:
        record.namespace, record.request_id = DEFAULT_NAMESPACE, new_random_id()
        record.user = caller().principal

        def answer(decided: Decided) -> tuple[token_pb2.Token, position_pb2.Position]:
            if self._authentication is not None:
                # Here at once; in other processes within their cycle.
                self._authentication.refresh()
            found = read_tokens(self._warehouse.select)[decided.result]
            return found.token, to_proto(decided.position)

        return await self._control.decide(record, timeout_seconds(context), answer)

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


def _is_seen(identity: Identity, kept: KeptToken) -> bool:
    """True if the caller is admin of everything that the token may do."""
    grants: Sequence[Grant] = grants_of(kept.token.grants)
    return all(ADMIN in identity.may(grant.namespace) for grant in grants)


def _named(name: str, known: Sequence[KeptToken]) -> str:
    """Id of the token of a name, or of an id. NotFound."""
    for one in known:
        if one.token.token_id == name or (one.token.name == name and not one.is_revoked):
            return one.token.token_id
    raise NotFound("TOKEN_NOT_FOUND", f"name: there is no token {shown(name)} that is yours to revoke")
