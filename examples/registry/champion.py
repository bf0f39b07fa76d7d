"""From runs to a champion that services load: select, register, ask, approve, load.

fleetlog up                              # in another terminal
python examples/registry/champion.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import fleetlog

MODEL = "example-champion"


def train(folder: Path, target: str | None = None) -> None:
    """Three runs that each keep their weights."""
    for lr in (0.1, 0.01, 0.001):
        with fleetlog.start_run("registry-example", params={"lr": lr}, target=target) as run:
            for step in range(100):
                run.log({"val_loss": 3.0 + abs(lr - 0.01) + 1 / (1 + step)}, step=step)
            weights = folder / "weights.txt"
            weights.write_text(f"lr={lr}\n")
            run.log_artifact(weights, "model/weights.txt")


def main(target: str | None = None) -> str:
    """Train, choose, register, ask for an approval, approve, load; the text of the weights."""
    client = fleetlog.Client(target)
    client.create_model(MODEL, approval_aliases="champion", exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        train(Path(folder), target)
        best = client.select(experiments=["registry-example"], minimize="metrics.val_loss")
        made = client.register_model(MODEL, selection=best, artifact_path="model")
        asked = client.request_alias(MODEL, "champion", made.version, comment="lowest validation loss")
        client.approve(MODEL, asked.number, comment="as expected", user="a-reviewer")
        weights = (client.load_path(f"models:/{MODEL}@champion", Path(folder) / "loaded") / "weights.txt").read_text()
    print(f"{MODEL} {made.version} is the champion: {weights.strip()}")
    for event in client.model_history(MODEL, limit=6):
        print(
            f"  {event.time:%T} {event.user}: {event.action} {event.subject} {event.old} -> {event.new} {event.comment}"
        )
    return weights


if __name__ == "__main__":
    main()
