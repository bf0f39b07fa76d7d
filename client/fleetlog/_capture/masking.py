"""Secrets in what is recorded: passwords in URLs, tokens of known shapes, and values of options that are named so."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "***"
_SECRET_NAME = re.compile(
    r"passw(?:or)?d|passphrase|secret|credential|(?:api|access|private|auth|account|encryption)[-_.]?key"
    r"|(?<![a-z])(?:auth|access|api|bearer|id|refresh|session)?[-_.]?token(?!s|iz|_?(?:id|len|size|count|type|dim))"
    r"|(?<![a-z])pwd(?![a-z])",
    re.IGNORECASE,
)
_TOKENS = re.compile(
    r"(?<![A-Za-z0-9_])(?:"
    r"gh[pousr]_[A-Za-z0-9]{20,}"
    r"|github_pat_[A-Za-z0-9_]{20,}"
    r"|gl(?:pat|ptt|dt|rt|cbt)-[A-Za-z0-9_-]{16,}"
    r"|(?:sk|rk|pk)[-_](?:[A-Za-z]{2,12}[-_]){0,3}[A-Za-z0-9_-]{16,}"
    r"|(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}"
    r"|hf_[A-Za-z0-9]{16,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}"
    r"|AIza[A-Za-z0-9_-]{30,}"
    r"|ya29\.[A-Za-z0-9_-]{20,}"
    r"|(?:npm|pypi|dop_v1|glsa|lin_api|nvapi)[-_][A-Za-z0-9_-]{20,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r")"
)
_KEY_BLOCK = re.compile(
    r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)(?:(?!-----END)[\s\S]){0,8192}(-----END [A-Z ]*PRIVATE KEY-----)?"
)
_CREDENTIALS = re.compile(r"(?<![A-Za-z0-9])([A-Za-z][A-Za-z0-9+.-]{1,20}://)([^\s/@'\"<>?#]+)@")
# From a word's begin alone: from each of its letters a long word would take the square of its length.
_ASSIGNED = re.compile(r"""(?<![\w.-])([A-Za-z_][\w.-]{0,80})(["']?\s*[=:]\s*)(["'])([^"'\n]{4,})\3""")
_VARIABLE = re.compile(r"\b([A-Z][A-Z0-9_]{3,})=([^\s'\"]{4,})")
_BEARER = re.compile(r"\b(Bearer|Basic)(\s+)[A-Za-z0-9._~+/=-]{16,}")


def masked(text: str) -> str:
    """The text without what looks like a secret. What is left is as it was."""
    if "://" in text:
        text = _CREDENTIALS.sub(_without_password, text)
    text = _TOKENS.sub(MASK, text)
    if "PRIVATE KEY" in text:
        text = _KEY_BLOCK.sub(rf"\1{MASK}\2", text)
    if "earer" in text or "asic" in text:
        text = _BEARER.sub(rf"\1\2{MASK}", text)
    if "=" in text or ":" in text:
        text = _ASSIGNED.sub(_assigned, text)
        text = _VARIABLE.sub(lambda found: f"{found[1]}={MASK}" if is_secret_name(found[1]) else found[0], text)
    return text


def _without_password(found: re.Match[str]) -> str:
    """An ssh user without a password is an address; anything else before an @ may be a token."""
    user, colon, _ = found[2].partition(":")
    if "ssh" in found[1].lower():
        return f"{found[1]}{user}{colon and ':' + MASK}@"
    return f"{found[1]}{MASK}@"


def _assigned(found: re.Match[str]) -> str:
    if not is_secret_name(found[1]):
        return found[0]
    return f"{found[1]}{found[2]}{found[3]}{MASK}{found[3]}"


def is_secret_name(name: str) -> bool:
    """True if a variable or an option of the name may hold a secret."""
    return _SECRET_NAME.search(name) is not None


def masked_arguments(arguments: Iterable[str]) -> list[str]:
    """A command line: also --token VALUE, --token=VALUE and token=VALUE, whatever the value looks like."""
    found: list[str] = []
    is_value = False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if is_value and not argument.startswith("-"):
            found.append(MASK)
            is_value = False
            continue
        is_value = False
        if equals and is_secret_name(name) and not re.search(r"\s", name):
            found.append(f"{name}={MASK}")
            continue
        if argument.startswith("-") and not equals and is_secret_name(argument):
            is_value = True
        found.append(masked(argument))
    return found


def without_credentials(url: str) -> str:
    """The address of a remote: of an https one all before the @ is left out."""
    found = _CREDENTIALS.match(url)
    if found is None or "ssh" in found[1].lower():
        return masked(url)
    return found[1] + url[found.end() :]
