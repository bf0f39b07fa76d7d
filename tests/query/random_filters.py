"""Random filters over all of the language, as texts."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from tests.query.random_runs import EXACT, KEYS, NUMBERS, START, STEPS, TEXTS, WHOLES

Texts = st.SearchStrategy[str]


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def made(template: str) -> Callable[..., str]:
    return lambda *parts: template.format(*parts)


def build(template: str, *parts: Texts) -> Texts:
    return st.builds(made(template), *parts)


def one_of(*words: str) -> Texts:
    return st.sampled_from(words)


def key(group: str) -> Texts:
    return st.sampled_from([*KEYS, "missing"]).map(lambda name: f"{group}.`{name.replace('`', '``')}`")


NUMBER = st.sampled_from([*NUMBERS, 0.25, 1024.0]).map(repr)
WHOLE = st.sampled_from([*WHOLES, 1 << 63, -(1 << 64), (1 << 62) + 1]).map(str) | one_of("1e16", "9007199254740993.0")
TEXT = st.sampled_from(TEXTS).map(quoted)
PATTERN = st.sampled_from(
    ["%", "a%", "_", "%b", "100\\%", "under\\_%", "back\\\\%", "A_", "%☃", "", "\\a", "%\\", "\\", "α_", "%\n%", "%S%",
     "k", "I", "%%", "a%b", "%a%"]
).map(quoted)  # fmt: skip
EXPRESSION = st.sampled_from(
    ["a", "^a$", ".", "^.$", "(?i)^A", "[0-9]+", "\\\\", "a|é", "", "^$", "t.h", "\\P{Greek}"]
).map(quoted)
COMPARISON = one_of("=", "!=", "<", "<=", ">", ">=", "<>", "==")
NOT = one_of("", "NOT ")
NUMERIC_ATTRIBUTE = one_of("start_time", "attributes.end_time", "run.created")
DATASET = one_of("datasets.name", "dataset.digest", "datasets.`context`")
TEXT_ATTRIBUTE = one_of("name", "attr.`run name`", "user_id")

STEP = st.sampled_from([*STEPS, 64, 384, 640]).map(str) | one_of("-inf", "inf", "0.5", "127.5")
MOMENT = st.sampled_from([START, START + 1_000, START + 1_500]).map(str) | one_of(
    "now() - 1h", "'2023-11-14 22:13:21Z'"
)
INEQUALITY = one_of("=", "<", "<=", ">", ">=")
WITHIN = st.one_of(
    build("step {} {}", INEQUALITY, STEP),
    build("step BETWEEN {} AND {}", STEP, STEP),
    build("time {} {}", INEQUALITY, MOMENT),
    build("rank {} {}", INEQUALITY, one_of("-1", "0", "1", "2")),
)
WINDOW = st.lists(WITHIN, min_size=1, max_size=3).map(" AND ".join)
FUNCTION = one_of("min", "MAX", "mean", "first", "last", "count")
SERIES = st.one_of(
    build("{}({})", FUNCTION, key("metrics")),
    build("{}({} WHERE {})", FUNCTION, key("metrics"), WINDOW),
    build("at({}, {})", key("metrics"), st.sampled_from(STEPS).map(str)),
)
READ = key("metrics") | key("params") | SERIES
CALCULATION = st.recursive(
    READ | NUMBER,
    lambda inner: st.one_of(
        build("({} {} {})", inner, one_of("+", "-", "*", "/"), inner),
        build("{} {} {} * {}", inner, one_of("+", "-"), inner, inner),
    ),
    max_leaves=4,
)
COMPUTED = build("({} {} {})", READ, one_of("+", "-", "*", "/"), CALCULATION)
SPAN = one_of("0s", "1h", "2h", "1h30m", "3600000ms", "1d")


def conditions(field: Texts, value: Texts) -> list[Texts]:
    return [
        build("{} {} {}", field, COMPARISON, value),
        build("{} {} {}", value, COMPARISON, field),
        build("{} {}IN ({}, {})", field, NOT, value, value),
        build("{} {}BETWEEN {} AND {}", field, NOT, value, value),
        build("{} IS {}NULL", field, NOT),
    ]


def patterns(field: Texts) -> list[Texts]:
    return [
        build("{} {}{} {}", field, NOT, one_of("LIKE", "ILIKE"), PATTERN),
        build("{} {}MATCHES {}", field, NOT, EXPRESSION),
    ]


TIME = st.sampled_from([START, START + 3, START + 3_600_000]).map(str)
LEAF = st.one_of(
    *conditions(key("metrics"), NUMBER),
    *conditions(key("params"), NUMBER),
    *conditions(key("params"), WHOLE | NUMBER),
    *conditions(key("metrics"), WHOLE),
    *conditions(key("params"), TEXT),
    *conditions(key("tags"), TEXT),
    *conditions(build("text({})", key("params")), TEXT),
    *conditions(build("text({})", key("tags")), TEXT),
    *conditions(SERIES, st.sampled_from([*EXACT, 2.0, 600.0]).map(repr)),
    *conditions(NUMERIC_ATTRIBUTE, TIME),
    *conditions(TEXT_ATTRIBUTE, TEXT),
    *patterns(key("params")),
    *patterns(key("tags")),
    *patterns(TEXT_ATTRIBUTE),
    *conditions(DATASET, TEXT),
    *patterns(DATASET),
    build("{} {} {}", COMPUTED, COMPARISON, CALCULATION),
    build("{} {} {}", COMPUTED, COMPARISON, NUMBER),
    build("{} {}BETWEEN {} AND {}", COMPUTED, NOT, NUMBER, NUMBER),
    build("end_time - start_time {} {}", COMPARISON, SPAN),
    build("start_time {} now() - {}", COMPARISON, SPAN),
    build("start_time {} '2023-11-14T22:13:20.002+00:00' + 1s - 1000ms", COMPARISON),
    build("state {} {}", one_of("=", "!="), one_of("'FINISHED'", "'failed'", "'SCHEDULED'")),
    build("status {}IN ('RUNNING', 'KILLED')", NOT),
    build("status {}LIKE {}", NOT, one_of("'%ED'", "'f%'", "'RUNNING'")),
    build("parent_run_id IS {}NULL", NOT),
    build("parent_run_id {} {}", COMPARISON, one_of("'0'", "'zz'", "''")),
)
ORDERED = st.one_of(
    key("metrics"),
    key("params"),
    key("tags"),
    build("text({})", key("params")),
    build("text({})", one_of("name", "user", "run_id")),
    SERIES,
    COMPUTED,
    one_of("start_time", "end_time", "name", "user", "state", "run_id", "parent_run_id", "experiment_id"),
    one_of("end_time - start_time", "(end_time - start_time) / 0", "now() - end_time"),
    build("{} * (end_time - start_time)", READ),
)  # fmt: skip
ORDER = st.lists(build("{} {}", ORDERED, one_of("", "ASC", "desc")), min_size=1, max_size=3)
FILTER = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=12).map(lambda parts: f"({' AND '.join(parts)})"),
        st.lists(inner, min_size=2, max_size=6).map(lambda parts: f"({' OR '.join(parts)})"),
        build("NOT ({})", inner),
    ),
    max_leaves=6,
)
