"""Plan to SQL conditions on a row of `runs`, or on any row with a run_id when no attribute is tested.

NOT is pushed down to the tests: a test of a key reads the rows of `attrs` that have the key, so that its negation
finds only runs which have it too. In each AND or OR the tests of one key are one condition, and an OR of many keys is
one subquery: the statement stays small whatever the filter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fleetlog_core.errors import InvalidArgument, Violation
from fleetlog_core.warehouse.port import Bind

from fleetlog_query.binds import Binds
from fleetlog_query.filter.fields import STATES, TYPES, Attribute, Key, Kind, Name, Type
from fleetlog_query.filter.plan import (
    And,
    Compare,
    Like,
    Not,
    OneOf,
    Or,
    Plan,
    Present,
    Target,
    ValueTest,
    Within,
    is_nan,
)

SUBQUERIES = 100
"""What one statement may hold; it costs the warehouse about a millisecond each to plan."""
_COUNTED_KEYS = 8
"""From more keys than this in one AND their matches are counted in one pass instead of met as sets."""
_HEX_ID = re.compile(r"[0-9a-f]{32}")
_VALUES = {
    Attribute.RUN_ID: "lower(hex(run_id))",
    Attribute.EXPERIMENT_ID: "toFloat64(experiment)",
    Attribute.NAME: "name",
    Attribute.USER: "user",
    Attribute.STATE: "transform(state, [1, 2, 3, 4], ['{}', '{}', '{}', '{}'], '')".format(*STATES[1:]),
    Attribute.START_TIME: "toFloat64(toUnixTimestamp64Milli(start_time))",
    Attribute.END_TIME: "toFloat64(toUnixTimestamp64Milli(end_time))",
    Attribute.PARENT_RUN_ID: "lower(hex(parent_run_id))",
}
_THERE = {
    Attribute.END_TIME: "toUnixTimestamp64Milli(end_time) != 0",
    Attribute.PARENT_RUN_ID: "parent_run_id != toFixedString('', 16)",
}
_ID_COLUMNS = {Attribute.RUN_ID: "run_id", Attribute.PARENT_RUN_ID: "parent_run_id"}


def attribute_value(attribute: Attribute) -> str:
    """The expression of an attribute over a row of `runs`: text, or a double."""
    return _VALUES[attribute]


def attribute_there(attribute: Attribute) -> str:
    """The condition that the run has the attribute."""
    return _THERE.get(attribute, "1")


class SearchBinds(Binds):
    """Binds, each value once, and those that only searches need."""

    def __init__(self) -> None:
        super().__init__()
        self._places: dict[tuple[str, str], str] = {}

    def reals(self, values: Sequence[float]) -> str:
        """An Array(Float64)."""
        return self._place(list(values), "Array(Float64)")

    def run_id(self, run_id: bytes) -> str:
        """A FixedString(16)."""
        return f"toFixedString(unhex({self.text(run_id.hex())}), 16)"

    def _place(self, value: Bind, type_name: str) -> str:
        # repr tells 0.0 from -0.0, and lets NaN equal itself.
        known = (type_name, repr(value))
        if known not in self._places:
            self._places[known] = super()._place(value, type_name)
        return self._places[known]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows at all: a namespace, and experiments."""

    namespace: str
    experiments: tuple[int, ...]

    def condition(self, binds: SearchBinds) -> str:
        """On a row of `runs`, `attrs` or `series`."""
        return f"namespace = {binds.text(self.namespace)} AND experiment IN {binds.numbers(self.experiments)}"


def on_key(key: Key, binds: SearchBinds) -> str:
    """The rows of `attrs` that hold a key, once the scope is given; tags that were removed are no rows."""
    removed = " AND removed = 0" if key.kind is Kind.TAG else ""
    return f"kind = {int(key.kind)} AND key = {binds.text(key.key)}{removed}"


def tests_attributes(plan: Plan) -> bool:
    """Whether a plan looks at more of a run than its keys."""
    match plan:
        case And(plans) | Or(plans):
            return any(tests_attributes(one) for one in plans)
        case Not(one):
            return tests_attributes(one)
        case Present(name):
            return isinstance(name, Attribute)
        case _:
            return isinstance(plan.target.name, Attribute)


def condition(plan: Plan, scope: Scope, binds: SearchBinds) -> str:
    """The SQL condition. FILTER_TOO_LARGE when it would take more than SUBQUERIES subqueries."""
    compiler = _Compiler(scope.condition(binds), binds)
    sql = compiler.condition(plan)
    if compiler.subqueries > SUBQUERIES:
        description = (
            f"takes {compiler.subqueries:,} look-ups, at most {SUBQUERIES}; keys that are joined by OR take one"
            " together: write (a OR b) AND c rather than (a AND c) OR (b AND c)"
        )
        raise InvalidArgument(
            "FILTER_TOO_LARGE",
            f"filter: {description}",
            violations=(Violation("filter", description),),
            metadata={"column": "1"},
        )
    return sql


class _Compiler:
    def __init__(self, scope: str, binds: SearchBinds) -> None:
        self._scope = scope
        self._binds = binds
        self.subqueries = 0

    def condition(self, plan: Plan) -> str:
        return self._group(And, [(plan, False)])

    def _group(self, joined: type[And] | type[Or], members: list[tuple[Plan, bool]]) -> str:
        """Plans, each to be negated or not, that are all joined by AND or all by OR."""
        keyed: dict[Key, list[str]] = {}
        parts: list[str] = []
        pending = members[::-1]
        while pending:
            plan, negated = pending.pop()
            match plan:
                case Not(one):
                    pending.append((one, not negated))
                case And(plans) | Or(plans):
                    inner = Or if isinstance(plan, And) == negated else And
                    below = [(one, negated) for one in plans]
                    if inner is joined:
                        pending.extend(below[::-1])
                    else:
                        parts.append(self._group(inner, below))
                case Present(name):
                    self._present(name, negated, keyed, parts)
                case _:
                    self._value_test(plan, negated, keyed, parts)
        if joined is And:
            return " AND ".join([f"({part})" for part in [*self._all_of(keyed), *parts]])
        return " OR ".join([f"({part})" for part in [*self._any_of(keyed), *parts]])

    def _present(self, name: Name, negated: bool, keyed: dict[Key, list[str]], parts: list[str]) -> None:
        if isinstance(name, Attribute):
            parts.append(f"NOT ({attribute_there(name)})" if negated else attribute_there(name))
        elif negated:
            parts.append(f"run_id NOT IN {self._runs_with(on_key(name, self._binds))}")
        else:
            keyed.setdefault(name, []).append("1")

    def _value_test(self, test: ValueTest, negated: bool, keyed: dict[Key, list[str]], parts: list[str]) -> None:
        name = test.target.name
        if isinstance(name, Attribute):
            parts.append(self._attribute(test, name, negated))
        else:
            column = "num" if test.target.number else "str"
            keyed.setdefault(name, []).append(self._test(test, column, _comparable(test.target), negated))

    def _all_of(self, keyed: dict[Key, list[str]]) -> list[str]:
        rows = [f"{on_key(key, self._binds)} AND {' AND '.join(tests)}" for key, tests in keyed.items()]
        if len(rows) <= _COUNTED_KEYS:
            return [f"run_id IN {self._runs_with(row)}" for row in rows]
        # After FINAL there is one row for each run and key: a run with as many rows as there are keys has them all.
        either = " OR ".join(f"({row})" for row in rows)
        return [f"run_id IN {self._runs_with(f'({either})', f' GROUP BY run_id HAVING count() = {len(rows)}')}"]

    def _any_of(self, keyed: dict[Key, list[str]]) -> list[str]:
        if not keyed:
            return []
        rows = [f"({on_key(key, self._binds)} AND ({' OR '.join(tests)}))" for key, tests in keyed.items()]
        either = " OR ".join(rows)
        return [f"run_id IN {self._runs_with(f'({either})')}"]

    def _runs_with(self, row: str, grouped: str = "") -> str:
        self.subqueries += 1
        return f"(SELECT run_id FROM attrs FINAL WHERE {self._scope} AND {row}{grouped})"

    def _attribute(self, test: ValueTest, name: Attribute, negated: bool) -> str:
        there = attribute_there(name)
        if TYPES[name] is Type.ID and isinstance(test, Compare | OneOf):
            values = test.values if isinstance(test, OneOf) else (test.value,)
            plain = [str(value) for value in values if _HEX_ID.fullmatch(str(value))]
            if len(plain) == len(values) and (isinstance(test, OneOf) or test.operator == "="):
                # On the bytes themselves: they are the table's key.
                ids = self._binds.run_ids([bytes.fromhex(value) for value in plain])
                return f"{there} AND {'NOT ' if negated else ''}({_ID_COLUMNS[name]} IN {ids})"
        return self._test(test, attribute_value(name), there, negated)

    def _test(self, test: ValueTest, value: str, comparable: str, negated: bool) -> str:
        sql = f"{'NOT ' if negated else ''}({self._positive(test, value)})"
        return sql if comparable == "1" else f"({comparable} AND {sql})"

    def _positive(self, test: ValueTest, value: str) -> str:
        match test:
            case Compare(_, "=", wanted) if is_nan(wanted):
                return f"isNaN({value})"
            case Compare(_, operator, wanted):
                return f"{value} {operator} {self._literal(wanted)}"
            case OneOf(_, values):
                return self._one_of(value, values)
            case Within(_, low, high):
                return f"{value} >= {self._literal(low)} AND {value} <= {self._literal(high)}"
            case Like(_, pattern, ignore_case):
                text = f"replaceAll(lowerUTF8({value}), 'ς', 'σ')" if ignore_case else value
                return f"{text} LIKE {self._binds.text(pattern)}"

    def _one_of(self, value: str, values: tuple[float, ...] | tuple[str, ...]) -> str:
        texts = [one for one in values if isinstance(one, str)]
        if texts:
            return f"{value} IN {self._binds.texts(texts)}"
        # Sets compare bits: adding 0.0 makes one zero of two, and NaN is asked for by name.
        numbers = [one + 0.0 for one in values if isinstance(one, float) and not is_nan(one)]
        parts = [f"{value} + 0.0 IN {self._binds.reals(numbers)}"] if numbers else []
        if len(numbers) < len(values):
            parts.append(f"isNaN({value})")
        return " OR ".join(parts)

    def _literal(self, value: float | str) -> str:
        return self._binds.text(value) if isinstance(value, str) else self._binds.number(value)


def _comparable(target: Target) -> str:
    """The condition that a row of `attrs` has a value of the asked type: a param may be text, and NaN a real."""
    is_param = isinstance(target.name, Key) and target.name.kind is Kind.PARAM
    return "(type = 4 OR NOT isNaN(num))" if is_param and target.number else "1"
