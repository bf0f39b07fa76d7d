"""What a process told of itself, read back."""

from __future__ import annotations

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families


def families(told: bytes) -> dict[str, Metric]:
    """The families of numbers by name."""
    return {family.name: family for family in text_string_to_metric_families(told.decode())}


def numbers(told: bytes) -> dict[tuple[str, ...], float]:
    """(name, values of its labels, by the order of their names) → value."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families(told).values()
        for sample in family.samples
    }
