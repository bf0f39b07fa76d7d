"""What claims of an identity provider's token are worth: a small table of rules. Pure.

    groups=ml-team: writer@vision, reader@*; email=*@example.com: reader

A rule is claim=value: roles; rules stand between semicolons or line breaks. `*` in a value stands for any text. A claim
within another is named with dots (realm_access.roles). A claim that is a list has each of its values. Every rule that
holds adds its roles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from fleetlog_core.auth.identity import Grant
from fleetlog_core.errors import InvalidArgument

_RULE = re.compile(r"\s*([^=\s:]+)\s*=\s*([^:]*[^:\s])\s*:\s*(.+?)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """Roles of those whose token has a claim of this value."""

    claim: str
    value: str
    grants: tuple[Grant, ...]

    def holds(self, claims: Mapping[str, object]) -> bool:
        """True if the claim has the value, or is a list in which it is."""
        pattern = re.sub(r"[\[\]?]", lambda sign: f"[{sign[0]}]", self.value)
        return any(fnmatchcase(value, pattern) for value in _values(claims, self.claim))


def rules_of(text: str) -> tuple[ClaimRule, ...]:
    """The rules of a table. ValueError names the one that is wrong."""
    return tuple(_rule(part) for part in re.split(r"[;\n]", text) if part.strip())


def grants_by(rules: tuple[ClaimRule, ...], claims: Mapping[str, object]) -> tuple[Grant, ...]:
    """Everything that the rules give to somebody with these claims."""
    return tuple(dict.fromkeys(grant for rule in rules if rule.holds(claims) for grant in rule.grants))


def _rule(text: str) -> ClaimRule:
    parts = _RULE.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text.strip()[:100]!r} is no rule; give claim=value: role@namespace")
    try:
        grants = tuple(Grant.of(one) for one in parts[3].split(","))
    except InvalidArgument as error:
        raise ValueError(f"in {text.strip()[:100]!r}, {error.message}") from None
    return ClaimRule(parts[1], parts[2], grants)


def _values(claims: Mapping[str, object], name: str) -> Iterator[str]:
    """Texts of a claim. Its name as a whole goes before its parts: providers have claims whose names are URLs."""
    found: object = claims.get(name)
    if found is None:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    for value in found if isinstance(found, list) else [found]:
        if isinstance(value, bool):
            yield "true" if value else "false"
        elif isinstance(value, (str, int)):
            yield str(value)
