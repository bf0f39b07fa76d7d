"""Text to tree. Limits are checked on the tokens, before anything is parsed: a hostile filter costs no more than a
scan of its beginning, and no nesting can exhaust a stack.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from importlib.resources import files
from typing import Any, cast

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument
from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from fleetlog_query.filter import tree
from fleetlog_query.filter.complaint import Source, Span, quoted
from fleetlog_query.filter.fields import space_of

_WORD = re.compile(r"[\w.+\-]+|\S", re.DOTALL)
_KEYED = re.compile(r"(\w+)\.(.*)", re.DOTALL)
_OPERATORS = {"==": "=", "<>": "!="}
_SURROGATE = re.compile(r"[\ud800-\udfff]")

_VALUES = frozenset({"NUMBER", "TEXT"})
_OPERAND = frozenset({"KEYED", "NAME"})
_PHRASES = {
    "COMPARISON": "a comparison such as = or <",
    "LIKE": "LIKE",
    "_IN": "IN",
    "_BETWEEN": "BETWEEN",
    "_IS": "IS",
    "_NULL": "NULL",
    "_NOT": "NOT",
    "_AND": "AND",
    "_OR": "OR",
    "_LPAR": "'('",
    "_RPAR": "')'",
    "_COMMA": "','",
    "TEXT": "quoted text",
    "$END": "the end",
}


def parse(source: Source) -> tree.Node | None:
    """The tree; None when there is nothing but space. FILTER_SYNTAX, FILTER_TOO_LARGE."""
    tokens = list(scan(source))
    if not tokens:
        return None
    parser = _parser().parse_interactive()
    for place, token in enumerate(tokens):
        try:
            parser.feed_token(token)
        except UnexpectedToken:
            raise _unexpected(source, tokens[:place], token) from None
    try:
        return cast(tree.Node, parser.feed_token(Token("$END", "")))
    except UnexpectedToken:
        raise _unexpected(source, tokens, None) from None


def scan(source: Source) -> Iterator[Token]:
    """The tokens of a filter, held to the limits."""
    text = source.text
    if len(text) > limits.FILTER_CHARACTERS:
        raise source.refusal(
            "FILTER_TOO_LARGE",
            Span(limits.FILTER_CHARACTERS, limits.FILTER_CHARACTERS + 1),
            f"{len(text):,} characters, at most {limits.FILTER_CHARACTERS:,}; use IN or several searches",
        )
    surrogate = _SURROGATE.search(text)
    if surrogate:
        raise source.refusal("FILTER_SYNTAX", Span(*surrogate.span()), "half of a surrogate pair is not a character")
    clauses = values = 0
    # How many NOTs stand before what comes next, here and outside of each open parenthesis.
    nots, outer = 0, [0]
    before = ""
    for token in tokens_of(source):
        kind = token.type
        if kind in _OPERAND:
            clauses += 1
        elif kind in _VALUES:
            values += 1
        elif kind == "_NOT":
            nots += 1
        elif kind == "_LPAR" and before != "_IN":
            outer.append(outer[-1] + nots + 1)
            nots = 0
        elif kind == "_RPAR" and len(outer) > 1:
            outer.pop()
            nots = 0
        elif kind in ("_AND", "_OR"):
            nots = 0
        if clauses > limits.FILTER_CLAUSES:
            raise _too_large(source, token, f"more than {limits.FILTER_CLAUSES:,} conditions; use IN or BETWEEN")
        if values > limits.FILTER_VALUES:
            raise _too_large(source, token, f"more than {limits.FILTER_VALUES:,} values; use several searches")
        if outer[-1] + nots > limits.FILTER_DEPTH:
            raise _too_large(source, token, f"nested deeper than {limits.FILTER_DEPTH}; leave out parentheses or NOTs")
        before = kind
        yield token


def tokens_of(source: Source) -> Iterator[Token]:
    """The tokens of a text; FILTER_SYNTAX where there is none."""
    before: list[Token] = []
    try:
        for token in _parser().lex(source.text):
            before.append(token)
            yield token
    except UnexpectedCharacters as error:
        raise _unreadable(source, error.pos_in_stream or 0, before) from error


def field_of(token: Token) -> tree.Field:
    """The name that a KEYED or NAME token is."""
    span = _span(token)
    if token.type == "NAME":
        return tree.Field("", str(token), span)
    match = _KEYED.fullmatch(token)
    if match is None:
        raise ValueError(f"{token.type} is not a name")
    space, key = match.groups()
    if key[0] in '`"':
        key = key[1:-1].replace(key[0] * 2, key[0])
    return tree.Field(space, key, span)


@functools.cache
def _parser() -> Lark:
    grammar = files("fleetlog_query.filter").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="basic", transformer=_Builder())


def _span(token: Token) -> Span:
    return Span(token.start_pos or 0, token.end_pos or 0)


def _too_large(source: Source, token: Token, description: str) -> InvalidArgument:
    return source.refusal("FILTER_TOO_LARGE", _span(token), description)


def _unreadable(source: Source, place: int, before: list[Token]) -> InvalidArgument:
    """The error for a character that begins no token, or for what is wrong before it."""
    text = source.text
    parser = _parser().parse_interactive()
    for index, token in enumerate(before):
        try:
            parser.feed_token(token)
        except UnexpectedToken:
            return _unexpected(source, before[:index], token)
    found = text[place]
    if found in "'\"":
        description = f"the text that begins here has no closing {found}; double it to write it within the text"
    elif found == "`" or text[place : place + 2] in (".`", '."'):
        description = "the key that begins here is empty or has no closing quote; write metrics.`val loss`"
    elif found == "." and before and before[-1].type == "NAME":
        description = f"expected a key after {quoted(before[-1] + '.')}: letters, digits, _ . - /, or any key in `…`"
    else:
        match = _WORD.match(text, place)
        word = match[0] if match else found
        return _expected(source, before, Span(place, place + len(word)), f"found {quoted(word)}")
    return source.refusal("FILTER_SYNTAX", Span(place, place + 1), description)


def _unexpected(source: Source, before: list[Token], token: Token | None) -> InvalidArgument:
    if token is None:
        end = len(source.text.rstrip())
        return _expected(source, before, Span(end, end + 1), "found the end")
    return _expected(source, before, _span(token), f"found {quoted(token)}")


def _expected(source: Source, before: list[Token], span: Span, found: str) -> InvalidArgument:
    after = f" after {quoted(before[-1])}" if before else ""
    wanted = _wanted(before, _accepted(before))
    return source.refusal("FILTER_SYNTAX", span, f"expected {wanted}{after}, {found}")


def _accepted(before: Iterable[Token]) -> set[str]:
    """The kinds of tokens that may come next."""
    parser = _parser().parse_interactive()
    for token in before:
        parser.feed_token(token)
    accepted: Callable[[], set[str]] = parser.accepts
    return accepted()


def _wanted(before: list[Token], accepts: set[str]) -> str:
    """What could stand here, in words."""
    if accepts >= _OPERAND:
        return "a condition such as metrics.loss < 0.1"
    if accepts >= _VALUES:
        names = [token for token in before if token.type in _OPERAND]
        space = space_of(field_of(names[-1]).space) if names else None
        return {"metrics": "a number", "tags": "quoted text"}.get(space or "", "a number or quoted text")
    phrases = [phrase for kind, phrase in _PHRASES.items() if kind in accepts]
    return " or ".join([", ".join(phrases[:-1]), phrases[-1]]) if len(phrases) > 1 else "".join(phrases)


class _Builder(Transformer[Token, Any]):
    """Makes nodes as the parser reduces; the names are those of the grammar's rules."""

    def start(self, children: list[tree.Node]) -> tree.Node:
        return children[0]

    def field(self, children: list[Token]) -> tree.Field:
        return field_of(children[0])

    def literal(self, children: list[Token]) -> tree.Literal:
        token = children[0]
        return tree.Literal(float(token), _span(token)) if token.type == "NUMBER" else _text(token)

    def literals(self, children: list[tree.Literal]) -> tuple[tree.Literal, ...]:
        return tuple(children)

    def either(self, children: list[tree.Node]) -> tree.Node:
        return children[0] if len(children) == 1 else tree.Or(tuple(children))

    def both(self, children: list[tree.Node]) -> tree.Node:
        return children[0] if len(children) == 1 else tree.And(tuple(children))

    def negation(self, children: list[tree.Node]) -> tree.Node:
        return tree.Not(children[0])

    def comparison(self, children: list[Any]) -> tree.Node:
        operand, operator, literal = children
        sign = cast(tree.Operator, _OPERATORS.get(operator, str(operator)))
        return tree.Comparison(operand, sign, literal, _span(operator))

    def one_of(self, children: list[Any]) -> tree.Node:
        return tree.OneOf(children[0], children[1], False)

    def none_of(self, children: list[Any]) -> tree.Node:
        return tree.OneOf(children[0], children[1], True)

    def within(self, children: list[Any]) -> tree.Node:
        return tree.Within(children[0], children[1], children[2], False)

    def outside(self, children: list[Any]) -> tree.Node:
        return tree.Within(children[0], children[1], children[2], True)

    def like(self, children: list[Any]) -> tree.Node:
        return _like(children, False)

    def unlike(self, children: list[Any]) -> tree.Node:
        return _like(children, True)

    def missing(self, children: list[tree.Field]) -> tree.Node:
        return tree.Null(children[0], False)

    def present(self, children: list[tree.Field]) -> tree.Node:
        return tree.Null(children[0], True)


def _like(children: list[Any], negated: bool) -> tree.Like:
    operand, word, pattern = children
    return tree.Like(operand, _text(pattern), word[0] in "iI", negated, _span(word))


def _text(token: Token) -> tree.Literal:
    quote = token[0]
    return tree.Literal(token[1:-1].replace(quote * 2, quote), _span(token))
