"""Names: namespaces, runs, experiments, users, and the keys of params, tags and metrics."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.printable import hidden_character

DEFAULT_NAMESPACE = "default"
_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9_-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_RIGHT_KEYS: set[str] = set()
"""Keys that were found right: nearly every event has the same ones as others before it."""
_MOST_RIGHT_KEYS = 20_000


def check_namespace(text: str, field: str = "namespace") -> str:
    """The namespace; "" is "default". INVALID_NAMESPACE."""
    if not text:
        return DEFAULT_NAMESPACE
    if len(text) > limits.NAMESPACE_CHARACTERS or not _NAMESPACE.fullmatch(text):
        raise InvalidArgument.of_field(
            "INVALID_NAMESPACE",
            field,
            f"{shown(text)} is not 1 to {limits.NAMESPACE_CHARACTERS} of a-z 0-9 - _ that begin with a letter or digit;"
            " rename it",
        )
    return text


def check_key(key: str, field: str, *, written: bool = True) -> None:
    """A key of a param, tag or metric. KEY_EMPTY, KEY_TOO_LONG, KEY_INVALID.

    Hidden characters are refused only in what is `written`: older keys may have them, and can be deleted.
    """
    if key in _RIGHT_KEYS:
        return
    if not key:
        raise InvalidArgument.of_field(
            "KEY_EMPTY", field, f"a key is empty; give it 1 to {limits.KEY_CHARACTERS} characters"
        )
    if len(key) > limits.KEY_CHARACTERS:
        raise InvalidArgument.of_field(
            "KEY_TOO_LONG",
            field,
            f"{shown(key)} has {len(key):,} characters, at most {limits.KEY_CHARACTERS}; shorten it",
        )
    if _CONTROL.search(key) or _SURROGATE.search(key):
        raise InvalidArgument.of_field("KEY_INVALID", field, f"{shown(key)} has a control character; leave it out")
    if "/" in key and any(part in ("", ".", "..") for part in key.split("/")):
        raise InvalidArgument.of_field(
            "KEY_INVALID", field, f"{shown(key)} has an empty, '.' or '..' part between slashes; name every part"
        )
    if key in (".", ".."):
        raise InvalidArgument.of_field("KEY_INVALID", field, f"{shown(key)} is not a name; give it another")
    if not written:
        return
    _check_seen("KEY_INVALID", key, field)
    if len(_RIGHT_KEYS) >= _MOST_RIGHT_KEYS:
        _RIGHT_KEYS.clear()
    _RIGHT_KEYS.add(key)


def check_keys(keys: Sequence[str], field_of: Callable[[int], str]) -> None:
    """Each of them as by check_key; `field_of` names the one at a place."""
    if not _RIGHT_KEYS.issuperset(keys):
        for place, key in enumerate(keys):
            check_key(key, field_of(place))


def fits(text: str) -> bool:
    """Whether a text is short enough at a glance."""
    return len(text) * 4 <= limits.TEXT_BYTES


def check_text(text: str, field: str, text_bytes: int = limits.TEXT_BYTES) -> None:
    """The value of a tag or of a text param. TEXT_TOO_LONG."""
    if not fits(text) and len(text.encode("utf-8", "surrogatepass")) > text_bytes:
        raise InvalidArgument.of_field(
            "TEXT_TOO_LONG",
            field,
            f"{shown(text)} has more than {text_bytes:,} bytes; log it as an artifact",
        )


def check_tags(tags: Mapping[str, str], field: str, text_bytes: int = limits.TEXT_BYTES) -> None:
    """Keys and texts."""
    keys = list(tags)
    check_keys(keys, lambda place: field)
    for key in keys:
        if not fits(text := tags[key]):
            check_text(text, f"{field}[{shown(key)}]", text_bytes)


def check_run_name(name: str, field: str) -> None:
    """A run's display name, may be empty. NAME_TOO_LONG, NAME_INVALID."""
    check_label(name, field, limits.RUN_NAME_CHARACTERS)


def check_user(user: str, field: str) -> None:
    """Who started a run, may be empty. NAME_TOO_LONG, NAME_INVALID."""
    check_label(user, field, limits.USER_CHARACTERS)


def check_experiment_name(name: str, field: str = "name") -> None:
    """An experiment's name. NAME_EMPTY, NAME_TOO_LONG, NAME_INVALID."""
    if not name.strip():
        raise InvalidArgument.of_field(
            "NAME_EMPTY", field, f"the name is empty; give it 1 to {limits.EXPERIMENT_NAME_CHARACTERS} characters"
        )
    check_label(name, field, limits.EXPERIMENT_NAME_CHARACTERS)
    _check_seen("NAME_INVALID", name, field)


def check_artifact_location(uri: str, field: str) -> None:
    """Where somebody keeps an experiment's artifacts, may be empty. TEXT_TOO_LONG, NAME_INVALID."""
    if len(uri.encode("utf-8", "surrogatepass")) > limits.ARTIFACT_LOCATION_BYTES:
        raise InvalidArgument.of_field(
            "TEXT_TOO_LONG",
            field,
            f"{shown(uri)} has more than {limits.ARTIFACT_LOCATION_BYTES:,} bytes; give a shorter URI",
        )
    check_label(uri, field, limits.ARTIFACT_LOCATION_BYTES)


def check_label(name: str, field: str, limit: int) -> None:
    """A text of one line, may be empty. NAME_TOO_LONG, NAME_INVALID."""
    if len(name) > limit:
        raise InvalidArgument.of_field(
            "NAME_TOO_LONG", field, f"{shown(name)} has {len(name):,} characters, at most {limit}; shorten it"
        )
    if _CONTROL.search(name) or _SURROGATE.search(name):
        raise InvalidArgument.of_field("NAME_INVALID", field, f"{shown(name)} has a control character; leave it out")


def _check_seen(reason: str, text: str, field: str) -> None:
    """Two names that look alike are two names: what is looked up by its name has no hidden character."""
    hidden = hidden_character(text)
    if hidden:
        raise InvalidArgument.of_field(reason, field, f"{shown(text)} has {hidden}, which is not seen; leave it out")
