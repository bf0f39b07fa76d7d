"""What this process knows of a run that it writes to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fleetlog_proto.v1 import event_pb2, run_pb2
from mlflow.entities import Param

from fleetlog._events.items import Writer
from fleetlog.mlflow_plugin.entities import param_text
from fleetlog.mlflow_plugin.errors import invalid
from fleetlog.mlflow_plugin.overlay import OwnWrites


@dataclass(eq=False, slots=True)
class WrittenRun:
    """A run with this process's writer to it."""

    writer: Writer
    experiment_id: int
    name: str = ""
    params: dict[str, str] = field(default_factory=dict)
    """Texts of the params that it is known to have: each is written once."""
    datasets: set[tuple[str, str]] = field(default_factory=set)
    """Names and digests of data that it is known to have read."""
    deleted: bool = False
    is_open: bool = False
    """True once the writer's first event is put."""
    own: OwnWrites | None = None
    """What this process wrote; None: it is not remembered, and reads wait until it is applied."""

    @property
    def run_id(self) -> str:
        """32 hexadecimal digits."""
        return self.writer.run_id.hex()

    def saw(self, run: run_pb2.Run) -> None:
        """Take over what the server has. What was written here and is not there yet stays."""
        self.name, self.deleted = run.name, run.deleted
        self.params.update((param.key, param_text(param)) for param in run.params)
        self.datasets.update((dataset.name, dataset.digest) for dataset in run.datasets)

    def new_params(self, params: Sequence[Param]) -> list[Param]:
        """Returns the params that are not there yet. MlflowException when one is there with another value."""
        others = [
            {"key": param.key, "old_value": self.params[param.key], "new_value": param.value}
            for param in params
            if self.params.get(param.key, param.value) != param.value
        ]
        if len(others) == 1 and len(params) == 1:
            one = others[0]
            raise invalid(
                f"Changing param values is not allowed. Param with key='{one['key']}' was already logged with"
                f" value='{one['old_value']}' for run ID='{self.run_id}'. Attempted logging new value"
                f" '{one['new_value']}'."
            )
        if others:
            raise invalid(
                f"Changing param values is not allowed. Params were already logged='{others}' for run"
                f" ID='{self.run_id}'."
            )
        return [param for param in params if param.key not in self.params]

    def new_datasets(self, datasets: Iterable[event_pb2.Dataset]) -> list[event_pb2.Dataset]:
        """Returns the datasets that are not there yet, of one name and digest the first; they are there then."""
        found: list[event_pb2.Dataset] = []
        for dataset in datasets:
            if (dataset.name, dataset.digest) not in self.datasets:
                self.datasets.add((dataset.name, dataset.digest))
                found.append(dataset)
        return found
