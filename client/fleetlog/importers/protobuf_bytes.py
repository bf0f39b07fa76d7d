"""Protobuf's bytes of fields whose content has a length, pure: for arrays, which have theirs already."""

from __future__ import annotations


def varint(number: int) -> bytes:
    """Returns a whole number, not negative, as protobuf writes it."""
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def field(number: int, content: bytes) -> bytes:
    """Returns a field of a number: its tag, its length, and its content."""
    return varint(number << 3 | 2) + varint(len(content)) + content
