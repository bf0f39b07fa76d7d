"""MLflow's server with the two calls answered directly that its pages ask for most: the table of runs, and a chart's
points. `mlflow server --app-name fleetlog` starts it, and so does `fleetlog mlflow-ui`.

What a request asks for is read here where it is plainly right. Any other one, and any that fails, goes to MLflow's own
view, so that refusals are its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import flask
from mlflow.exceptions import MlflowException
from mlflow.server import app as flask_app
from mlflow.server import handlers
from mlflow.server.constants import ARTIFACTS_ONLY_ENV_VAR
from mlflow.server.fastapi_app import app as whole_app

from fleetlog.mlflow_plugin.page_requests import points_request, runs_request
from fleetlog.mlflow_plugin.tracking import FleetlogStore

View = Callable[[], Any]
Answer = Callable[[FleetlogStore], str | None]
"""JSON of what a request asks for; None when MLflow's own view is to answer it."""


def app() -> Any:
    """Returns MLflow's whole server. Where its store is another one, or none, it is as it was."""
    if not os.environ.get(ARTIFACTS_ONLY_ENV_VAR):
        views = flask_app.view_functions
        for name in views.keys() & _ANSWERS.keys():
            views[name] = _directly(_ANSWERS[name], views[name])
    return whole_app


def _directly(answer: Answer, own: View) -> View:
    def view() -> Any:
        try:
            store = handlers._get_tracking_store()
            text = answer(store) if isinstance(store, FleetlogStore) else None
        except MlflowException:
            text = None
        return own() if text is None else flask.Response(text, mimetype="application/json")

    return view


def _points(store: FleetlogStore) -> str | None:
    asked = points_request(flask.request.args.to_dict(flat=False))
    return None if asked is None else store.interval_json(*asked)


def _runs(store: FleetlogStore) -> str | None:
    asked = runs_request(flask.request.get_json(silent=True))
    return None if asked is None else store.search_json(*asked)


_ANSWERS: dict[str, Answer] = {
    "_search_runs": _runs,
    # One path has two views, of which the first that was registered answers.
    "get_metric_history_bulk_interval_handler": _points,
    "serve_get_metric_history_bulk_interval": _points,
}
"""Names of MLflow's views, and what answers in their place."""
