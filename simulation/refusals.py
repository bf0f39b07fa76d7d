"""What a delivery is told of frames that are refused for good, heard by the oracle too."""

from __future__ import annotations

from fleetlog._delivery.account import Refusals
from fleetlog._delivery.sent import Sent
from fleetlog.errors import FleetlogError

from simulation.kernel import kernel
from simulation.oracle import Oracle


def hear_refusals(refusals: Refusals, oracle: Oracle) -> None:
    """Have the oracle know of each frame that is set aside, before its delivery does."""
    set_aside = refusals.set_aside

    def told(sent: Sent, error: FleetlogError) -> None:
        oracle.set_aside(sent.frame)
        one = kernel()
        if one.process is not None:
            one.history.add(one.process.name, f"is told {error.reason}: a frame is set aside")
        set_aside(sent, error)

    refusals.set_aside = told  # type: ignore[method-assign]
