from __future__ import annotations

from pathlib import Path

import pytest

from tests.layers import FOLDERS, LAYERS, SMOKES, layer_of, slow_files_first

TESTS = Path(__file__).parents[1]


def test_every_folder_and_file_that_has_a_layer_is_there() -> None:
    assert set(FOLDERS.values()) == set(LAYERS)
    gone = [
        path for path in (*FOLDERS, *SMOKES) if not (TESTS / path).is_dir() and not (TESTS / f"{path}.py").is_file()
    ]
    assert gone == []


def test_every_test_has_a_layer() -> None:
    for path in TESTS.rglob("test_*.py"):
        assert layer_of(path.relative_to(TESTS).with_suffix("").as_posix()) in LAYERS


def test_what_opens_an_engine_is_no_unit() -> None:
    openers = ("in_own_process(", "in_fresh_process(", "warehouse.engines import")
    found = [path for path in TESTS.rglob("test_*.py") if any(word in path.read_text() for word in openers)]
    names = [path.relative_to(TESTS).with_suffix("").as_posix() for path in found]
    assert [name for name in names if layer_of(name) == "unit" and name != "docs/test_layers"] == []


def test_the_longest_path_holds() -> None:
    assert layer_of("core/test_ids") == "unit"
    assert layer_of("core/log/test_contract") == "engine"
    assert layer_of("core/log/kafka/test_url") == "unit"
    with pytest.raises(KeyError):
        layer_of("elsewhere/test_it")


def test_who_asks_for_a_server_is_of_its_layer() -> None:
    assert layer_of("query/selection/test_selection", ("embedded", "fleet")) == "server"
    assert layer_of("deploy/test_up", ("embedded",)) == "crash"


def test_files_of_slow_layers_run_first_and_stay_together() -> None:
    tests = [("a", "unit"), ("b", "unit"), ("b", "server"), ("c", "crash"), ("d", "engine"), ("d", "unit")]
    assert [tests[place] for place in slow_files_first(tests)] == [
        ("c", "crash"), ("b", "unit"), ("b", "server"), ("d", "engine"), ("d", "unit"), ("a", "unit"),
    ]  # fmt: skip
