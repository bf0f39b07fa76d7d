"""Integrations whose libraries are too large for every test run: Lightning, Transformers, Keras, XGBoost.

Each is imported over a stand-in that has what the library's documentation promises to a callback, and is called as the
documentation says that the library calls it. The libraries themselves are NOT TESTED here.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any

import fleetlog
import pytest

from tests.integrations.conftest import Stand


def view_of(target: str, run: Any) -> fleetlog.RunView:
    client = fleetlog.Client(target)
    client.flush()
    return client.get_run(run)


def steps(target: str, run: Any, key: str) -> list[int]:
    return [int(step) for step in fleetlog.Client(target).read_series([run], [key])[0].steps]


class Logger:
    """lightning.pytorch.loggers.Logger: name, version, log_metrics, log_hyperparams, finalize."""


RANK = SimpleNamespace(rank=0)


def rank_zero_only(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs) if RANK.rank == 0 else None

    return wrapped


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_lightning(
    over_stand_ins: Stand, embedded_target: str, experiment: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {"Logger": Logger, "rank_zero_experiment": rank_zero_only}
    parents: dict[str, dict[str, Any]] = {"lightning": {}} if package.startswith("lightning") else {}
    module = over_stand_ins(
        "lightning",
        {
            **parents,
            package: {},
            f"{package}.loggers": {},
            f"{package}.loggers.logger": words,
            f"{package}.utilities": {},
            f"{package}.utilities.rank_zero": {"rank_zero_only": rank_zero_only},
        },
    )
    logger = module.FleetlogLogger(experiment, "fit", prefix="run", target=embedded_target)
    assert Logger in type(logger).__mro__
    assert logger.name == experiment
    assert logger.version is None
    monkeypatch.setattr(RANK, "rank", 1)
    logger.log_metrics({"loss": 9.0}, 0)
    assert [logger.experiment] == [None]
    assert logger.version is None
    monkeypatch.setattr(RANK, "rank", 0)
    logger.log_hyperparams({"lr": 0.1, "layers": {"size": 4}})
    logger.log_hyperparams(Namespace(seed=7))
    logger.log_metrics({"loss": 2.0}, 10)
    logger.finalize("success")
    logger.log_metrics({"test_loss": 1.0}, 11)
    run_id = logger.version
    assert logger.experiment.id == run_id
    logger.close()
    view = view_of(embedded_target, run_id)
    assert view.params == {"lr": 0.1, "layers.size": 4, "seed": 7}
    assert view.metrics == {"run/loss": 2.0, "run/test_loss": 1.0}
    assert steps(embedded_target, run_id, "run/loss") == [10]
    assert view.state == "FINISHED"
    failed = module.FleetlogLogger(experiment, target=embedded_target)
    failed.log_metrics({"loss": 1.0}, 0)
    run_id = failed.version
    failed.finalize("failed")
    assert view_of(embedded_target, run_id).state == "FAILED"


class TrainerCallback:
    """transformers.TrainerCallback: on_train_begin, on_log and others, with args, state, control and keywords."""


def test_transformers(over_stand_ins: Stand, embedded_target: str, experiment: str) -> None:
    module = over_stand_ins("transformers", {"transformers": {"TrainerCallback": TrainerCallback}})
    callback = module.FleetlogCallback(experiment, target=embedded_target)
    assert TrainerCallback in type(callback).__mro__
    args = SimpleNamespace(run_name="tuned", to_dict=lambda: {"learning_rate": 5e-5, "hub_token": None})
    model = SimpleNamespace(config=SimpleNamespace(to_dict=lambda: {"hidden_size": 64}))
    other = SimpleNamespace(is_world_process_zero=False, global_step=0)
    callback.on_train_begin(args, other, None, model=model)
    callback.on_log(args, other, None, logs={"loss": 1.0})
    state = SimpleNamespace(is_world_process_zero=True, global_step=0)
    callback.on_train_begin(args, state, None, model=model, tokenizer=None)
    for step in (10, 20):
        state.global_step = step
        callback.on_log(args, state, None, logs={"loss": 1.0, "epoch": 0.1, "note": "text"}, model=model)
    callback.on_log(args, state, None, logs={"eval_loss": 0.5})
    callback.close()
    (run,) = fleetlog.Client(embedded_target).search_runs(experiments=[experiment])
    view = view_of(embedded_target, run)
    assert view.name == "tuned"
    assert view.params == {"learning_rate": 5e-5, "model.hidden_size": 64}
    assert view.metrics == {"loss": 1.0, "epoch": 0.1, "eval_loss": 0.5}
    assert steps(embedded_target, run, "loss") == [10, 20]
    assert view.problems == []


class Callback:
    """keras.callbacks.Callback: params and model are set before the first call."""

    params: Any = None
    model: Any = None


def test_keras(over_stand_ins: Stand, embedded_target: str, experiment: str) -> None:
    module = over_stand_ins("keras", {"keras": {}, "keras.callbacks": {"Callback": Callback}})
    with fleetlog.start_run(experiment, target=embedded_target) as run:
        callback = module.FleetlogCallback(run=run, every_batches=2)
        callback.params = {"epochs": 2, "steps": 4}
        callback.model = SimpleNamespace(optimizer=SimpleNamespace(get_config=lambda: {"name": "adam", "lr": 0.1}))
        callback.on_train_begin()
        for epoch in range(2):
            for batch in range(4):
                callback.on_train_batch_end(batch, {"loss": 1.0})
            callback.on_epoch_end(epoch, {"loss": 1.0, "val_loss": 2.0})
        callback.on_train_end({"loss": 1.0})
        assert not view_of(embedded_target, run).end_time
    view = view_of(embedded_target, run)
    assert view.params == {"fit.epochs": 2, "fit.steps": 4, "optimizer.name": "adam", "optimizer.lr": 0.1}
    assert view.metrics == {"loss": 1.0, "val_loss": 2.0, "batch/loss": 1.0}
    assert steps(embedded_target, run, "batch/loss") == [2, 4, 6, 8]
    assert steps(embedded_target, run, "val_loss") == [0, 1]


class TrainingCallback:
    """xgboost.callback.TrainingCallback: before_training, after_iteration, after_training."""


class Booster:
    """xgboost.Booster: without early stopping `best_iteration` raises AttributeError."""

    best_iteration = 1
    best_score = 0.25


def test_xgboost(over_stand_ins: Stand, embedded_target: str, experiment: str) -> None:
    module = over_stand_ins("xgboost", {"xgboost": {}, "xgboost.callback": {"TrainingCallback": TrainingCallback}})
    callback = module.FleetlogCallback(experiment, target=embedded_target, params={"eta": 0.3})
    assert TrainingCallback in type(callback).__mro__
    booster = Booster()
    assert callback.before_training(booster) is booster
    history: dict[str, dict[str, list[Any]]] = {"train": {"rmse": []}, "test": {"rmse": []}}
    for iteration in range(3):
        history["train"]["rmse"].append(1.0 / (1 + iteration))
        history["test"]["rmse"].append((0.5, 0.1))
        assert callback.after_iteration(booster, iteration, history) is False
    assert callback.after_training(booster) is booster
    (run,) = fleetlog.Client(embedded_target).search_runs(experiments=[experiment])
    view = view_of(embedded_target, run)
    assert view.state == "FINISHED"
    assert view.params == {"eta": 0.3}
    assert view.tags == {"best_iteration": "1", "best_score": "0.25"}
    assert view.metrics == {"train/rmse": pytest.approx(1 / 3), "test/rmse": 0.5, "test/rmse_std": 0.1}
    assert steps(embedded_target, run, "train/rmse") == [0, 1, 2]
