from __future__ import annotations

from fleetlog_core.warehouse.native_texts import decode_texts, decode_varint, encode_text, encode_texts, encode_varint
from hypothesis import example, given
from hypothesis import strategies as st

# What is not UTF-8 comes as surrogate escapes.
TEXTS = st.binary(max_size=300).map(lambda data: data.decode("utf-8", "surrogateescape")) | st.text(max_size=300)


@given(st.lists(TEXTS))
@example([])
@example([""])
@example(["", "plain", ""])
@example(["é", "a" * 127])
@example(["a" * 127, "b" * 128, ""])
@example(["\udcff", "é" * 64])
def test_texts_come_back(texts: list[str]) -> None:
    data = encode_texts(texts)
    assert decode_texts(b"before" + data, 6, len(texts)) == (texts, 6 + len(data))
    assert (
        data
        == b"".join(map(encode_text, texts))
        == encode_texts([text.encode("utf-8", "surrogateescape") for text in texts])
    )


@given(st.integers(0, 2**64 - 1))
@example(127)
@example(128)
def test_numbers_come_back(number: int) -> None:
    data = encode_varint(number)
    assert decode_varint(b"\xff" + data, 1) == (number, 1 + len(data))


def test_a_length_of_more_than_a_byte() -> None:
    assert encode_text("a" * 300) == b"\xac\x02" + b"a" * 300
    assert encode_texts(["b", "a" * 300]) == b"\x01b\xac\x02" + b"a" * 300
