"""The distinct keys of one run: which of those asked for are too many, and how that is told."""

from __future__ import annotations

from collections.abc import Collection

from fleetlog_core.errors import ResourceExhausted, Violation, shown

TOO_MANY_METRICS = "TOO_MANY_METRICS"
TOO_MANY_PARAMS = "TOO_MANY_PARAMS"
TOO_MANY_TAGS = "TOO_MANY_TAGS"
TOO_MANY_DATASETS = "TOO_MANY_DATASETS"
TOO_MANY_MODELS = "TOO_MANY_MODELS"
_WORDS = {
    TOO_MANY_METRICS: ("metrics", "METRICS_PER_RUN"),
    TOO_MANY_PARAMS: ("params", "PARAMS_PER_RUN"),
    TOO_MANY_TAGS: ("tags", "TAGS_PER_RUN"),
    TOO_MANY_DATASETS: ("datasets", "DATASETS_PER_RUN"),
    TOO_MANY_MODELS: ("logged models", "MODELS_PER_RUN"),
}


def beyond(have: Collection[str], asked: Collection[str], limit: int) -> list[str]:
    """The keys among `asked` for which a run that has the keys `have` has no room, in order. First come, first kept."""
    if len(have) + len(asked) <= limit:
        return []
    found: list[str] = []
    taken: set[str] = set()
    for key in asked:
        if key in have or key in taken:
            continue
        if len(have) + len(taken) < limit:
            taken.add(key)
        else:
            found.append(key)
    return found


def words(reason: str, keys: Collection[str], limit: int) -> str:
    """What is wrong with keys that are too many (at least one of them)."""
    kind, name = _WORDS[reason]
    first, *others = keys
    more = f" and {len(others):,} more" if others else ""
    return (
        f"{shown(first)}{more}: the run has {limit:,} distinct {kind}, and no run has more ({name});"
        " name fewer, or log to another run"
    )


def too_many(reason: str, field: str, keys: Collection[str], limit: int) -> ResourceExhausted:
    """The refusal of an event that asks for them."""
    text = words(reason, keys, limit)
    return ResourceExhausted(reason, f"{field}: {text}", violations=(Violation(field, text),))
