"""From run.log() to a search hit, over a real server."""

from __future__ import annotations

import hashlib
import math
import threading
from pathlib import Path

import fleetlog
import numpy as np
import pytest


def test_a_run_comes_back_as_it_was_logged(embedded_target: str, tmp_path: Path) -> None:
    client = fleetlog.Client(embedded_target)
    params: dict[str, object] = {"lr": 2e-5, "layers": 12, "bf16": True, "model": "gpt2"}
    with fleetlog.start_run("main", "baseline", params=params, tags={"team": "a"}, target=embedded_target) as run:
        for step in range(100):
            run.log({"loss": 3 - step / 100, "bad": math.nan if step % 2 else math.inf}, step=step)
        run.log_series("val", steps=np.array([5, 3, 3, -2]), values=np.array([1.0, 2.0, -0.0, 4.0]))
        (tmp_path / "small.txt").write_text("hello")
        (tmp_path / "large.bin").write_bytes(bytes(range(256)) * 8192)
        run.log_artifacts(tmp_path, "files")
    found = client.search_runs("metrics.loss < 2.02 AND params.lr < 1e-3", experiments=["main"])
    assert [one.id for one in found] == [run.id]
    view = client.get_run(run.id)
    assert view.params == params
    assert (view.name, view.state, view.tags, view.problems) == ("baseline", "FINISHED", {"team": "a"}, [])
    loss = view.metric("loss")
    assert loss.steps.tolist() == list(range(100))
    assert loss.values.tolist() == [3 - step / 100 for step in range(100)]
    bad = view.metric("bad").values
    assert np.isnan(bad[1::2]).all()
    assert (bad[::2] == math.inf).all()
    assert view.summary("bad").nan_count == 50
    series = view.metric("val")
    assert series.steps.tolist() == [-2, 3, 3, 5]
    assert math.copysign(1, series.values[2]) == -1
    summary = view.summary("val")
    assert (summary.first, summary.first_step, summary.last, summary.last_step) == (4.0, -2, 1.0, 5)
    assert (summary.min, summary.max, summary.max_step, summary.count) == (0.0, 4.0, -2, 4)
    listed = client.list_artifacts(run.id)
    assert [(one.path, one.size_bytes) for one in listed] == [("files/large.bin", 2 << 20), ("files/small.txt", 5)]
    fetched = client.download_artifact(run.id, "files/large.bin", tmp_path / "back.bin")
    assert hashlib.sha256(fetched.read_bytes()).hexdigest() == listed[0].sha256


class Described:
    """As the datasets of mlflow.data."""

    name = "hellaswag"

    def to_dict(self) -> dict[str, object]:
        return {
            "name": self.name, "digest": "91ab", "source_type": "hf", "source": '{"path": "h"}', "schema": None,
            "profile": {"rows": 10_042},
        }  # fmt: skip


def test_data_that_a_run_read(embedded_target: str, caplog: pytest.LogCaptureFixture) -> None:
    client = fleetlog.Client(embedded_target)
    with fleetlog.start_run("data", target=embedded_target) as run:
        run.log_input("fineweb10B", "training", digest="8f2c", source="s3://bucket/fineweb", schema={"tokens": "u16"})
        run.log_input(Described(), "test")
        run.log_input(7)  # type: ignore[arg-type]
    with fleetlog.start_run("data", target=embedded_target):
        pass
    assert "log_input could not log: TypeError: data is a name" in caplog.text
    assert [one.id for one in client.search_runs("datasets.digest = '91ab'", experiments=["data"])] == [run.id]
    view = client.get_run(run.id)
    told = [(one.name, one.digest, one.context, one.source, one.schema, one.profile) for one in view.datasets]
    assert told == [
        ("fineweb10B", "8f2c", "training", "s3://bucket/fineweb", '{"tokens": "u16"}', ""),
        ("hellaswag", "91ab", "test", '{"path": "h"}', "", '{"rows": 10042}'),
    ]
    assert [problem.reason for problem in view.problems] == ["DATASET_INVALID"]
    (found, other) = client.search_runs(experiments=["data"], order_by=["start_time"], read_mask=["datasets"])
    assert (len(found.datasets), found.params, other.datasets) == (2, {}, [])
    assert client.search_runs(experiments=["data"], limit=None).to_arrow().num_rows == 2
    with pytest.raises(fleetlog.InvalidArgument, match="may have several datasets"):
        client.search_runs(experiments=["data"], order_by=["datasets.name"])


def test_a_download_goes_on_where_it_stopped(embedded_target: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 8192
    (tmp_path / "model.pt").write_bytes(content)
    with fleetlog.start_run("downloads", target=embedded_target) as run:
        run.log_artifact(tmp_path / "model.pt")
    (tmp_path / "to.pt.part").write_bytes(content[:1_000_001])
    client = fleetlog.Client(embedded_target)
    assert client.download_artifact(run.id, "model.pt", tmp_path / "to.pt").read_bytes() == content


def test_ranks_write_one_run_side_by_side(embedded_target: str) -> None:
    first = fleetlog.start_run("ranks", rank=0, target=embedded_target)

    def rank(number: int) -> None:
        run = fleetlog.start_run("ranks", run_id=first.id, rank=number, target=embedded_target)
        for step in range(200):
            run.log({f"loss/{number}": float(step), "shared": float(number)}, step=step)
        run.flush()

    threads = [threading.Thread(target=rank, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first.finish()
    view = fleetlog.Client(embedded_target).get_run(first.id)
    assert len(view.metric("shared")) == 800
    assert all(view.summary(f"loss/{number}").count == 200 for number in range(1, 5))


def test_params_are_written_once(embedded_target: str) -> None:
    with fleetlog.start_run("params", params={"lr": 1.0}, target=embedded_target) as run:
        run.log_params({"lr": 1.0, "new": 2})
        run.log_params({"lr": 5.0})
    view = fleetlog.Client(embedded_target).get_run(run.id)
    assert view.params == {"lr": 1.0, "new": 2}
    assert [one.reason for one in view.problems] == ["PARAM_CONFLICT"]


def test_a_run_that_ended_is_resumed_or_refused(embedded_target: str) -> None:
    client = fleetlog.Client(embedded_target)
    with fleetlog.start_run("resume", target=embedded_target) as run:
        run.log({"x": 1.0}, step=1)
    client.get_run(run.id)
    stranger = fleetlog.start_run("resume", run_id=run.id, target=embedded_target)
    stranger.log({"x": 2.0}, step=2)
    stranger.finish()
    assert client.get_run(run.id).metrics == {"x": 1.0}
    again = fleetlog.start_run("resume", run_id=run.id, resume=True, target=embedded_target)
    again.log({"x": 3.0}, step=3)
    again.flush()
    assert client.get_run(run.id).state == "RUNNING"
    again.finish("FAILED")
    view = client.get_run(run.id)
    assert (view.state, view.metrics) == ("FAILED", {"x": 3.0})


def test_runs_change_from_outside(embedded_target: str) -> None:
    client = fleetlog.Client(embedded_target)
    with fleetlog.start_run("outside", tags={"a": "1", "b": "2"}, target=embedded_target) as run:
        pass
    client.update_run(run.id, name="renamed", tags={"c": "3"}, deleted_tags=["a"])
    view = client.get_run(run.id)
    assert (view.name, view.tags) == ("renamed", {"b": "2", "c": "3"})
    client.delete_run(run.id)
    assert not client.search_runs(experiments=["outside"])
    assert [one.id for one in client.search_runs(experiments=["outside"], deleted="deleted")] == [run.id]
    client.restore_run(run.id)
    assert len(client.search_runs(experiments=["outside"])) == 1
    with pytest.raises(fleetlog.NotFound):
        client.update_run("0" * 32, name="x")


def test_experiments_are_unique_and_numbered(embedded_target: str) -> None:
    client = fleetlog.Client(embedded_target, "numbers")
    assert [(one.id, one.name) for one in client.experiments()] == [(0, "Default")]
    first, second = client.create_experiment("one", {"k": "v"}), client.create_experiment("two")
    assert (first.id, second.id, first.tags) == (1, 2, {"k": "v"})
    with pytest.raises(fleetlog.AlreadyExists):
        client.create_experiment("one")
    assert client.create_experiment("one", exist_ok=True).id == 1
    assert client.update_experiment(1, name="uno").name == "uno"
    client.delete_experiment(2)
    assert [one.id for one in client.experiments()] == [0, 1]
    with pytest.raises(fleetlog.AlreadyExists):
        client.create_experiment("two")
    assert client.restore_experiment(2).deleted is False
    with pytest.raises(fleetlog.FailedPrecondition):
        client.delete_experiment(0)
    with pytest.raises(fleetlog.NotFound):
        client.get_experiment("nowhere")


def test_namespaces_do_not_see_each_other(embedded_target: str) -> None:
    with fleetlog.start_run("mine", namespace="tenant-a", target=embedded_target) as run:
        run.log({"x": 1.0})
    mine, other = fleetlog.Client(embedded_target, "tenant-a"), fleetlog.Client(embedded_target, "tenant-b")
    assert mine.get_run(run.id).metrics == {"x": 1.0}
    with pytest.raises(fleetlog.NotFound) as foreign:
        other.get_run(run.id)
    with pytest.raises(fleetlog.NotFound) as missing:
        other.get_run("0" * 32)
    assert str(foreign.value).replace(run.id, "") == str(missing.value).replace("0" * 32, "")
    assert len(other.read_metric(run.id, "x")) == 0


def test_what_is_wrong_in_a_step_costs_only_itself(embedded_target: str) -> None:
    with fleetlog.start_run("wrong", target=embedded_target) as run:
        run.log({"good": 1.0, "text": "abc", "a//b": 2.0, "": 3.0, "x" * 300: 1.0}, step=1)
        run.log({"good": float(np.float32(2.0))}, step=1 << 70)
        run.log({"good": 3}, step=2)
        run.set_tags({"k" * 300: "v"})
        run.log_series("s", steps=[1, 2], values=[1.0])
    view = fleetlog.Client(embedded_target).get_run(run.id)
    assert view.metrics == {"good": 3.0}
    assert view.tags == {}


def test_buckets_never_hide_a_spike(embedded_target: str) -> None:
    values = np.zeros(200_000)
    values[123_457], values[77] = 9.0, np.nan
    with fleetlog.start_run("buckets", target=embedded_target) as run:
        run.log_series("x", steps=np.arange(200_000), values=values)
    buckets = fleetlog.Client(embedded_target).get_run(run.id).buckets("x", 100)
    assert len(buckets) <= 100
    assert buckets.maxs.max() == 9.0
    assert int(buckets.counts.sum()) == 200_000
    few = fleetlog.Client(embedded_target).get_run(run.id).buckets("x", 10_000)
    assert len(few) <= 10_000
    assert few.maxs.max() == 9.0
