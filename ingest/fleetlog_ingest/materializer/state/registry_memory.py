"""States of registered models that were decided lately, so that the next decision need not ask for them.

The mark is a version of a model with its alias in 60 ms: a read is a tenth of it.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict

from fleetlog_core.registry.states import State

from fleetlog_ingest.materializer.control.registry_decision import Registry, Subject, subject_of

MAX_BYTES = 16 * 1024 * 1024
"""Maximum bytes of the states that are held, as messages."""
_Key = tuple[str, int, Subject]


class RegistryMemory:
    """States of the models of all namespaces that were read or changed last. Not thread-safe.

    What is not held is not known: there may be none. `forget` when others may have decided.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._registries: defaultdict[str, Registry] = defaultdict(Registry)
        self._sizes: OrderedDict[_Key, int] = OrderedDict()

    def registry(self, namespace: str) -> Registry:
        """What is held of a namespace: of a batch on its way, the states before it, to be changed by its fold."""
        return self._registries[namespace]

    def note(self, namespace: str, state: State) -> None:
        """The state was put into the registry."""
        key = (namespace, state.model_id, subject_of(state))
        size = state.ByteSize()
        self._bytes += size - self._sizes.pop(key, 0)
        self._sizes[key] = size

    def trim(self) -> None:
        """Between batches: let go of those that were noted longest ago, as many as are too many."""
        while self._bytes > self._max_bytes:
            (namespace, model_id, subject), size = self._sizes.popitem(last=False)
            self._bytes -= size
            self._registries[namespace].drop(model_id, subject)

    def forget(self) -> None:
        """Hold nothing."""
        self._registries.clear()
        self._sizes.clear()
        self._bytes = 0
