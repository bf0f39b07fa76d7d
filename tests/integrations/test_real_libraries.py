"""Integrations with the libraries themselves: LightGBM, scikit-learn, Optuna, OmegaConf and Hydra. No GPU."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import fleetlog
import numpy as np
import pytest
from fleetlog.integrations import lightgbm as for_lightgbm
from fleetlog.integrations import sklearn as for_sklearn
from fleetlog.integrations.hydra import log_config
from fleetlog.integrations.optuna import FleetlogCallback

from tests.client.processes import command, environment, said


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    features = rng.normal(size=(200, 4))
    return features, (features[:, 0] + 0.1 * rng.normal(size=200) > 0).astype(int)


def test_lightgbm_logs_params_and_metrics_by_iteration(embedded_target: str, experiment: str) -> None:
    lightgbm = pytest.importorskip("lightgbm", reason="NOT TESTED: lightgbm is not installed")
    features, labels = data()
    train = lightgbm.Dataset(features, labels)
    params = {"objective": "binary", "verbose": -1, "num_threads": 1, "metric": ["auc", "binary_logloss"]}
    with fleetlog.start_run(experiment, target=embedded_target) as run:
        callback = for_lightgbm.FleetlogCallback(run=run)
        lightgbm.train(params, train, 5, valid_sets=[train], callbacks=[callback])
    client = fleetlog.Client(embedded_target)
    view = client.get_run(run)
    assert view.params["objective"] == "binary"
    assert set(view.metrics) == {"training/auc", "training/binary_logloss"}
    assert [int(step) for step in client.read_series([run], ["training/auc"])[0].steps] == [0, 1, 2, 3, 4]
    with fleetlog.start_run(experiment, target=embedded_target) as folds:
        lightgbm.cv(params, train, 3, nfold=2, callbacks=[for_lightgbm.FleetlogCallback(run=folds)])
    assert {"valid/auc", "valid/auc_std"} <= set(client.get_run(folds).metrics)


def test_a_search_of_scikit_learn_is_a_run_with_a_child_for_each_candidate(
    embedded_target: str, experiment: str
) -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="NOT TESTED: scikit-learn is not installed")
    from sklearn.model_selection import GridSearchCV

    search = GridSearchCV(linear.LogisticRegression(), {"C": [0.01, 1.0, 100.0]}, cv=2)
    with pytest.raises(ValueError, match="was not fitted"):
        for_sklearn.log_search(search, experiment, target=embedded_target)
    search.fit(*data())
    run_id = for_sklearn.log_search(search, experiment, max_children=2, target=embedded_target)
    client = fleetlog.Client(embedded_target)
    client.flush()
    view = client.get_run(run_id)
    assert view.name == "GridSearchCV"
    assert view.params == search.best_params_
    assert view.metrics["mean_test_score"] == pytest.approx(search.best_score_)
    assert [file.path for file in client.list_artifacts(view)] == ["cv_results.csv"]
    children = client.search_runs(f"attributes.parent_run_id = '{run_id}'", experiments=[experiment])
    assert len(children) == 2
    assert {child.metrics["rank_test_score"] for child in children} <= {1.0, 2.0}
    assert all("split0_test_score" in child.metrics for child in children)


def test_a_study_of_optuna_is_a_run_with_a_child_for_each_trial(embedded_target: str, experiment: str) -> None:
    optuna = pytest.importorskip("optuna", reason="NOT TESTED: optuna is not installed")
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial: Any) -> float:
        x = float(trial.suggest_float("x", -1.0, 1.0))
        for step in range(3):
            trial.report(x * x + step, step)
        if trial.number == 1:
            raise optuna.TrialPruned
        if trial.number == 2:
            raise ArithmeticError("unlucky")
        return x * x

    study = optuna.create_study(study_name="small", sampler=optuna.samplers.RandomSampler(seed=1))
    callback = FleetlogCallback(experiment, target=embedded_target)
    study.optimize(objective, n_trials=4, callbacks=[callback], catch=(ArithmeticError,))
    callback.close()
    client = fleetlog.Client(embedded_target)
    client.flush()
    runs = {run.name: run for run in client.search_runs(experiments=[experiment])}
    assert set(runs) == {"small", "trial 0", "trial 1", "trial 2", "trial 3"}
    whole = runs["small"]
    assert whole.tags["optuna.directions"] == "minimize"
    assert whole.tags["optuna.best_trial"] == str(study.best_trial.number)
    assert [runs[f"trial {number}"].state for number in range(4)] == ["FINISHED", "KILLED", "FAILED", "FINISHED"]
    assert runs["trial 1"].tags["optuna.state"] == "PRUNED"
    first = runs["trial 0"]
    assert first.parent_id == whole.id
    assert first.params["x"] == study.trials[0].params["x"]
    assert first.metrics["value"] == study.trials[0].value
    assert [int(step) for step in client.read_series([first], ["intermediate_value"])[0].steps] == [0, 1, 2]


def test_a_config_of_omegaconf_is_params_without_secrets(embedded_target: str, experiment: str) -> None:
    omegaconf = pytest.importorskip("omegaconf", reason="NOT TESTED: omegaconf is not installed")
    config = omegaconf.OmegaConf.create(
        {
            "lr": 0.1,
            "optimizer": {"name": "adam", "lr": "${lr}"},
            "missing": "???",
            "api_token": "hunter2",
            "url": "https://me:pw@host/x",
            "layers": [64, 32],
        }
    )
    with fleetlog.start_run(experiment, target=embedded_target) as run:
        log_config(config, run)
    view = fleetlog.Client(embedded_target).get_run(run)
    assert view.problems == []
    assert view.params == {
        "lr": 0.1, "optimizer.name": "adam", "optimizer.lr": 0.1, "api_token": "***", "url": "https://***@host/x",
        "layers": "[64, 32]",
    }  # fmt: skip
    assert [file.path for file in fleetlog.Client(embedded_target).list_artifacts(view)] == ["config.yaml"]


def test_a_job_of_hydra_tells_its_overrides(embedded_target: str, experiment: str, tmp_path: Path) -> None:
    pytest.importorskip("hydra", reason="NOT TESTED: hydra-core is not installed")
    (tmp_path / "config.yaml").write_text("lr: 0.1\npassword: hunter2\n")
    script = f"""
    import hydra
    from fleetlog.integrations.hydra import log_config

    @hydra.main(config_path=".", config_name="config", version_base=None)
    def main(config):
        with fleetlog.start_run({experiment!r}) as run:
            log_config(config, run)
            run.flush(level="applied")
            print(json.dumps(run.id))

    main()
    """
    done = subprocess.run(
        [*command(script, tmp_path), "lr=0.5", "password=hunter3", f"hydra.run.dir={tmp_path}/out"],
        env=environment(embedded_target), capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    view = fleetlog.Client(embedded_target).get_run(said(done))
    assert view.params == {"lr": 0.5, "password": "***"}
    assert view.tags == {"hydra.job": "train", "hydra.overrides": "lr=0.5", "hydra.folder": f"{tmp_path}/out"}


def test_no_integration_imports_its_library_before_it_is_used() -> None:
    names = ("lightgbm", "sklearn", "optuna", "omegaconf", "hydra", "lightning", "transformers", "keras", "xgboost")
    script = (
        "import sys, fleetlog, fleetlog.integrations, fleetlog.integrations.lightgbm, fleetlog.integrations.optuna,"
        f" fleetlog.integrations.sklearn; sys.exit(' '.join(set(sys.modules) & set({names!r})))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr.strip() == ""
