"""How a model that a run read or made stands in `attrs`: the direction and the model are its key, the step its text."""

from __future__ import annotations

from fleetlog_proto.v1 import run_pb2

SEPARATOR = "\x1f"
_INPUT, _OUTPUT = "input", "output"


def input_key(model_id: bytes) -> str:
    """Key of a model that a run read."""
    return f"{_INPUT}{SEPARATOR}{model_id.hex()}"


def output_key(model_id: bytes) -> str:
    """Key of a model that a run made."""
    return f"{_OUTPUT}{SEPARATOR}{model_id.hex()}"


def put_model(run: run_pb2.Run, key: str, text: str) -> None:
    """Add the model of a key and a text to a run."""
    direction, model_id = key.split(SEPARATOR)
    if direction == _INPUT:
        run.input_model_ids.append(model_id)
    else:
        run.model_outputs.add(model_id=model_id, step=int(text))


def model_name(key: str) -> str:
    """How a key is told of."""
    return key.replace(SEPARATOR, " ")
