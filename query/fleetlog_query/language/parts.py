"""The parts of a filter that its outermost AND joins, each with its text: what can be asked one after another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from fleetlog_query.language.conditions import AllOf, Plan
from fleetlog_query.language.parse import parse
from fleetlog_query.language.plan import plan_of
from fleetlog_query.language.tree import And, Arithmetic, Condition, Node, Not, Operand, Series, Span

_AND = re.compile(r"\bAND\b", re.IGNORECASE)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")


def parts_of(text: str, now_millis: float | None = None) -> list[tuple[str, Plan]]:
    """Each part as it was written, and its plan, in order; none for an empty filter. Errors as of plan_of."""
    node, plan = parse(text), plan_of(text, now_millis)
    if node is None or plan is None:
        return []
    if not isinstance(node, And) or not isinstance(plan, AllOf):
        return [(text.strip(), plan)]
    extents = [list(_spans(part)) for part in node.parts]
    edges = [0]
    for here, following in pairwise(extents):
        end, begin = max(span.end for span in here), min(span.start for span in following)
        # Every operand of both sides is outside of the gap, so the one AND in it is theirs.
        found = _AND.search(text, end, begin)
        edges += [end, begin] if found is None else [found.start(), found.end()]
    edges.append(len(text))
    texts = [_balanced(text[begin:end]) for begin, end in zip(edges[::2], edges[1::2], strict=True)]
    return list(zip(texts, plan.parts, strict=True))


def _spans(node: Node) -> Iterator[Span]:
    if isinstance(node, Condition):
        yield node.span
        for operand in (node.operand, *node.others):
            yield from _operand_spans(operand)
    elif isinstance(node, Not):
        yield from _spans(node.part)
    else:
        for part in node.parts:
            yield from _spans(part)


def _operand_spans(operand: Operand) -> Iterator[Span]:
    yield operand.span
    if isinstance(operand, Arithmetic):
        for term in (operand.first, *(term for _, term in operand.rest)):
            yield from _operand_spans(term)
    elif isinstance(operand, Series):
        if operand.step is not None:
            yield operand.step.span
        for within in operand.window:
            yield within.span
            for other in within.others:
                yield from _operand_spans(other)


def _balanced(text: str) -> str:
    """Text without the parentheses of what is around it."""
    text = text.strip()
    bare = _QUOTED.sub(lambda match: " " * len(match[0]), text)
    depth = lowest = 0
    for sign in bare:
        depth += (sign == "(") - (sign == ")")
        lowest = min(lowest, depth)
    # `lowest` closing ones have no opening one here, and as many opening ones as are left have no closing one.
    for _ in range(depth - lowest):
        text = text.removeprefix("(").lstrip()
    for _ in range(-lowest):
        text = text.removesuffix(")").rstrip()
    return text
