"""What a run that is being written is told of itself: params, tags, the data that it reads, its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fleetlog_proto.v1 import event_pb2

from fleetlog._runs.guard import never_raises
from fleetlog._values.columns import pieces
from fleetlog._values.datasets import Described, to_dataset
from fleetlog._values.params import to_keys, to_params, to_tags
from fleetlog._values.values import LeftOut, text


class RunInputs(ABC):
    """Calls of Run that log inputs. None of them raises."""

    @abstractmethod
    def _say(self, **payload: Any) -> None:
        """Put an event with this payload."""

    @abstractmethod
    def _left_out(self, what: str, out: Sequence[LeftOut]) -> None:
        """Tell the run and its user of what was left out."""

    @abstractmethod
    def _lost(self, what: str, error: Exception, points: int = 0) -> None:
        """Count what was not logged and warn of it. Must not raise."""

    @never_raises
    def log_params(self, params: Mapping[str, object] | None) -> None:
        """Log typed inputs. The first value of a key stays; another one is recorded as a conflict.

        Never raises; what can't be a param is counted and warned about, and the others are logged.

        Args:
            params: A dict, Namespace, dataclass or their kin, also nested: its leaves are params such as optimizer.lr.
                A list is one value, unless dicts are in it (layers.0.size). None is no value.

        Examples:
            >>> run.log_params({"optimizer": {"lr": 0.1, "name": "adam"}, "layers": [64, 32]})

        """
        if params is None:
            return
        found, out = to_params(params)
        self._left_out("params", out)
        self._say_inputs(pieces(found, lambda param: param.ByteSize()), ())

    @never_raises
    def log_param(self, key: str, value: object) -> None:
        """Log one typed input; see log_params.

        Args:
            key: The param's key.
            value: A text, whole number, real number or truth; anything else as its text.

        Examples:
            >>> run.log_param("seed", 7)

        """
        self.log_params({key: value})

    @never_raises
    def set_tags(self, tags: Mapping[str, object] | None) -> None:
        """Set tags; the last value of a key stays. Never raises.

        Args:
            tags: Values by key, which become texts; None sets nothing.

        Examples:
            >>> run.set_tags({"team": "b", "stage": "draft"})

        """
        if tags is None:
            return
        found, out = to_tags(tags)
        self._left_out("tags", out)
        self._say_inputs((), pieces(found, lambda tag: 4 * (len(tag[0]) + len(tag[1]))))

    def _say_inputs(
        self, params: Iterable[Sequence[event_pb2.Param]], tags: Iterable[Sequence[tuple[str, str]]]
    ) -> None:
        """Params and tags that were checked, each piece in an event of its own."""
        for piece in params:
            self._say(params_logged=event_pb2.ParamsLogged(params=piece))
        for pairs in tags:
            self._say(tags_set=event_pb2.TagsSet(tags=dict(pairs)))

    @never_raises
    def set_tag(self, key: str, value: object) -> None:
        """Set one tag; see set_tags.

        Args:
            key: The tag's key.
            value: Becomes a text.

        Examples:
            >>> run.set_tag("stage", "review")

        """
        self.set_tags({key: value})

    @never_raises
    def delete_tags(self, *keys: str) -> None:
        """Remove tags. Never raises.

        Args:
            *keys: Keys of tags; those that the run does not have change nothing.

        Examples:
            >>> run.delete_tags("stage")

        """
        found, out = to_keys(keys)
        self._left_out("tags to delete", out)
        for piece in pieces(found, len):
            self._say(tags_deleted=event_pb2.TagsDeleted(keys=piece))

    @never_raises
    def log_input(
        self, data: str | Described, context: str = "", *, digest: str = "", source: object = "",
        source_type: str = "", schema: object = "", profile: object = "",
    ) -> None:  # fmt: skip
        """Log data that the run reads. Searches ask for `datasets.name`. Never raises.

        The first write of the same name, digest and context stays.

        Args:
            data: Its name, or a dataset of mlflow.data.
            context: What for, such as "training".
            digest: What tells its version.
            source: Where it is: a text, or becomes JSON.
            source_type: Kind of the source, such as "s3".
            schema: Its columns: a text, or becomes JSON.
            profile: Its size and the like: a text, or becomes JSON.

        Examples:
            >>> run.log_input("fineweb10B", "training", digest="8f2c")

        """
        said = {"digest": digest, "source": source, "source_type": source_type, "schema": schema, "profile": profile}
        dataset, out = to_dataset(data, context, said)
        self._left_out("parts of a dataset", out)
        self._say(datasets_logged=event_pb2.DatasetsLogged(datasets=[dataset]))

    @never_raises
    def rename(self, name: str) -> None:
        """Change the display name. Never raises.

        Args:
            name: 1 to 500 characters.

        Examples:
            >>> run.rename("baseline, again")

        """
        self._say(run_updated=event_pb2.RunUpdated(name=text(name)))
