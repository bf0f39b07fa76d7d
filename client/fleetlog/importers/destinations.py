"""Experiments that runs of a source go to: made when they are not there, with the source's tags, deleted at the end."""

from __future__ import annotations

from fleetlog_core import limits
from fleetlog_core.errors import InvalidArgument
from fleetlog_core.rules.names import check_experiment_name, check_tags

from fleetlog._views.views import Experiment
from fleetlog.client import Client
from fleetlog.importers.source import SourceExperiment, Unread

_DEFAULT = "Default"


class Destinations:
    """Experiments by name. `only`: the one that all runs go to."""

    def __init__(self, client: Client, only: str | None, left_out: list[Unread]) -> None:
        self._client = client
        self._only = only
        self._left_out = left_out
        self._known = {one.name: one for one in client.experiments(deleted="all")}
        self._names: dict[str, str] = {}
        self._to_delete: list[Experiment] = []
        self.made = 0

    def prepare(self, source: SourceExperiment) -> None:
        """Have an experiment as the source has it: tags that are not there yet are set."""
        if self._only is not None:
            return
        found = self._experiment(self._name(source.name))
        tags = {key: text for key, text in source.tags.items() if key not in found.tags}
        for key, text in list(tags.items()):
            try:
                check_tags({key: text}, "tags", limits.EXPERIMENT_TEXT_BYTES)
            except InvalidArgument as error:
                del tags[key]
                self._left_out.append(Unread(f"experiment {source.name}, tag {key}", error.violations[0].description))
        if tags and not found.deleted:
            self._known[found.name] = self._client.update_experiment(found, tags=tags)
        if source.deleted and not found.deleted:
            self._to_delete.append(found)

    def of(self, experiment: str) -> Experiment:
        """Returns where the runs of an experiment of the source go."""
        return self._experiment(self._name(self._only if self._only is not None else experiment))

    def finish(self) -> None:
        """Delete what is deleted at the source, now that its runs are here."""
        for one in self._to_delete:
            if one.id:
                self._client.delete_experiment(one)

    def _name(self, name: str) -> str:
        found = self._names.get(name)
        if found is None:
            found = name
            try:
                check_experiment_name(name)
            except InvalidArgument as error:
                found = _DEFAULT
                self._left_out.append(
                    Unread(f"experiment {name}", f"its runs go to Default: {error.violations[0].description}")
                )
            self._names[name] = found
        return found

    def _experiment(self, name: str) -> Experiment:
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._client.create_experiment(name, exist_ok=True)
            self.made += 1
        return found
