"""Arguments of reads and changes, checked before anything is sent: a wrong one names itself, its value and the mend.

An argument of a type that is not known is refused. It is never taken for one that was left out: that would search a
whole namespace.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar
from uuid import UUID

from fleetlog_core.errors import InvalidArgument, shown
from fleetlog_core.ids import parse_id
from fleetlog_core.rules.names import check_tags
from fleetlog_core.rules.registry import check_model_tags

from fleetlog._values.params import SEPARATOR, to_tags
from fleetlog._values.values import Unusable, display, number, step_number, text


class HasId(Protocol):
    """A Run or a RunView."""

    @property
    def id(self) -> str:
        """32 hexadecimal digits."""
        ...


AnyRun = str | UUID | HasId
"""A run: its id as text or UUID, or itself."""
T = TypeVar("T")
_INT64 = 1 << 63


def invalid(name: str, value: object, expected: str, reason: str = "ARGUMENT_INVALID") -> InvalidArgument:
    """The error of one argument: its name, its value and type, and what was expected."""
    return InvalidArgument.of_field(reason, name, f"{display(value)} ({type(value).__name__}) is not {expected}")


def choice(name: str, word: object, words: Mapping[T, Any], reason: str = "ARGUMENT_INVALID") -> T:
    """The word when it is one of `words`. InvalidArgument names them, and the one that was probably meant."""
    for known in words:
        if type(word) is type(known) and word == known:
            return known
    names = [str(known) for known in words if known != ""]
    near = difflib.get_close_matches(str(word).lower(), names, 1) if isinstance(word, str) else []
    meant = f"; did you mean {shown(near[0])}?" if near else ""
    raise InvalidArgument.of_field(reason, name, f"{display(word)} is none of {', '.join(names)}{meant}")


def one_text(name: str, value: object) -> str:
    """A text. InvalidArgument."""
    if not isinstance(value, str):
        raise invalid(name, value, "a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise invalid(name, value, "a text of Unicode: it has half a surrogate pair") from None
    return str.__str__(value)


def texts(name: str, given: object) -> list[str]:
    """Several texts, or one of them by itself; none for None. InvalidArgument names the item that is no text."""
    return [one_text(name if isinstance(given, str) else f"{name}[{place}]", one) for place, one in _each(name, given)]


def _each(name: str, given: Any) -> Iterable[tuple[int, Any]]:
    if given is None:
        return ()
    if isinstance(given, str):
        return ((0, given),)
    if isinstance(given, (bytes, bytearray, Mapping)) or not hasattr(given, "__iter__"):
        raise invalid(name, given, "a text or a list of texts")
    return enumerate(given)


def flag(name: str, value: object) -> bool:
    """True or False. InvalidArgument."""
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return bool(value)
    raise invalid(name, value, "True or False")


def count(name: str, value: object, least: int, most: int = _INT64 - 1) -> int:
    """A whole number of this range. InvalidArgument: OVER_LIMIT for one outside it, as servers say."""
    reason = "ARGUMENT_INVALID"
    if not isinstance(value, (bool, str, bytes)):
        try:
            found = step_number(value)
        except Unusable:
            pass
        else:
            if least <= found <= most:
                return found
            reason = "OVER_LIMIT"
    limit = f"a whole number from {least:,}" + (f" to {most:,}" if most < _INT64 - 1 else "")
    raise invalid(name, value, limit, reason)


def real(name: str, value: object) -> float:
    """A number. InvalidArgument."""
    try:
        if not isinstance(value, (bool, str, bytes)):
            return number(value)
    except Unusable:
        pass
    raise invalid(name, value, "a number")


def seconds(name: str, value: object) -> float:
    """Seconds of a wait: a finite number from 0. InvalidArgument."""
    found = real(name, value)
    if not 0 <= found < float("inf"):
        raise invalid(name, value, "a number of seconds from 0", "OVER_LIMIT")
    return found


def maybe_count(name: str, value: object, least: int, most: int = _INT64 - 1) -> int | None:
    """As `count`; None for None."""
    return None if value is None else count(name, value, least, most)


def run_id(value: object, name: str = "run_id") -> str:
    """The id of a run: 32 hexadecimal digits, a UUID, or a Run or RunView. InvalidArgument INVALID_ID."""
    given = value.hex if isinstance(value, UUID) else getattr(value, "id", value)
    if not isinstance(given, str):
        raise invalid(name, value, "a run id: give its 32 hexadecimal digits, a run or a uuid.UUID", "INVALID_ID")
    return parse_id(given, name).hex()


MODEL_PREFIX = "m-"
"""Begins the id of a logged model, before its 32 hexadecimal digits."""


def owner_id(value: object, name: str = "run_id") -> str:
    """The id of a run, as run_id; or of a logged model, with its prefix. InvalidArgument INVALID_ID."""
    if isinstance(value, str) and value.startswith(MODEL_PREFIX):
        return MODEL_PREFIX + parse_id(value.removeprefix(MODEL_PREFIX), name).hex()
    return run_id(value, name)


def run_ids(given: Any, name: str = "run_ids") -> list[str]:
    """The ids of several runs, or of one. InvalidArgument INVALID_ID names the one that is none."""
    if isinstance(given, (str, UUID)) or isinstance(getattr(given, "id", None), str):
        return [run_id(given, name)]
    if isinstance(given, (bytes, Mapping)) or not hasattr(given, "__iter__"):
        raise invalid(name, given, "a list of run ids")
    return [run_id(one, f"{name}[{place}]") for place, one in enumerate(given)]


def experiment(value: object, name: str = "experiment") -> str | int:
    """An experiment by its name or number, as an Experiment or a number of pandas too. InvalidArgument."""
    if isinstance(value, str):
        return one_text(name, value)
    given = getattr(value, "id", value)
    if isinstance(given, (bool, bytes)) or given is None:
        raise invalid(name, value, "an experiment: give its name or number")
    try:
        found = step_number(given)
    except Unusable:
        raise invalid(name, value, "an experiment: give its name or number") from None
    if found < 0:
        raise invalid(name, value, "the number of an experiment: they begin with 0")
    return found


def experiment_id(value: object, name: str = "experiment_id") -> int:
    """The number of an experiment, or an Experiment. InvalidArgument."""
    found = experiment(value, name)
    if isinstance(found, str):
        raise invalid(name, value, "the number of an experiment: get_experiment(name).id has it")
    return found


def experiments(given: Any, name: str = "experiments") -> tuple[list[int], list[str]]:
    """Numbers and names of experiments, or of one by itself; none for None and for an empty tuple: all of them.

    InvalidArgument: another list that is empty, which is hardly meant to be everything.
    """
    if given is None or (isinstance(given, tuple) and not given):
        return [], []
    if isinstance(given, str) or not hasattr(given, "__iter__") or getattr(given, "shape", None) == ():
        given = (given,)
    elif isinstance(given, (bytes, bytearray)):
        raise invalid(name, given, "a list of names and numbers of experiments")
    found = [experiment(one, f"{name}[{place}]") for place, one in enumerate(given)]
    if not found:
        raise InvalidArgument.of_field(
            "EXPERIMENTS_EMPTY", name, "the list is empty, which would be all experiments; leave it out to search all"
        )
    return [one for one in found if isinstance(one, int)], [one for one in found if isinstance(one, str)]


def model_tags(given: object, name: str = "tags") -> dict[str, str]:
    """As `tags`, of a model or a version, whose texts may be longer."""
    return tags(given, name, check_model_tags)


def tags(
    given: object,
    name: str = "tags",
    check: Callable[[dict[str, str]], None] = lambda tags: check_tags(tags, "tags"),
) -> dict[str, str]:
    """Tags to set; None is none, and a value of None sets nothing. InvalidArgument names the first that can't be."""
    try:
        found, out = ([], []) if given is None else to_tags(given, check)
    except Unusable:
        raise invalid(name, given, "a dict of tags") from None
    if out:
        raise InvalidArgument.of_field(out[0].reason, f"{name}{SEPARATOR}{text(out[0].key)}", out[0].why)
    return dict(found)
