"""Records of SQLite's tables as columns, many at once, pure: where their fields are, and what of numbers they hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fleetlog.importers.mlflow_stores.sqlite_pages import SPARE, Bytes, Ints, UnusualPagesError

_SIZES = np.array([0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0])
"""Bytes of a field by its serial type, below that of texts and blobs."""
_TEXTS = 12
_NULL, _REAL, _ZERO, _ONE = 0, 7, 8, 9
_MASKS = np.array([(1 << 8 * count) - 1 for count in range(9)], np.uint64)
_FACTORS = np.random.default_rng(0).integers(1, 2**63, SPARE // 8 + 1, np.uint64) * np.uint64(2) + np.uint64(1)
"""What makes one number of the words of a text: texts of different numbers differ, and those of one are compared."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of many records."""

    kinds: Ints
    """Serial types, which say what it holds and how many bytes it has."""
    begins: Ints
    """Where it begins in the pages."""
    sizes: Ints


@dataclass(frozen=True, slots=True)
class Records:
    """Records of cells: the ids of their rows, and their first fields."""

    rowids: Ints
    fields: list[Field]

    def between(self, first: int, last: int) -> Records:
        """Records of rows with ids from first to last."""
        return self.where((self.rowids >= first) & (self.rowids <= last))

    def where(self, chosen: npt.NDArray[np.bool_]) -> Records:
        """Some of the records."""
        if chosen.all():
            return self
        fields = [Field(one.kinds[chosen], one.begins[chosen], one.sizes[chosen]) for one in self.fields]
        return Records(self.rowids[chosen], fields)


def records_of(pages: Bytes, cells: Ints, count: int, most_payload: int) -> Records:
    """The first fields, as many as `count`. UnusualPagesError: a record has fewer, or does not stand in one page."""
    payloads, at = _varints(pages, cells)
    if (payloads > most_payload).any():
        raise UnusualPagesError
    rowids, begin = _varints(pages, at)
    if (begin + payloads > len(pages) - SPARE).any():
        raise UnusualPagesError
    lengths, at = _varints(pages, begin)
    content = ends = begin + lengths
    found = []
    for _ in range(count):
        kinds, at = _varints(pages, at)
        sizes = np.where(kinds < _TEXTS, _SIZES[np.minimum(kinds, _TEXTS - 1)], kinds - _TEXTS >> 1)
        found.append(Field(kinds, content, sizes))
        content = content + sizes
    if (at > ends).any() or (content > begin + payloads).any():
        raise UnusualPagesError
    return Records(rowids, found)


def integers(pages: Bytes, field: Field) -> Ints:
    """Whole numbers of a field. UnusualPagesError: it holds something else."""
    kinds = field.kinds
    if ((kinds == _NULL) | (kinds == _REAL) | (kinds > _ONE)).any():
        raise UnusualPagesError
    found: Ints = _words(pages, field.begins).view(">i8").astype(np.int64) >> np.minimum(64 - 8 * field.sizes, 63)
    is_in_kind = kinds >= _ZERO
    if is_in_kind.any():
        found[is_in_kind] = kinds[is_in_kind] - _ZERO
    return found


def reals(pages: Bytes, field: Field) -> npt.NDArray[np.float64]:
    """Numbers of a field; SQLite keeps whole ones as such. UnusualPagesError: it holds something else."""
    is_real = field.kinds == _REAL
    found = _words(pages, field.begins).view(">f8").astype(np.float64)
    if not is_real.all():
        whole = np.flatnonzero(~is_real)
        some = Field(field.kinds[whole], field.begins[whole], field.sizes[whole])
        found[whole] = integers(pages, some)
    return found


def truths(field: Field) -> npt.NDArray[np.bool_]:
    """True where a field is 1. UnusualPagesError: it holds something else than 0 and 1."""
    if ((field.kinds != _ZERO) & (field.kinds != _ONE)).any():
        raise UnusualPagesError
    found: npt.NDArray[np.bool_] = field.kinds == _ONE
    return found


def is_text(pages: Bytes, field: Field, text: bytes) -> npt.NDArray[np.bool_]:
    """True where a field is that text."""
    found: npt.NDArray[np.bool_] = field.kinds == _TEXTS + 1 + 2 * len(text)
    for place in range(0, len(text), 8):
        mask = _MASKS[min(8, len(text) - place)]
        word = np.frombuffer(text[place : place + 8].ljust(8, b"\0"), "<u8")[0]
        found &= _words(pages, np.minimum(field.begins + place, len(pages) - 8)) & mask == word
    return found


def texts(pages: Bytes, field: Field) -> tuple[list[bytes], Ints]:
    """Distinct texts of a field, and for each record which of them it is.

    UnusualPagesError: it holds something else, or a long one.
    """
    if (field.kinds <= _TEXTS).any() or (field.kinds % 2 == 0).any() or (field.sizes > SPARE).any():
        raise UnusualPagesError
    sums = field.sizes.astype(np.uint64) * _FACTORS[-1]
    words = []
    for place in range(-(-int(field.sizes.max(initial=0)) // 8)):
        mask = _MASKS[np.clip(field.sizes - 8 * place, 0, 8)]
        word = _words(pages, np.minimum(field.begins + 8 * place, len(pages) - 8)) & mask
        sums += word * _FACTORS[place]
        words.append(word)
    # Short numbers are sorted by their digits, which is many times as fast.
    short = (sums >> np.uint64(48)).astype(np.uint16)
    order = np.argsort(short, kind="stable")
    starts = np.append(True, np.diff(short[order]) != 0)
    firsts = order[starts]
    codes = np.empty(len(order), np.int64)
    codes[order] = np.cumsum(starts) - 1
    if any((one != one[firsts][codes]).any() for one in (field.sizes, *words)):
        _, firsts, codes = np.unique(sums, return_index=True, return_inverse=True)
        if any((one != one[firsts][codes]).any() for one in (field.sizes, *words)):
            raise UnusualPagesError
    begins, sizes = field.begins[firsts].tolist(), field.sizes[firsts].tolist()
    found = [pages[begin : begin + size].tobytes() for begin, size in zip(begins, sizes, strict=True)]
    return found, codes


def _varints(pages: Bytes, at: Ints) -> tuple[Ints, Ints]:
    """Numbers that stand there, and where what is behind them begins."""
    if not len(at) or int(at.max()) >= len(pages) - SPARE:
        raise UnusualPagesError
    byte = pages[at]
    numbers, at = (byte & np.uint8(0x7F)).astype(np.int64), at + 1
    more = np.flatnonzero(byte >= 0x80)
    for _ in range(7):
        if not len(more):
            return numbers, at
        byte = pages[at[more]]
        numbers[more] = numbers[more] << 7 | byte & np.uint8(0x7F)
        at[more] += 1
        more = more[byte >= 0x80]
    raise UnusualPagesError


def _words(pages: Bytes, begins: Ints) -> npt.NDArray[np.uint64]:
    """Eight bytes from each place on, the first of them the lowest."""
    overlapping: npt.NDArray[np.uint64] = np.ndarray((len(pages) - 7,), "<u8", pages, strides=(1,))
    return overlapping[begins]
