"""Scorers with their versions, as MLflow's tracking store has them: a document for each scorer, which knows its
numbers, and one for each version. A number is never given twice."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fleetlog_core.errors import shown
from mlflow.entities.scorer import ScorerVersion
from mlflow.exceptions import MlflowException

from fleetlog.mlflow_plugin.documents import (
    DocumentStore,
    Kept,
    batches,
    changed,
    deletion_of,
    put_of,
    until_first,
)
from fleetlog.mlflow_plugin.errors import invalid, missing, translated

if TYPE_CHECKING:
    from mlflow.genai.scorers.online.entities import OnlineScorer, OnlineScoringConfig

SCORER, VERSION = "scorer", "scorer_version"


class ScorerStore(DocumentStore):
    """Scorers of the namespace's experiments."""

    def register_scorer(self, experiment_id: str, name: str, serialized_scorer: str) -> ScorerVersion:
        """Returns the new version of the scorer of that name, which is made when it is not there."""
        from mlflow.genai.scorers.scorer_utils import is_gateway_model, validate_scorer_model, validate_scorer_name

        validate_scorer_name(name)
        experiment = self._experiment(experiment_id)
        model = _model_of(serialized_scorer)
        validate_scorer_model(model)
        if is_gateway_model(model):
            raise missing(f"GatewayEndpoint not found: fleetlog keeps none, and the scorer's model is '{model}'")
        now = time.time_ns() // 1_000_000

        def attempt() -> ScorerVersion:
            scorer = self._named(experiment, name)
            if scorer is None:
                scorer = Kept(str(uuid.uuid4()), experiment, _key(experiment, name), 0, {"name": name, "versions": []})
            number = scorer.body.get("last_version", 0) + 1
            body = {**scorer.body, "last_version": number, "versions": [*scorer.body["versions"], number]}
            version = {"version": number, "serialized_scorer": serialized_scorer, "creation_time": now}
            made = put_of(VERSION, _version_id(scorer, number), version, parent_id=scorer.document_id)
            self.put_documents(changed(SCORER, scorer, body), made)
            return _entity(scorer, version)

        return until_first(attempt)

    def list_scorers(self, experiment_id: str) -> list[ScorerVersion]:
        """Returns the latest version of each scorer of an experiment, by name."""
        return self._latest([self._experiment(experiment_id)])

    def list_scorers_across_experiments(self, experiment_ids: list[str]) -> list[ScorerVersion]:
        """Returns the latest version of each scorer of experiments, in their order."""
        found = self._latest([self._experiment(experiment_id) for experiment_id in experiment_ids])
        return [one for wanted in experiment_ids for one in found if one.experiment_id == str(wanted)]

    def get_scorer(self, experiment_id: str, name: str, version: int | None = None) -> ScorerVersion:
        """Returns a version of a scorer, the latest for None."""
        experiment = self._experiment(experiment_id)
        with translated():
            wanted = _numbers(version)
            scorer = self._scorer(experiment, name, wanted)
            return self._versions([(scorer, wanted or scorer.body["versions"][-1:])])[0]

    def list_scorer_versions(self, experiment_id: str, name: str) -> list[ScorerVersion]:
        """Returns all versions of a scorer by number."""
        experiment = self._experiment(experiment_id)
        with translated():
            scorer = self._scorer(experiment, name)
            return self._versions([(scorer, scorer.body["versions"])])

    def delete_scorer(self, experiment_id: str, name: str, version: int | None = None) -> None:
        """Delete a version of a scorer; all of it for None."""
        experiment, wanted = self._experiment(experiment_id), _numbers(version)

        def attempt() -> None:
            scorer = self._scorer(experiment, name, wanted)
            numbers = wanted or scorer.body["versions"]
            ids = [_version_id(scorer, number) for number in numbers]
            gone = [deletion_of(VERSION, one) for one in self.find_documents(VERSION, document_ids=ids)]
            left = [number for number in scorer.body["versions"] if number not in numbers]
            own = (
                deletion_of(SCORER, scorer)
                if version is None
                else changed(SCORER, scorer, {**scorer.body, "versions": left})
            )
            first, *others = list(batches(gone)) or [[]]
            # Without the scorer its versions are not reached.
            self.put_documents(own, *first)
            for batch in others:
                self.put_documents(*batch)

        until_first(attempt)

    def upsert_online_scoring_config(
        self, experiment_id: str, scorer_name: str, sample_rate: float, filter_string: str | None = None
    ) -> OnlineScoringConfig:
        """Refused: it wants a model of MLflow's gateway, of which fleetlog keeps none."""
        if not isinstance(sample_rate, (int, float)):
            raise invalid(f"sample_rate must be a number, got {type(sample_rate).__name__}")
        if not 0.0 <= sample_rate <= 1.0:
            raise invalid(f"sample_rate must be between 0.0 and 1.0, got {sample_rate}")
        self.get_scorer(experiment_id, scorer_name)
        raise invalid(
            f"Scorer '{scorer_name}' does not use a gateway model. Automatic evaluation is only supported for scorers"
            " that use gateway models."
        )

    def get_online_scoring_configs(self, scorer_ids: list[str]) -> list[OnlineScoringConfig]:
        """Returns none: see upsert_online_scoring_config."""
        return []

    def get_active_online_scorers(self) -> list[OnlineScorer]:
        """Returns none: see upsert_online_scoring_config."""
        return []

    def _experiment(self, experiment_id: str) -> str:
        return str(self.active_experiment(experiment_id).experiment_id)

    def _named(self, experiment_id: str, name: str) -> Kept | None:
        return next(self.find_documents(SCORER, unique_keys=[_key(experiment_id, name)]), None)

    def _scorer(self, experiment_id: str, name: str, wanted: Sequence[int] = ()) -> Kept:
        """A scorer that has the versions, and at least one."""
        found = self._named(experiment_id, name)
        if found is None or not found.body["versions"]:
            raise _none(experiment_id, f"'{name}'")
        for number in wanted:
            if number not in found.body["versions"]:
                raise _none(experiment_id, f"'{name}' and version {number}")
        return found

    def _latest(self, experiments: Sequence[str]) -> list[ScorerVersion]:
        with translated():
            scorers = [one for one in self.find_documents(SCORER, parent_ids=experiments) if one.body["versions"]]
            scorers.sort(key=lambda one: str(one.body["name"]))
            return self._versions([(scorer, scorer.body["versions"][-1:]) for scorer in scorers])

    def _versions(self, wanted: Sequence[tuple[Kept, Sequence[int]]]) -> list[ScorerVersion]:
        """Versions in the order given. One that was deleted meanwhile is left out."""
        ids = [_version_id(scorer, number) for scorer, numbers in wanted for number in numbers]
        found = {one.document_id: one for one in self.find_documents(VERSION, document_ids=ids)}
        return [
            _entity(scorer, found[_version_id(scorer, number)].body)
            for scorer, numbers in wanted
            for number in numbers
            if _version_id(scorer, number) in found
        ]


def _model_of(serialized_scorer: str) -> str | None:
    """Returns the model that a scorer asks, None when it asks none. MlflowException when the text is no scorer."""
    from mlflow.genai.scorers.scorer_utils import extract_model_from_serialized_scorer

    try:
        model: str | None = extract_model_from_serialized_scorer(json.loads(serialized_scorer))
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise invalid(f"serialized_scorer {shown(serialized_scorer)} is no scorer's JSON object") from None
    return model


def _numbers(version: int | None) -> list[int]:
    """Returns the version that a call names, none for None. MlflowException when it is no number."""
    try:
        return [] if version is None else [int(version)]
    except (ValueError, TypeError):
        raise invalid(f"Scorer version {shown(version)} is no integer") from None


def _key(experiment_id: str, name: str) -> str:
    return f"{experiment_id}:{name}"


def _version_id(scorer: Kept, number: int) -> str:
    return f"{scorer.document_id}/{number}"


def _entity(scorer: Kept, version: dict[str, Any]) -> ScorerVersion:
    return ScorerVersion(
        experiment_id=scorer.parent_id,
        scorer_name=scorer.body["name"],
        scorer_version=version["version"],
        serialized_scorer=version["serialized_scorer"],
        creation_time=version["creation_time"],
        scorer_id=scorer.document_id,
    )


def _none(experiment_id: str, which: str) -> MlflowException:
    return missing(f"Scorer with name {which} not found for experiment {experiment_id}.")
