"""Plan → SQL: conditions on rows of `runs`.

In each AND or OR the conditions on one key are one look-up, an OR of many keys is one look-up, and an AND of very
many is counted in one: the statement stays small whatever the filter. Windows, which read points, look only at runs
that the rest of their AND leaves, and read no more than FILTER_POINTS rows.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from fleetlog_core import limits
from fleetlog_core.datasets import PARTS, SEPARATOR
from fleetlog_core.errors import InvalidArgument
from fleetlog_core.warehouse.schema import ParamType

from fleetlog_query.language.conditions import (
    AllOf,
    AnyOf,
    Leaf,
    Plan,
    is_exact,
    is_nan,
    is_simple,
    leaves,
    reads,
    truths_of,
    windows,
)
from fleetlog_query.language.fields import ATTRIBUTES, KIND_NUMBERS
from fleetlog_query.language.values import Key, Series, Value, Whole
from fleetlog_query.sql.binds import Binds
from fleetlog_query.sql.scope import STATE_NAME_SQL, Scope, attribute_sql, key_rows
from fleetlog_query.sql.value_rows import expression, united_rows, value_rows
from fleetlog_query.warehouse.pattern_statement import PatternRead, cut_texts, steps_of

_COUNTED_KEYS = 8
"""From more keys than this in one AND their matches are counted in one pass instead of met as sets; in a window, where
analysis is most of the work, from more than one."""
_KEPT_LEAVES = 20
"""Maximum plain conditions of an AND that choose the runs that its windows look at: the first ones."""
"""Types of params in `attrs`."""
_HEX_ID = re.compile(r"[0-9a-f]{32}")
_NAMED = {"like": "{} LIKE {}", "ilike": "match({}, {})", "matches": "match({}, {})"}


def condition(plan: Plan, scope: Scope, binds: Binds) -> str:
    """A plan as a condition on rows of `runs`. FILTER_TOO_LARGE for more than FILTER_LOOKUPS look-ups."""
    return conditions([plan], scope, binds)[0]


def conditions(plans: Sequence[Plan], scope: Scope, binds: Binds) -> list[str]:
    """Each plan as a condition; windows of one look only at runs that those before it leave. FILTER_TOO_LARGE."""
    compiler = _Compiler(scope, binds)
    found: list[str] = []
    for place, plan in enumerate(plans):
        before = tuple([one for one in plans[:place] if not windows(one)])
        found.append(f"({compiler.group([plan], together=True, among=before)})")
    if compiler.lookups > limits.FILTER_LOOKUPS:
        what = (
            f"takes {compiler.lookups:,} look-ups, at most {limits.FILTER_LOOKUPS}; keys that are joined by OR take one"
            " together: write (a OR b) AND c rather than (a AND c) OR (b AND c)"
        )
        raise InvalidArgument.of_field("FILTER_TOO_LARGE", "filter", what)
    return found


def kept_runs(plan: Plan | None, scope: Scope, binds: Binds) -> str:
    """A condition on run_id that holds of every run of the plan, and reads no points; "" = none is known."""
    among = tuple(part for part in _flat([plan], AllOf) if not windows(part)) if plan is not None else ()
    return _Compiler(scope, binds).kept(among)


class _Compiler:
    def __init__(self, scope: Scope, binds: Binds) -> None:
        self._scope = scope
        self._binds = binds
        self.lookups = 0

    def group(self, parts: Sequence[Plan], together: bool, among: tuple[Plan, ...]) -> str:
        """Plans that are joined by AND (`together`) or OR. `among`: what else holds of the runs that are looked for."""
        flat = _flat(parts, AllOf if together else AnyOf)
        if together:
            among += tuple(part for part in flat if not windows(part))
        keyed: dict[Key, list[str]] = {}
        tests: list[str] = []
        for part in flat:
            if isinstance(part, AllOf | AnyOf):
                tests.append(f"({self.group(part.parts, isinstance(part, AllOf), among)})")
            elif steps := steps_of(part):
                tests.append(self._matched(part, steps))
            elif not isinstance(part.value, Key) or not is_simple(part):
                tests.append(self._computed(part, among))
            elif part.value.kind == "attributes":
                tests.append(self._attribute(part, part.value.key))
            elif part.operator == "null" and not part.negated:
                tests.append(f"run_id NOT IN ({self._looked_up([part.value], self._key(part.value))})")
            elif part.value.kind == "datasets" and together:
                # Each of them may be of another dataset.
                tests += self._keyed({part.value: [self._row_test(part)]}, together)
            else:
                keyed.setdefault(part.value, []).append(self._row_test(part))
        return (" AND " if together else " OR ").join([*self._keyed(keyed, together), *tests])

    def _keyed(self, keyed: dict[Key, list[str]], together: bool) -> list[str]:
        joiner = " AND " if together else " OR "
        rows = {key: f"{self._key(key)} AND ({joiner.join(tests)})" for key, tests in keyed.items()}
        sets = (_COUNTED_KEYS if not self._scope.since else 1) if together else 1
        if len(rows) <= sets:
            return [f"run_id IN ({self._looked_up([key], row)})" for key, row in rows.items()]
        either = self._looked_up(list(rows), f"({' OR '.join(f'({row})' for row in rows.values())})")
        # After FINAL there is one row for each run and key: a run with as many rows as there are keys has them all.
        counted = f" GROUP BY run_id HAVING count() = {len(rows)}" if together else ""
        return [f"run_id IN ({either}{counted})"]

    def _key(self, key: Key) -> str:
        if key.kind == "datasets":
            return f"kind = {KIND_NUMBERS[key.kind]} AND {_dataset_sql(key)} != ''"
        return f"kind = {KIND_NUMBERS[key.kind]} AND key = {self._binds.text(key.key)}"

    def _looked_up(self, keys: Sequence[Key], row: str) -> str:
        self.lookups += 1
        return f"SELECT run_id {key_rows(keys, self._scope, self._binds)} AND {row}"

    def _row_test(self, leaf: Leaf) -> str:
        """On a row of `attrs`."""
        if leaf.operator == "null":
            return "1"
        if isinstance(leaf.value, Key) and leaf.value.kind == "datasets":
            return self._dataset_test(leaf, leaf.value)
        test = self._test(leaf, "num" if leaf.numeric else "str")
        is_param = isinstance(leaf.value, Key) and leaf.value.kind == "params"
        return f"(NOT isNaN(num) OR type = {ParamType.REAL}) AND {test}" if is_param and leaf.numeric else test

    def _dataset_test(self, leaf: Leaf, key: Key) -> str:
        test = self._test(leaf, _dataset_sql(key))
        name = str(leaf.values[0])
        if key.key != PARTS[0] or leaf.operator != "=" or leaf.negated or SEPARATOR in name:
            return test
        # The same, by a range of the table's order.
        return f"startsWith(key, {self._binds.text(name + SEPARATOR)})"

    def _attribute(self, leaf: Leaf, key: str) -> str:
        sql, present, numeric = attribute_sql(key)
        if leaf.operator == "null":
            return f"({present})" if leaf.negated else f"NOT ({present})"
        if ATTRIBUTES[key] == "id" and leaf.operator in ("=", "!=", "in"):
            plain = [str(value) for value in leaf.values if _HEX_ID.fullmatch(str(value))]
            # On the bytes themselves: they are the table's key. What is no id equals none.
            ids = self._binds.run_ids([bytes.fromhex(value) for value in plain])
            inside = leaf.negated == (leaf.operator == "!=")
            return f"({present} AND {key} {'IN' if inside else 'NOT IN'} {ids})"
        return f"({present} AND {self._test(leaf, STATE_NAME_SQL if numeric and not leaf.numeric else sql)})"

    def _computed(self, leaf: Leaf, among: tuple[Plan, ...]) -> str:
        """Condition on more than one value, or on a function."""
        sources = reads(leaf)
        if all(isinstance(source, Key) and source.kind == "attributes" for source in sources):
            parts = {source: attribute_sql(source.key) for source in sources}
            present = " AND ".join(dict.fromkeys(part[1] for part in parts.values()))
            return f"({present} AND {self._test(leaf, None, lambda source: parts[source][0])})"
        self.lookups += len(sources)
        kept = [self._kept_to(source, among) for source in sources]
        if len(sources) == 1:
            rows = value_rows(sources[0], self._scope, self._binds, kept[0])
            if leaf.operator == "null":
                return f"run_id {'IN' if leaf.negated else 'NOT IN'} (SELECT run_id FROM ({rows}))"
            return f"run_id IN (SELECT run_id FROM ({rows}) WHERE {self._test(leaf, None, lambda _: 'v')})"
        rows = united_rows(sources, self._scope, self._binds, kept)
        test = self._test(leaf, None, lambda source: f"anyIf(v, i = {sources.index(source)})")
        return f"run_id IN (SELECT run_id FROM ({rows}) GROUP BY run_id HAVING count() = {len(sources)} AND {test})"

    def _matched(self, leaf: Leaf, steps: int) -> str:
        """Condition of a pattern that can take long for one text."""
        if not isinstance(leaf.value, Key):
            raise TypeError("patterns are for keys")
        self.lookups += 1
        texts = self._texts_of(leaf.value)
        self._binds.patterns.append(PatternRead(steps, f"(SELECT max(length(t)) FROM ({texts}))"))
        return f"run_id IN (SELECT run_id FROM ({cut_texts('run_id, text', texts)}) WHERE {self._test(leaf, 'text')})"

    def _texts_of(self, key: Key) -> str:
        """run_id and t: the texts of a key."""
        if key.kind == "attributes":
            sql, present, numeric = attribute_sql(key.key)
            text = STATE_NAME_SQL if numeric else sql
            return (
                f"SELECT run_id, {text} AS t FROM {self._scope.runs(self._binds)}"
                f" WHERE {self._scope.sql(self._binds)} AND {present}"
            )
        text = _dataset_sql(key) if key.kind == "datasets" else "str"
        return f"SELECT run_id, {text} AS t {key_rows([key], self._scope, self._binds)} AND {self._key(key)}"

    def _kept_to(self, source: Key | Series, among: tuple[Plan, ...]) -> str:
        return self.kept(among) if isinstance(source, Series) and source.window is not None else ""

    def kept(self, among: tuple[Plan, ...]) -> str:
        """A condition on run_id: of the runs that these conditions leave; "" = all."""
        # Some of them will do: the statement is not to grow with the square of the filter.
        sizes = itertools.accumulate(sum(1 for _ in leaves(part)) for part in among)
        few = [part for part, size in zip(among, sizes, strict=True) if size <= _KEPT_LEAVES]
        if not few:
            return ""
        kept = self.group(few, together=True, among=())
        runs, where = self._scope.runs(self._binds), self._scope.sql(self._binds)
        return f"run_id IN (SELECT run_id FROM {runs} WHERE {where} AND {kept})"

    def _test(self, leaf: Leaf, column: str | None, sql_of: Callable[[Key | Series], str] = lambda _: "") -> str:
        """The comparison, of a column or of an expression over what `sql_of` says each source is."""
        left = column or self._expression(leaf.value, sql_of)
        text = self._positive(leaf, left, sql_of)
        if leaf.numeric and (leaf.negated or leaf.operator == "!="):
            # NaN is in none of a skipping index's ranges, but these hold of it: the index is not to see them.
            text = f"identity({text})"
        return f"NOT ({text})" if leaf.negated else f"({text})"

    def _positive(self, leaf: Leaf, left: str, sql_of: Callable[[Key | Series], str]) -> str:
        operator, values = leaf.operator, leaf.values
        if is_exact(leaf):
            return self._exact(leaf, left)
        if truths := truths_of(leaf):
            spelled = f"{left} IN {self._binds.texts([str(value) for value in values])}"
            found = f"({spelled} OR (type = {ParamType.TRUTH} AND {left} IN {self._binds.texts(truths)}))"
            return f"NOT {found}" if operator == "!=" else found
        if operator == "in":
            return self._among(leaf, left)
        if operator in _NAMED:
            return _NAMED[operator].format(left, self._binds.text(str(values[0])))
        rights = [self._expression(value, sql_of) for value in values]
        if operator == "between":
            return f"{left} >= {rights[0]} AND {left} <= {rights[1]}"
        if operator in ("=", "!=") and is_nan(values[0]):
            return f"{'NOT ' if operator == '!=' else ''}isNaN({left})"
        return f"{left} {operator} {rights[0]}"

    def _exact(self, leaf: Leaf, left: str) -> str:
        """Condition on a row of `attrs`: a whole param by its text where its number is not exact, others by number."""
        numbers = [value for value in leaf.values if isinstance(value, float)]
        if leaf.operator == "in":
            plain = [value for value in numbers if not isinstance(value, Whole)]
            wholes = [value for value in numbers if isinstance(value, Whole)]
            exact = f"str IN {self._binds.texts([str(value.whole) for value in wholes])}"
            rounded = f"{left} IN {self._binds.reals([float(value) for value in wholes])}"
            either = f"if(type = {ParamType.WHOLE}, {exact}, {rounded})"
            others = self._among(replace(leaf, values=tuple(plain)), left) if plain else ""
            return f"({either}{others and f' OR {others}'})"
        if leaf.operator == "between":
            return f"{self._exactly('>=', left, numbers[0])} AND {self._exactly('<=', left, numbers[1])}"
        return self._exactly(leaf.operator, left, numbers[0])

    def _exactly(self, operator: str, left: str, value: float) -> str:
        rounded = f"{left} {operator} {self._binds.number(value)}"
        if not isinstance(value, Whole):
            # Rounding keeps the order, and both sides of what is rounded are on the same side of it.
            return rounded
        exact = f"toInt128OrZero(str) {operator} toInt128({self._binds.text(str(value.whole))})"
        return f"if(type = {ParamType.WHOLE}, {exact}, {rounded})"

    def _among(self, leaf: Leaf, left: str) -> str:
        if not leaf.numeric:
            return f"{left} IN {self._binds.texts([str(value) for value in leaf.values])}"
        # Sets compare bits: adding 0. makes one zero of two, and NaN is asked for by name.
        numbers = [value + 0.0 for value in leaf.values if isinstance(value, float) and not is_nan(value)]
        parts = [f"{left} + 0. IN {self._binds.reals(numbers)}"] if numbers else []
        if len(numbers) < len(leaf.values):
            parts.append(f"isNaN({left})")
        return " OR ".join(parts)

    def _expression(self, value: Value | str, sql_of: Callable[[Key | Series], str]) -> str:
        if isinstance(value, str):
            return self._binds.text(value)
        return expression(value, sql_of, self._binds.number)


def _dataset_sql(key: Key) -> str:
    """A part of what tells a dataset apart, of a row of `attrs`."""
    return f"splitByChar(char({ord(SEPARATOR)}), toString(key))[{PARTS.index(key.key) + 1}]"


def _flat(parts: Sequence[Plan], joined: type[AllOf] | type[AnyOf]) -> list[Plan]:
    flat: list[Plan] = []
    for part in parts:
        flat += _flat(part.parts, joined) if isinstance(part, joined) else [part]
    return flat
