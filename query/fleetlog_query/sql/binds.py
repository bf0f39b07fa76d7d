"""Values of a statement: every one is bound, under a name of its own."""

from __future__ import annotations

from collections.abc import Sequence

from fleetlog_core.warehouse.port import Bind, Statement

from fleetlog_query.warehouse.pattern_statement import PatternRead, PatternStatement


class Binds:
    """Collects values and gives the places that stand for them."""

    def __init__(self) -> None:
        self.values: dict[str, Bind] = {}
        self.patterns: list[PatternRead] = []
        """Texts that are compared with patterns."""

    def statement(self, sql: str, *, wide: bool = False) -> Statement:
        """A statement with these values; with what bounds it when there are patterns among them."""
        if self.patterns:
            return PatternStatement(sql, self.values, wide, reads=tuple(self.patterns))
        return Statement(sql, self.values, wide)

    def text(self, value: str) -> str:
        """A String."""
        return self._place(value, "String")

    def number(self, value: float) -> str:
        """A Float64, exact; NaN and infinities too."""
        return self._place(float(value), "Float64")

    def whole(self, value: int) -> str:
        """An Int64."""
        return self._place(int(value), "Int64")

    def texts(self, values: Sequence[str]) -> str:
        """An Array(String)."""
        return self._place(list(values), "Array(String)")

    def numbers(self, values: Sequence[int]) -> str:
        """An Array(UInt32)."""
        return self._place(list(values), "Array(UInt32)")

    def wholes(self, values: Sequence[int]) -> str:
        """An Array(Int64)."""
        return self._place(list(values), "Array(Int64)")

    def reals(self, values: Sequence[float]) -> str:
        """An Array(Float64)."""
        return self._place(list(values), "Array(Float64)")

    def offsets(self, values: Sequence[int]) -> str:
        """An Array(UInt64)."""
        return self._place(list(values), "Array(UInt64)")

    def run_id(self, value: bytes) -> str:
        """An id as FixedString(16)."""
        return f"toFixedString(unhex({self.text(value.hex())}), 16)"

    def run_ids(self, values: Sequence[bytes]) -> str:
        """Ids as an array of FixedString(16): for `run_id IN …`."""
        place = self.texts([value.hex() for value in values])
        return f"(SELECT toFixedString(unhex(arrayJoin({place})), 16))"

    def packed_ids(self, values: bytes) -> str:
        """Thousands of ids, one after another, for `run_id IN …`: one text is read quicker than an array of them."""
        text = self.text(values.hex())
        return (
            f"(SELECT toFixedString(unhex(substring({text}, number * 32 + 1, 32)), 16)"
            f" FROM numbers({len(values) // 16}))"
        )

    def run_id_array(self, values: Sequence[bytes]) -> str:
        """Ids as an Array(FixedString(16))."""
        return f"arrayMap(hex_id -> toFixedString(unhex(hex_id), 16), {self.texts([value.hex() for value in values])})"

    def _place(self, value: Bind, type_name: str) -> str:
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"{{{name}:{type_name}}}"
