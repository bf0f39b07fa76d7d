"""One strategy for any message, by its descriptor, and for bytes that are none."""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

from tests.fuzz.values import plausible, scalars

DEPTH = 5
"""Messages within each other, beyond which fields that are messages are left out."""
MANY = (0, 1, 1, 2, 3)
TOO_MANY = (101, 1_001, 20_000)
RARE = frozenset({"at_least", "as_of", "position"})
"""Fields that make a call wait for what will never be there, if at random: one message in some has them."""
_DICE = st.integers(0, 19)
NESTED = b"\x0a"
"""Tag of a field 1 that is a message."""


def messages(kind: Descriptor) -> st.SearchStrategy[Message]:
    """Messages of a kind."""
    fields = _fields(kind, 0, True) | _fields(kind, 0, False) | _fields(kind, 0, False)
    return fields.map(lambda found: _built(GetMessageClass(kind), found))


def encoded(kind: Descriptor) -> st.SearchStrategy[bytes]:
    """Bytes of messages of a kind, most as they are, some cut, changed, nested without end, or of no message at all."""
    whole = messages(kind).map(lambda message: message.SerializeToString())
    return st.one_of(whole, whole, whole, whole, _damaged(whole), st.binary(max_size=200), _nested())


def _damaged(whole: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    def damage(data: bytes, place: int, byte: int, cuts: bool) -> bytes:
        place %= len(data) or 1
        return data[:place] if cuts else data[:place] + bytes([byte]) + data[place + 1 :]

    return st.builds(damage, whole, st.integers(0, 10_000), st.integers(0, 255), st.booleans())


@st.composite
def _nested(draw: st.DrawFn) -> bytes:
    data = b""
    for _ in range(draw(st.sampled_from((50, 99, 101, 500)))):
        size, length = len(data), bytearray()
        while size >= 0x80:
            length.append(size & 0x7F | 0x80)
            size >>= 7
        data = NESTED + bytes([*length, size]) + data
    return data


@cache
def _fields(kind: Descriptor, depth: int, wild: bool) -> st.SearchStrategy[dict[FieldDescriptor, Any]]:
    """Values of some of the fields of a kind: anything if they are wild, else in one of them alone at the most."""
    fields = [field for field in kind.fields if field.message_type is None or depth < DEPTH]
    if not fields:
        return st.just({})
    of, every = kind.fields_by_name, [field.name for field in fields]
    often = [name for name in every if name not in RARE] or every
    # Names alone order them the same way each time.
    some_names, most_names = (st.lists(st.sampled_from(names), max_size=6, unique=True) for names in (every, often))
    usual = [name for name in ("namespace", "run_id", "writer_id") if name in of]
    made: dict[tuple[str, bool], st.SearchStrategy[Any]] = {}

    def value(name: str, odd: bool) -> st.SearchStrategy[Any]:
        """Made once, and not before it is wanted: a message may be within itself."""
        if (name, odd) not in made:
            made[name, odd] = _value(of[name], depth, odd)
        return made[name, odd]

    @st.composite
    def some(draw: st.DrawFn) -> dict[FieldDescriptor, Any]:
        dice: int = draw(_DICE)
        drawn: list[str] = draw(some_names if dice % 10 == 9 else most_names)
        names = list(dict.fromkeys([*(usual if dice % 4 else ()), *drawn]))
        odd = names[-1] if names and dice % 2 else ""
        return {of[name]: draw(value(name, wild or name == odd)) for name in names}

    return some()


def _value(field: FieldDescriptor, depth: int, wild: bool) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        one: st.SearchStrategy[Any] = _fields(field.message_type, depth + 1, wild)
    else:
        one = scalars(field) if wild else plausible(field)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return st.lists(one, max_size=3)
    if not field.is_repeated:
        return one
    few = st.sampled_from(MANY).flatmap(lambda count: st.lists(one, min_size=count, max_size=count))
    if not wild:
        return few
    return few | few | few | st.builds(lambda value, count: [value] * count, one, st.sampled_from(TOO_MANY))


def _built(make: type[Message], fields: dict[FieldDescriptor, Any]) -> Message:
    message = make()
    for field, value in fields.items():
        _set(message, field, value)
    return message


def _set(message: Message, field: FieldDescriptor, value: Any) -> None:
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        entries = getattr(message, field.name)
        for entry in value:
            key, held = (entry.get(inner.fields_by_name[name]) for name in ("key", "value"))
            _put(entries, inner, key, held)
    elif inner is None and field.is_repeated:
        getattr(message, field.name).extend(value)
    elif inner is None:
        setattr(message, field.name, value)
    elif field.is_repeated:
        getattr(message, field.name).extend(_built(GetMessageClass(inner), one) for one in value[:2_000])
    else:
        getattr(message, field.name).CopyFrom(_built(GetMessageClass(inner), value))


def _put(entries: Any, entry: Descriptor, key: Any, held: Any) -> None:
    """Put one entry into a map; without key or value, the empty one of its kind."""
    of_key, of_value = entry.fields_by_name["key"], entry.fields_by_name["value"]
    key = of_key.default_value if key is None else key
    if of_value.message_type is None:
        entries[key] = of_value.default_value if held is None else held
    else:
        entries[key].CopyFrom(_built(GetMessageClass(of_value.message_type), held or {}))
