from __future__ import annotations

from fleetlog_core.datasets import SEPARATOR, dataset_key, dataset_name, dataset_of, dataset_text
from fleetlog_proto.v1 import event_pb2
from hypothesis import given
from hypothesis import strategies as st

LINES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
DATASETS = st.builds(
    event_pb2.Dataset, name=LINES.filter(str.strip), digest=LINES, context=LINES, source_type=LINES, source=TEXTS,
    schema=TEXTS, profile=TEXTS, tags=st.dictionaries(LINES, TEXTS, max_size=2),
    text_files=st.dictionaries(st.sampled_from(["schema", "profile"]), LINES, max_size=2),
)  # fmt: skip


@given(DATASETS)
def test_key_and_text_tell_the_dataset(dataset: event_pb2.Dataset) -> None:
    assert dataset_of(dataset_key(dataset), dataset_text(dataset)) == dataset


def test_how_a_dataset_stands_in_the_tables() -> None:
    dataset = event_pb2.Dataset(name="fineweb", context="training", source="s3://é")
    assert dataset_key(dataset) == f"fineweb{SEPARATOR}{SEPARATOR}training"
    assert dataset_text(dataset) == '{"source":"s3://é"}'
    assert dataset_name(dataset_key(dataset)) == "fineweb / training"
    assert dataset_text(event_pb2.Dataset(name="fineweb")) == ""
