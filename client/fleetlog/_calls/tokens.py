"""Who calls, and the tokens that say so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_proto.v1 import token_event_pb2, token_pb2

from fleetlog._calls.base import Calls
from fleetlog._transport.answers import understood
from fleetlog._values import arguments
from fleetlog._views.tokens import ROLES, Caller, NewToken, Token


class TokenCalls(Calls):
    """Tokens of the server, and who it takes this process for."""

    def whoami(self) -> Caller:
        """Who the server takes this process for, and what it may do.

        Raises:
            Unauthenticated: The server wants a token, and what was given is not a valid one.

        Examples:
            >>> client.whoami().roles
            ('admin@*',)

        """
        answer = self._connection.call(self._connection.auth.WhoAmI, token_pb2.WhoAmIRequest(), self.timeout)
        with understood(self.target, "WhoAmI"):
            return Caller.of(answer)

    def create_token(
        self,
        name: str,
        roles: str | Sequence[str],
        *,
        principal: str = "",
        expires: datetime | timedelta | None = None,
    ) -> NewToken:
        """Make a token. Its secret is shown this once.

        Args:
            name: Up to 63 letters, digits, ".", "_" and "-", unique among tokens that are not revoked.
            roles: Such as "writer@vision", "reader@*", "approver@vision", "admin@*"; without a namespace it is the
                client's own.
            principal: Who uses it; "" = the name.
            expires: When it ends, or in how long; None = never.

        Raises:
            PermissionDenied: The caller is not admin of every namespace in the roles.
            AlreadyExists: There is a token of that name.

        Examples:
            >>> from datetime import timedelta
            >>> made = client.create_token("ci", "writer@vision", expires=timedelta(days=90))  # doctest: +SKIP

        """
        given = arguments.texts("roles", roles)
        request = token_pb2.CreateTokenRequest(
            name=arguments.one_text("name", name),
            principal=arguments.one_text("principal", principal),
            grants=[self._grant(one) for one in given],
            expire_time_millis=_end(expires),
        )
        connection = self._connection
        # Not sent again when the connection breaks: the token that was made then is one that nobody has.
        with connection.calling():
            answer = connection.auth.CreateToken(request, timeout=self.timeout)
        connection.saw(answer.position)
        with understood(self.target, "CreateToken"):
            return NewToken(Token.of(answer.token), answer.secret)

    def tokens(self, *, revoked_too: bool = False) -> list[Token]:
        """List tokens, the latest first: those of whose roles the caller is admin.

        Args:
            revoked_too: Whether those that were revoked are listed too.

        Examples:
            >>> client.tokens()
            []

        """
        request = token_pb2.ListTokensRequest(revoked_too=arguments.flag("revoked_too", revoked_too))
        answer = self._connection.call(self._connection.auth.ListTokens, request, self.timeout)
        with understood(self.target, "ListTokens"):
            return [Token.of(one) for one in answer.tokens]

    def revoke_token(self, name: str | Token) -> Token:
        """Revoke a token: every server refuses it within two seconds, and ends what is under way with it.

        Args:
            name: Its name, its id, or a Token.

        Raises:
            NotFound: There is no token of that name that is the caller's to revoke.

        Examples:
            >>> for token in client.tokens():
            ...     if token.principal == "ann":
            ...         token = client.revoke_token(token)

        """
        request = token_pb2.RevokeTokenRequest(name=name.id if isinstance(name, Token) else name)
        answer = self._connection.call(self._connection.auth.RevokeToken, request, self.timeout)
        self._connection.saw(answer.position)
        with understood(self.target, "RevokeToken"):
            return Token.of(answer.token)

    def _grant(self, text: str) -> token_event_pb2.Grant:
        word, at, namespace = text.partition("@")
        if word not in ROLES or (at and not namespace):
            raise InvalidArgument.of_field(
                "ROLE_INVALID", "roles", f"{shown(text)} is no role; give {', '.join(ROLES)}, such as writer@vision"
            )
        return token_event_pb2.Grant(namespace=namespace or self.namespace, role=ROLES[word])


def _end(expires: datetime | timedelta | None) -> int:
    if expires is None:
        return 0
    moment = datetime.now(UTC) + expires if isinstance(expires, timedelta) else expires
    return int(moment.timestamp() * 1_000)
