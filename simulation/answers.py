"""Answers of the tables of a world to statements, each of which is known by its whole text.

One whose text is changed is a statement nobody here knows: whoever changes it looks at its answer, and says its new
digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any

import numpy as np
from fleetlog_core.warehouse.port import Answer, Read, Statement

from simulation.tables import Row, Tables

Binds = Mapping[str, Any]
Answerer = Callable[[Tables, Binds], Iterable[Row]]
_ANSWERS: dict[str, tuple[Answerer, Mapping[str, str]]] = {}


def digest_of(sql: str) -> str:
    """The digest by which a statement is known: of its words."""
    return sha256(" ".join(sql.split()).encode()).hexdigest()[:12]


def answer(tables: Tables, statement: Statement) -> Answer:
    """The answer of a statement. LookupError: nobody here knows it."""
    found = _ANSWERS.get(digest_of(statement.sql))
    if found is None:
        raise LookupError(f"a statement that no world answers, {digest_of(statement.sql)}: {statement.sql}")
    call, types = found
    rows = list(call(tables, statement.binds))
    columns: dict[str, Read] = {}
    for name, kind in types.items():
        values = [row[name] for row in rows]
        if kind == "text":
            columns[name] = values
        elif kind.startswith("V"):
            columns[name] = np.frombuffer(b"".join(values), dtype=kind)
        else:
            columns[name] = np.array(values, dtype=kind)
    return Answer(columns if rows else {}, len(rows), 0, 0)


def answers(*digests: str, **types: str) -> Callable[[Answerer], Answerer]:
    """A function answers the statements of these digests, with columns of these types."""

    def known(call: Answerer) -> Answerer:
        _ANSWERS.update(dict.fromkeys(digests, (call, types)))
        return call

    return known
