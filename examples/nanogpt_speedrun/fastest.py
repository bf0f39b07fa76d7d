"""The fastest record of the speedrun that holds: its runs together, not its luckiest one, reach the loss.

    python examples/nanogpt_speedrun/fastest.py
    python examples/nanogpt_speedrun/fastest.py --loss 3.279 --p 0.001 --experiment mine

A record counts when the mean val_loss over its runs is below the loss and a one-sided t-test of that has p < 0.01: this
is so exactly when the upper end of the mean's confidence interval of 98 % (1 - 2p) is below it. Of these records the
one with the lowest mean time is chosen. One question to fleetlog, no runs are downloaded. Load the runs first: load.py.
"""

from __future__ import annotations

import argparse
import sys

import fleetlog
from rich.console import Console
from rich.table import Table

TIME, LOSS = "metrics.train_time", "metrics.val_loss"
TRACK = "tags.track = 'track_1_short'"
SHOWN = 10


def by_record(client: fleetlog.Client, experiment: str, p: float = 0.01) -> fleetlog.Selection:
    """Every record with two runs or more, the fastest on average first."""
    return client.select(
        TRACK,
        experiments=[experiment],
        minimize=[TIME, LOSS],
        group_by="tags.record",
        min_count=2,
        confidence=1 - 2 * p,
        limit=1_000,
    )


def holds(record: fleetlog.Group, loss: float) -> bool:
    """Whether its mean loss is below that, beyond chance."""
    return record.objectives[LOSS].confidence_high < loss


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", help="host:port of fleetlog; default: $FLEETLOG_TARGET or localhost:7460")
    parser.add_argument("--experiment", default="speedrun")
    parser.add_argument("--loss", type=float, default=3.28, help="what the mean has to be below")
    parser.add_argument("--p", type=float, default=0.01, help="how likely chance may be")
    options = parser.parse_args(arguments)
    if not 0 < options.p < 0.5:
        parser.error("--p is between 0 and 0.5")
    try:
        records = by_record(fleetlog.Client(options.target), options.experiment, options.p)
    except fleetlog.FleetlogError as error:
        print(f"fastest: {error}", file=sys.stderr)
        return 1
    console = Console(soft_wrap=True)
    table = Table("record", "runs", "seconds", "val_loss", "std", f"p<{options.p:g}", "", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for record in records[:SHOWN]:
        time, loss = record.objectives[TIME], record.objectives[LOSS]
        table.add_row(
            record.values["tags.record"], str(record.count), f"{time.mean / 1e3:.2f}", f"{loss.mean:.4f}",
            f"{loss.std:.4f}", f"{loss.confidence_high:.4f}", "holds" if holds(record, options.loss) else "luck?",
        )  # fmt: skip
    console.print(table)
    for verdict in records.verdicts:
        console.print(f"{verdict.constraint}: {verdict.put_aside:,} of {verdict.asked:,} runs put aside", markup=False)
    best = next((record for record in records if holds(record, options.loss)), None)
    if best is None:
        print(f"fastest: no record has a mean val_loss below {options.loss:g} with p < {options.p:g}", file=sys.stderr)
        return 1
    time, loss = best.objectives[TIME], best.objectives[LOSS]
    console.print(
        f"the fastest record that holds: {best.values['tags.record']}, {time.mean / 1e3:.2f} s on average of"
        f" {best.count} runs, val_loss {loss.mean:.4f} ± {loss.std:.4f}, below {options.loss:g} with p < {options.p:g}",
        markup=False,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
