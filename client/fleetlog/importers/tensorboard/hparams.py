"""Hyperparameters as TensorBoard's HParams plugin has them: params of a run, how it ended, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError

from fleetlog.importers.messages import message_classes, text_of
from fleetlog.importers.source import Param

MARK = b"_hparams_/session_"
"""Begin of the tags of sessions: an event that has it tells of hyperparameters, or of a session's end."""
LAYOUT_TAG = "_hparams_/experiment"
PLUGIN = "hparams"
_STATES = {1: "FINISHED", 2: "FAILED", 3: "RUNNING"}
_LARGEST_WHOLE = 2**53
_MESSAGES = message_classes(
    "fleetlog.importers.hparams",
    {
        "PluginData": [(3, "session_start_info", "SessionStart"), (4, "session_end_info", "SessionEnd")],
        "SessionStart": [
            (1, "hparams", "Entry[]"), (2, "model_uri", "bytes"), (3, "monitor_url", "bytes"),
            (4, "group_name", "bytes"), (5, "start_time_secs", "double"),
        ],
        "Entry": [(1, "key", "bytes"), (2, "value", "Value")],
        "Value": [(2, "number_value", "double"), (3, "string_value", "bytes"), (4, "bool_value", "bool")],
        "SessionEnd": [(1, "status", "int32"), (2, "end_time_secs", "double")],
    },
)  # fmt: skip


@dataclass(slots=True)
class Session:
    """What the events of a run tell of its hyperparameters."""

    params: dict[str, Param] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    state: str | None = None
    start_seconds: float = 0.0
    end_seconds: float = 0.0

    def add(self, value: Any) -> bool:
        """Take what a summary's value tells. Returns False if it can't be read."""
        try:
            data = _MESSAGES["PluginData"].FromString(value.metadata.plugin_data.content)
        except DecodeError:
            return False
        start, end = data.session_start_info, data.session_end_info
        self.params.update(_params(start))
        for name in ("model_uri", "monitor_url", "group_name"):
            if text := text_of(getattr(start, name)):
                self.tags[f"tensorboard.{name}"] = text
        self.start_seconds = start.start_time_secs or self.start_seconds
        self.end_seconds = end.end_time_secs or self.end_seconds
        self.state = _STATES.get(end.status, self.state)
        return True


def _params(start: Any) -> Mapping[str, Param]:
    """Numbers that are whole become whole: the format has no others than floats."""
    found: dict[str, Param] = {}
    for entry in start.hparams:
        value, key = entry.value, text_of(entry.key)
        if value.HasField("number_value"):
            number = float(value.number_value)
            found[key] = int(number) if number.is_integer() and abs(number) <= _LARGEST_WHOLE else number
        elif value.HasField("bool_value"):
            found[key] = bool(value.bool_value)
        elif value.HasField("string_value"):
            found[key] = text_of(value.string_value)
    return found
