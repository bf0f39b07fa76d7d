"""The state before a batch, from the warehouse and from what was folded lately.

A batch that broke off is loaded again when some of its rows may be in. What `applied` and the order of the inserts
(tables.EVENT_TABLES) leave to think of:

  writers   rows of the batch have next_offset > first. One is there: the insert was whole, all is in (BatchIsIn).
            None is there: what is read is the state before.
  runs      rows of the batch may be there, with the older ones merged away. Then every table that depends on them is
            in, its repeat is dropped by its token, and what is folded again no longer matters.
  params    the first write of a key is the only row of the key, so rows of the batch are told by their ver alone; so
            with datasets and links to models.
  keys      rows of the batch may be there, and change nothing (run_keys).
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple

from fleetlog_core.endings import Endings, Work
from fleetlog_core.limits import RunLimits
from fleetlog_core.warehouse.port import Answer, Bind, Statement, Warehouse
from fleetlog_core.warehouse.schema import PLACE_BITS, PURGED, KeyKind

from fleetlog_ingest.materializer.fold.branches import ALONE, Branch
from fleetlog_ingest.materializer.fold.decoding import Decoded
from fleetlog_ingest.materializer.fold.repeats import load_content, runs_with_repeats
from fleetlog_ingest.materializer.fold.runs import Run
from fleetlog_ingest.materializer.fold.sequences import SequenceSet
from fleetlog_ingest.materializer.fold.state import RunKey, State, WriterKey, Written
from fleetlog_ingest.materializer.state.model_loading import load_models
from fleetlog_ingest.materializer.state.run_keys import RunKeyStore
from fleetlog_ingest.run_ids import AMONG_IDS, pieces

_NOBODY: Mapping[WriterKey, Work] = {}
_ALONE = astuple(ALONE)


class BatchIsIn(Exception):
    """Every row of the batch is in the warehouse; only `applied` may be missing."""


class StateStore:
    """Loads the state of batches of one partition. Keeps what was used last; not thread-safe."""

    def __init__(self, warehouse: Warehouse, most_runs: int = 20_000, limits: RunLimits | None = None) -> None:
        self._warehouse = warehouse
        self._most_runs = most_runs
        self._runs: OrderedDict[RunKey, Run] = OrderedDict()
        self._writers: dict[RunKey, dict[WriterKey, SequenceSet]] = {}
        self._work: dict[RunKey, dict[WriterKey, Work]] = {}
        self._params: Written = {}
        self._datasets: Written = {}
        self._linked: Written = {}
        self._keys = RunKeyStore(warehouse, limits or RunLimits())

    def load(self, records: Sequence[Decoded], first: int) -> State:
        """The state before offset `first` of everything that the records speak of. BatchIsIn."""
        try:
            return self._load(records, first)
        except BaseException:
            # A run whose writers were not read would look as if it had none.
            self.forget()
            raise

    def _load(self, records: Sequence[Decoded], first: int) -> State:
        of_models = [decoded for decoded in records if decoded.of_model]
        if of_models:
            records = [decoded for decoded in records if not decoded.of_model]
        wanted: dict[RunKey, bool] = {}
        for decoded in records:
            for run_id, _ in decoded.heard:
                wanted.setdefault((decoded.namespace, run_id), False)
            if decoded.frame is not None and not decoded.heard:
                key = (decoded.namespace, decoded.frame.run_id)
                wanted[key] = decoded.writes_once or wanted.get(key, False)
                if decoded.rewound:
                    wanted.setdefault((decoded.namespace, decoded.rewound), False)
        self._load_runs([key for key in wanted if key not in self._runs], first)
        known = [key for key in wanted if key in self._runs]
        self._load_written([key for key in known if wanted[key] and key not in self._params], first)
        state = State(keys=self._keys.load(records, self._runs.keys()))
        for key in known:
            self._runs.move_to_end(key)
            state.runs[key] = self._runs[key]
            state.writers.update(self._writers[key])
            state.work.update(self._work.get(key, _NOBODY))
            if wanted[key]:
                state.params[key] = self._params[key]
                state.datasets[key] = self._datasets[key]
                state.linked[key] = self._linked[key]
        repeats = runs_with_repeats(records, state.writers)
        if repeats:
            state.content.update(load_content(self._warehouse, repeats, first))
        # Not kept: they are few, and each has few events.
        for namespace, ids in _by_namespace({_key(decoded): None for decoded in of_models}):
            state.models.update(load_models(self._warehouse, namespace, ids))
            writers = self._read_writers(namespace, ids, first)
            state.writers.update({writer: applied for writer, (applied, _) in writers.items()})
        return state

    def keep(self, changes: State) -> None:
        """The batch is in: what it changed is the state now."""
        for key, run in changes.runs.items():
            if key not in self._runs:
                # Nothing of it was there before, so there is nothing else to load of it either.
                self._writers[key] = {}
                self._params[key] = {}
                self._datasets[key] = {}
                self._linked[key] = {}
            self._runs[key] = run
        for writer, applied in changes.writers.items():
            if writer[:2] in self._runs:
                self._writers[writer[:2]][writer] = applied
        for writer, work in changes.work.items():
            if writer[:2] in self._runs:
                self._work.setdefault(writer[:2], {})[writer] = work
        self._params.update(changes.params)
        self._datasets.update(changes.datasets)
        self._linked.update(changes.linked)
        self._keys.keep(changes.keys)
        while len(self._runs) > self._most_runs:
            key, _ = self._runs.popitem(last=False)
            self._writers.pop(key, None)
            self._work.pop(key, None)
            self._params.pop(key, None)
            self._datasets.pop(key, None)
            self._linked.pop(key, None)
            self._keys.drop(key)

    def forget(self) -> None:
        """Read everything anew from now on."""
        self._runs.clear()
        self._writers.clear()
        self._work.clear()
        self._params.clear()
        self._datasets.clear()
        self._linked.clear()
        self._keys.forget()

    def _load_runs(self, keys: Sequence[RunKey], first: int) -> None:
        for namespace, ids in _by_namespace(keys):
            binds: dict[str, Bind] = {"namespace": namespace, "ids": ids}
            rows = self._warehouse.select(
                Statement(
                    "SELECT run_id, experiment, name, user, state, toUnixTimestamp64Milli(start_time) AS start_ms,"
                    " toUnixTimestamp64Milli(end_time) AS end_ms, parent_run_id, deleted, started, ver,"
                    " toUnixTimestamp64Milli(delete_time) AS delete_ms, endings,"
                    " source_run_id, source_step, root_run_id, branch, superseded_by"
                    " FROM runs FINAL WHERE namespace = {namespace:String} AND experiment IN (SELECT experiment"
                    f" FROM run_homes WHERE namespace = {{namespace:String}} AND run_id {AMONG_IDS})"
                    f" AND run_id {AMONG_IDS}",
                    binds,
                )
            )
            if rows.rows == 0:
                # `runs` comes before `writers`: no run, no writers.
                continue
            numbers = {
                name: rows.array(name).tolist()
                for name in ("experiment", "state", "start_ms", "end_ms", "deleted", "started", "ver", "delete_ms")
            }
            names, users, endings = rows.texts("name"), rows.texts("user"), rows.texts("endings")
            parents = [parent.tobytes() for parent in rows.array("parent_run_id")]
            branches = _branches(rows)
            for place, run_id in enumerate(rows.array("run_id")):
                key = (namespace, run_id.tobytes())
                self._runs[key] = Run(
                    experiment=numbers["experiment"][place],
                    name=names[place],
                    user=users[place],
                    state=numbers["state"][place],
                    start_time=numbers["start_ms"][place],
                    end_time=numbers["end_ms"][place],
                    parent_run_id=parents[place],
                    deleted=numbers["deleted"][place] in (1, PURGED),
                    purged=numbers["deleted"][place] == PURGED,
                    started=bool(numbers["started"][place]),
                    ver=numbers["ver"][place],
                    delete_time=numbers["delete_ms"][place],
                    endings=Endings.parse(endings[place]),
                    branch=branches[place],
                )
                self._writers[key] = {}
            for writer, (applied, work) in self._read_writers(namespace, ids, first).items():
                self._writers[writer[:2]][writer] = applied
                if work.since:
                    self._work.setdefault(writer[:2], {})[writer] = work

    def _read_writers(
        self, namespace: str, ids: Sequence[str], first: int
    ) -> dict[WriterKey, tuple[SequenceSet, Work]]:
        """Returns what is applied of the writers of some runs or models, and their work. BatchIsIn."""
        rows = self._warehouse.select(
            Statement(
                "SELECT run_id, writer_id, rank, ranges, next_offset, at_work FROM writers FINAL"
                f" WHERE namespace = {{namespace:String}} AND run_id {AMONG_IDS}",
                {"namespace": namespace, "ids": ids},
            )
        )
        if rows.rows and int(rows.array("next_offset").max()) > first:
            raise BatchIsIn
        names = zip(rows.array("run_id"), rows.array("writer_id"), rows.texts("ranges"), strict=True)
        works = zip(rows.array("at_work").tolist(), rows.array("rank").tolist(), strict=True)
        return {
            (namespace, run_id.tobytes(), writer_id.tobytes()): (SequenceSet.parse(text), Work(*work))
            for (run_id, writer_id, text), work in zip(names, works, strict=True)
        }

    def _load_written(self, keys: Sequence[RunKey], first: int) -> None:
        for key in keys:
            self._params[key], self._datasets[key], self._linked[key] = {}, {}, {}
        for namespace, ids in _by_namespace(keys):
            rows = self._warehouse.select(
                Statement(
                    "SELECT run_id, kind, key, str FROM run_attrs FINAL WHERE namespace = {namespace:String}"
                    f" AND run_id {AMONG_IDS} AND kind IN ({KeyKind.PARAM}, {KeyKind.DATASET}, {KeyKind.MODEL})"
                    " AND ver < toUInt256({before:String})",
                    {
                        "namespace": namespace,
                        "ids": ids,
                        "before": str(first << PLACE_BITS),
                    },
                )
            )
            kinds, keys_, texts = rows.array("kind").tolist(), rows.texts("key"), rows.texts("str")
            for place, run_id in enumerate(rows.array("run_id")):
                of_kind = {
                    KeyKind.PARAM: self._params,
                    KeyKind.DATASET: self._datasets,
                    KeyKind.MODEL: self._linked,
                }
                of_kind[kinds[place]][(namespace, run_id.tobytes())][keys_[place]] = texts[place]


def _branches(rows: Answer) -> list[Branch]:
    names = ("source_run_id", "source_step", "root_run_id", "branch", "superseded_by")
    columns = [rows.array(name).tolist() for name in names]
    return [ALONE if found == _ALONE else Branch(*found) for found in zip(*columns, strict=True)]


def _key(decoded: Decoded) -> RunKey:
    return (decoded.namespace, b"" if decoded.frame is None else decoded.frame.run_id)


def _by_namespace(keys: Iterable[RunKey]) -> Iterable[tuple[str, list[str]]]:
    found: defaultdict[str, list[bytes]] = defaultdict(list)
    for namespace, run_id in keys:
        found[namespace].append(run_id)
    for namespace, run_ids in found.items():
        for piece in pieces(run_ids):
            yield namespace, piece
