from __future__ import annotations

from fleetlog_core.log.memory import MemoryLog
from fleetlog_core.log.port import DEAD_LETTERS, EVENTS, Partition
from fleetlog_ingest.redriving import Redriven, redrive

from tests.ingest.materializer.builders import RUN, frame, start


def test_each_letter_goes_again_once_in_order_and_what_can_not_be_read_stays() -> None:
    log = MemoryLog({"events": 3})
    first, second = (frame(start(number)).SerializeToString() for number in (1, 2))
    letters = [
        (b"events-2@0 WAREHOUSE_REFUSED", first),
        (b"events-2@1 UNDECODABLE", b"\xff" * 9),
        # The batch was done again.
        (b"events-2@0 WAREHOUSE_REFUSED", first),
        (b"events-2@3 UNKNOWN_EVENT", second),
        # The bytes of an intent may look like a frame.
        (b"control-0@3 MALFORMED", frame(start(3)).SerializeToString()),
    ]
    for key, value in letters:
        log.append(DEAD_LETTERS, key, value).result(10)
    assert redrive(log) == Redriven(records=2, unreadable=2)
    found = [record for number in range(3) for record in log.read(Partition(EVENTS, number), 0, max_bytes=1 << 20)]
    assert [(record.key, record.value) for record in found] == [(RUN, first), (RUN, second)]
    assert log.next_offset(Partition(DEAD_LETTERS, 0)) == len(letters)
