"""A process with a journal, and a server that does everything wrong: as without one, and no file is left."""

from __future__ import annotations

from pathlib import Path

from fleetlog._delivery.delivery import Delivery
from fleetlog._delivery.outbox import Outbox
from fleetlog._journal.journal import Journal
from hypothesis import settings

from tests.client.delivery.test_delivery import BACKOFF, ROOM, SILENCE, Story, Wire
from tests.profiles import examples


class JournaledWire(Wire):
    """Memory has next to no room, so that most of what waits is read back from the journal."""

    def new_delivery(self) -> Delivery:
        self.root = Path(self.folder.name) / "journals"
        delivery = Delivery(
            self.connection, Outbox(ROOM), BACKOFF, SILENCE, lambda warn: Journal(self.root, "server", warn)
        )
        delivery._in_flight._waiting._most_bytes = 500
        return delivery

    def check(self, story: Story) -> None:
        super().check(story)
        assert list(self.root.iterdir()) == []


TestJournaledWire = JournaledWire.TestCase
TestJournaledWire.settings = settings(max_examples=examples(8), stateful_step_count=15)
