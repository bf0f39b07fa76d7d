"""Pages of lists: how much of a list a request asks for, behind which place, and the token of the page that follows."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument
from fleetlog_core.rules.names import check_namespace
from fleetlog_proto.v1 import scope_pb2
from google.protobuf.message import Message

from fleetlog_query.search.token import PageTokens, check_page_size

DEFAULT_SIZE = 100
_BESIDE = ("namespace", "page_size", "page_token", "at_least")
"""Fields that do not tell one list from another; the namespace is told by its name."""
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is asked for: `size` items at most, behind the place that its token holds; [] = the first page."""

    size: int
    after: list[Any]
    purpose: str
    tokens: PageTokens

    @classmethod
    def of(
        cls, tokens: PageTokens, request: Message, namespace: str, default: int = DEFAULT_SIZE,
        most: int = limits.PAGE_SIZE,
    ) -> Page:  # fmt: skip
        """The page of a request with page_size and page_token. PAGE_SIZE_NEGATIVE, PAGE_TOKEN_INVALID."""
        asked = {field.name: value for field, value in request.ListFields()}
        size = check_page_size(asked.get("page_size", 0), default, most)
        purpose, token = _purpose(request, check_namespace(namespace)), asked.get("page_token", "")
        return cls(size, tokens.read(purpose, token) if token else [], purpose, tokens)

    def token(self, place: Sequence[Any]) -> str:
        """The token of the page behind a place (JSON)."""
        return self.tokens.make(self.purpose, list(place))

    def cut(self, found: Sequence[Item], place_of: Callable[[Item], Sequence[Any]]) -> tuple[Sequence[Item], str]:
        """The items of the page and the token of the next, "" at the end; one more item than `size` tells of that."""
        token = self.token(place_of(found[self.size - 1])) if len(found) > self.size else ""
        return found[: self.size], token


def check_contains(text: str) -> None:
    """OVER_LIMIT for a text that is too long to be looked for in every name of a list."""
    if len(text) > limits.FACET_TEXT_CHARACTERS:
        what = f"{len(text):,} characters, at most {limits.FACET_TEXT_CHARACTERS:,}"
        raise InvalidArgument.of_field("OVER_LIMIT", "contains", what)


def _purpose(request: Message, namespace: str) -> str:
    """Purpose that a token belongs to: all of the request but the page and the position that is waited for."""
    asked = copy.deepcopy(request)
    scopes = [value for _, value in asked.ListFields() if isinstance(value, scope_pb2.RunScope)]
    for part in (asked, *scopes):
        for name in _BESIDE:
            if name in part.DESCRIPTOR.fields_by_name:
                part.ClearField(name)
    data = namespace.encode() + b"\0" + asked.SerializeToString(deterministic=True)
    return f"{asked.DESCRIPTOR.name}:{hashlib.sha256(data).hexdigest()}"
