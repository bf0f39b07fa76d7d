/** Runs screen: filter above, table left, cards right. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { call } from "../api/calls.ts";
import { asOf, type Key, type Question, readKeys } from "../api/reads.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import type { Run } from "../../contract/fleetlog/v1/run_pb.ts";
import { Cards, chartedMetrics, Toggle } from "../parts/cards.tsx";
import { groupColours } from "../parts/curves.ts";
import { Chooser } from "../parts/chooser.tsx";
import { Refused, useChanging } from "../parts/changing.tsx";
import { CodeMenu } from "../parts/code.tsx";
import { FacetsMenu } from "../parts/facets.tsx";
import { FilterBar } from "../parts/filterbar.tsx";
import { LiveState } from "../parts/live_state.tsx";
import { useLiveTable } from "../parts/live_table.ts";
import { useLoad } from "../parts/load.ts";
import { useNow } from "../parts/now.ts";
import { Menu } from "../parts/menu.tsx";
import { useRuns } from "../parts/runs.ts";
import { SelectionBar, UndoDelete } from "../parts/selection_bar.tsx";
import { Empty, Failed, FirstRun, Skeleton } from "../parts/states.tsx";
import { Table } from "../parts/table.tsx";
import { ViewsMenu } from "../parts/views.tsx";
import { change, go, ground, hrefOf, keep, kept, view as viewSignal } from "../state.ts";
import { cellOf } from "../view/cells.ts";
import { ColourSlots, PALETTES } from "../view/colours.ts";
import { parseColumn, readMask, suggestedColumns } from "../view/columns.ts";
import { codeOf } from "../view/code.ts";
import { grouped } from "../view/numbers.ts";
import { emptyView, formatView } from "../view/url.ts";
import { quotedKey } from "../view/filter.ts";
import { typing } from "../view/typing.ts";

const slots = new ColourSlots();
const MOST_CURVES = 300;
const NO_RUNS: Run[] = [];

/** See the file. */
export function RunsScreen({ namespace, experiment }: { namespace: string; experiment: number | undefined }) {
  const view = viewSignal.value;
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [deleted, setDeleted] = useState<readonly string[]>([]);
  const changing = useChanging();
  const [hovered, setHovered] = useState("");
  const [share, setShare] = useState(() => Number(kept("split") ?? 52));
  const body = useRef<HTMLDivElement>(null);
  const named = useLoad(
    `${namespace} ${experiment} ${view.asof}`,
    (signal) =>
      experiment === undefined ? Promise.resolve(undefined) : call(QueryService.method.getExperiment, {
        namespace,
        which: { case: "experimentId", value: experiment },
        asOf: asOf(view.asof),
      }, signal)
        .then((answer) => answer.experiment),
  );
  const found = useLoad<Key[]>(
    `${namespace} ${experiment} ${view.asof} ${view.deleted} ${changing.count}`,
    (signal) => {
      const { asof, deleted } = view;
      return readKeys({ namespace, experiment, filter: "", asof, deleted }, undefined, "", signal, changing.atLeast);
    },
  );
  const keys = found.value;

  const columnIds = view.cols.length > 0 ? view.cols : keys ? suggestedColumns(keys) : undefined;
  const columns = useMemo(() => (columnIds ?? []).map(parseColumn).filter((each) => each !== undefined), [
    columnIds?.join("\0"),
  ]);
  const groups = useMemo(() => view.g.map(parseColumn).filter((each) => each !== undefined), [view.g.join("\0")]);
  const question: Question | undefined = useMemo(
    () =>
      columnIds && {
        namespace,
        experiment,
        filter: view.q,
        orders: view.o,
        asof: view.asof,
        deleted: view.deleted,
      },
    [columnIds === undefined, namespace, experiment, view.q, view.o.join("\0"), view.asof, view.deleted],
  );
  const summaries = columns.some((column) => column.kind === "metrics" && column.statistic !== "last");
  const mask = readMask([...columns, ...groups]);
  const runs = useRuns(question, mask, summaries, changing);
  useEffect(() => setSelected(new Set()), [namespace, experiment, view.deleted]);

  const visible = useMemo(() => visibleRuns(view.runs, runs.runs), [view.runs, runs.runs]);
  const byId = useMemo(() => new Map(runs.runs.map((run) => [run.runId, run])), [runs.runs]);
  const charted = useMemo(() => chartedMetrics(keys ?? [], view), [keys, view.c.join("\0")]);
  const live = useLiveTable({
    namespace,
    on: view.live && !view.asof,
    question,
    runs,
    mask,
    summaries,
    charted,
    visible,
    onFirst: () => {
      runs.retry();
      found.retry();
    },
  });
  const nowOf = useNow({ namespace, runs: view.diff && view.asof ? runs.runs : NO_RUNS, mask, summaries });

  const key = visible.join();
  useMemo(() => slots.show(visible), [key]);
  const palette = PALETTES[ground.value];
  const groupOf = groups.length === 0 ? undefined : (run: string) => groupName(byId.get(run), groups);
  const together = useMemo(
    () =>
      view.runs === "all" && groups.length > 0 && question
        ? { question: { ...question, orders: undefined }, groupBy: groups.map(fieldOfColumn) }
        : undefined,
    [view.runs, groups, question],
  );
  const colours = groupOf && groupColours(visible, groupOf, palette);
  const colourOf = (run: string) => {
    const slot = slots.of(run);
    // Groups of all runs have colours of their own.
    return slot === undefined || together ? undefined : groupOf ? colours!.get(groupOf(run)) : palette[slot];
  };
  const toggleVisible = (id: string) => {
    const next = visible.includes(id) ? visible.filter((each) => each !== id) : [...visible, id];
    change({ runs: next.join(",") || "none" });
  };
  const open = (id: string) => go(hrefOf({ screen: "run", namespace, run: id }));
  const compare = () => go(hrefOf({ screen: "compare", namespace }, `?runs=${[...selected].slice(0, 50).join(",")}`));

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (typing(event)) return;
      const press = (menu: string) => document.querySelector<HTMLElement>(`[data-menu="${menu}"]`)?.click();
      const focus = (selector: string) => document.querySelector<HTMLElement>(selector)?.focus();
      const keys: Record<string, () => void> = {
        "/": () => focus(".filter-box input"),
        j: () => focus(".grid"),
        k: () => focus(".grid"),
        o: () => press("columns"),
        g: () => press("group"),
        c: () => selected.size > 1 && compare(),
        v: () => change({ live: !viewSignal.value.live }),
        l: () => change({ y: { ...viewSignal.value.y, log: !viewSignal.value.y.log } }),
        z: () => change({ x: { kind: viewSignal.value.x.kind, log: viewSignal.value.x.log } }),
        s: () => focus(".smoothing input"),
      };
      const act = keys[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [selected]);

  const missing = named.failure ?? (runs.answered ? undefined : found.failure);
  if (missing && !named.value) return <Failed failure={missing} retry={named.failure ? named.retry : found.retry} />;
  const total = runs.total ?? 0;
  const stale = runs.loading && runs.answered !== question;
  const nothing = runs.answered !== undefined && total === 0;
  return (
    <div class="screen runs-screen" data-screen="runs">
      <div class="bar">
        <h1>
          <a href={hrefOf({ screen: "experiments", namespace })}>Experiments</a>
          <span class="slash">/</span>
          {experiment === undefined ? "All runs" : named.value?.name ?? "…"}
        </h1>
        <FilterBar
          namespace={namespace}
          experiment={experiment}
          filter={view.q}
          onFilter={(q) => change({ q })}
        />
        {question && <FacetsMenu question={question} keys={keys ?? []} onFilter={(q) => change({ q })} />}
      </div>
      <Refused message={changing.refused} onClose={changing.forget} />
      {deleted.length > 0 && (
        <UndoDelete
          namespace={namespace}
          runs={deleted}
          changing={changing}
          onClose={() => setDeleted([])}
        />
      )}
      <div class="toolbar">
        <span class="count" data-count={runs.total ?? ""}>
          {runs.total === undefined ? "…" : (
            <>
              <b>{grouped(total)}</b> {total === 1 ? "run" : "runs"}
            </>
          )}
          {runs.answered && <small class="quiet">{Math.max(1, Math.round(runs.took))} ms</small>}
        </span>
        {selected.size > 0 && (
          <SelectionBar
            question={question}
            total={total}
            selected={selected}
            onSelect={setSelected}
            tagKeys={(keys ?? []).filter((each) => each.kind === "tags").map((each) => each.key)}
            onCompare={compare}
            onChart={() => change({ runs: [...selected].join(",") })}
            onDelete={setDeleted}
            changing={changing}
          />
        )}
        {live.on && <LiveState {...live} onShow={runs.retry} />}
        <span class="fill" />
        <Toggle name="Deleted" on={view.deleted} onToggle={() => change({ deleted: !view.deleted })} />
        {!view.asof && <Toggle name="Live" on={view.live} onToggle={() => change({ live: !view.live })} />}
        {view.base && (
          <button
            type="button"
            class="button"
            onClick={() => change({ base: "" })}
            title="show values without differences"
          >
            Baseline ✕
          </button>
        )}
        <Show view={view.runs} onShow={(shown) => change({ runs: shown })} count={visible.length} />
        <a
          class="button"
          href={hrefOf(
            { screen: "select", namespace, ...(experiment === undefined ? {} : { experiment }) },
            formatView({ ...emptyView(), q: view.q, g: view.g }),
          )}
          title="the best of these runs by one number or several"
        >
          Select
        </a>
        <CodeMenu
          codes={codeOf({
            origin: location.origin,
            namespace,
            experiment: named.value && { name: named.value.name, id: named.value.experimentId },
            filter: view.q,
            orders: view.o,
            asof: view.asof,
            deleted: view.deleted,
          })}
        />
        <ViewsMenu namespace={namespace} experiment={experiment} />
        <Menu label="Columns" name="columns" right>
          {() => (
            <Chooser
              question={{ namespace, experiment, filter: "", asof: view.asof, deleted: view.deleted }}
              keys={keys ?? []}
              columns={columns}
              onColumns={(cols) => change({ cols: cols.length ? cols : ["name"] }, "replace")}
              onDefault={() => change({ cols: [] })}
            />
          )}
        </Menu>
      </div>
      <div class="split" ref={body}>
        <div class="left" style={{ flexBasis: `${share}%` }}>
          {runs.failure && !runs.answered
            ? <Failed failure={runs.failure} retry={runs.retry} />
            : !runs.answered
            ? <Skeleton rows={16} />
            : nothing
            ? (view.q
              ? (
                <Empty title="No run matches">
                  <p>
                    The filter <code>{view.q}</code> leaves none of the runs that are here.
                  </p>
                  <button type="button" class="button" onClick={() => change({ q: "" })}>
                    Clear the filter
                  </button>
                </Empty>
              )
              : view.deleted
              ? <Empty title="No run is deleted" />
              : view.asof
              ? <Empty title="No runs at that time" />
              : (
                <Empty title="No runs yet">
                  <FirstRun />
                </Empty>
              ))
            : (
              <>
                {runs.failure && <Failed failure={runs.failure} retry={runs.retry} />}
                <Table
                  namespace={namespace}
                  runs={runs.runs}
                  total={total}
                  columns={columns}
                  orders={view.o}
                  onOrders={(o) => change({ o })}
                  more={runs.more}
                  stale={stale}
                  selected={selected}
                  onSelect={setSelected}
                  colourOf={colourOf}
                  onVisible={toggleVisible}
                  baseline={view.base}
                  onBaseline={(id) => change({ base: view.base === id ? "" : id })}
                  hovered={hovered}
                  onHover={setHovered}
                  onOpen={open}
                  changed={live.changed}
                  gone={live.gone}
                  nowOf={nowOf}
                />
              </>
            )}
        </div>
        <Splitter body={body} onShare={setShare} />
        <div class="pane">
          {keys && runs.answered && !nothing && (
            <Cards
              keys={keys}
              view={view}
              namespace={namespace}
              runs={visible.slice(0, MOST_CURVES)}
              labelOf={(run) => byId.get(run)?.name || run.slice(0, 12)}
              colourOf={(run) => colourOf(run) ?? palette[0]!}
              groupOf={together ? undefined : groupOf}
              together={together}
              lifted={hovered}
              onLift={setHovered}
              onPick={(run) => setSelected(new Set([...selected, run]))}
              onChange={(changes) => change(changes, "s" in changes ? "replace" : "push")}
              groupable
              versionOf={live.versionOf}
            />
          )}
        </div>
      </div>
    </div>
  );
}

function Show({ view, onShow, count }: { view: string; onShow: (runs: string) => void; count: number }) {
  const known = ["first:10", "first:20", "first:50", "first:100", "none"];
  return (
    <select
      class="button"
      aria-label="Runs with curves"
      value={known.includes(view) ? view : "own"}
      onChange={(event) => onShow(event.currentTarget.value)}
    >
      <option value="first:10">Chart first 10</option>
      <option value="first:20">Chart first 20</option>
      <option value="first:50">Chart first 50</option>
      <option value="first:100">Chart first 100</option>
      <option value="none">Chart none</option>
      {!known.includes(view) && <option value="own">Chart {count} chosen</option>}
    </select>
  );
}

function Splitter({ body, onShare }: { body: { current: HTMLDivElement | null }; onShare: (share: number) => void }) {
  const set = (share: number) => {
    const next = Math.round(Math.max(20, Math.min(85, share)) * 10) / 10;
    onShare(next);
    keep("split", String(next));
  };
  return (
    <div
      class="splitter"
      role="separator"
      aria-orientation="vertical"
      aria-label="width of the table"
      tabIndex={0}
      onKeyDown={(event) => {
        const by = event.key === "ArrowLeft" ? -3 : event.key === "ArrowRight" ? 3 : 0;
        if (by) set(Number(kept("split") ?? 52) + by);
      }}
      onPointerDown={(event) => {
        const handle = event.currentTarget;
        const box = body.current!.getBoundingClientRect();
        handle.setPointerCapture(event.pointerId);
        handle.onpointermove = (moved) => set((moved.clientX - box.left) / box.width * 100);
        handle.onpointerup = () => handle.onpointermove = null;
      }}
    />
  );
}

/** Returns the ids of the runs whose curves are drawn, of those that are known. */
export function visibleRuns(text: string, runs: readonly Run[]): string[] {
  const first = /^first:(\d+)$/.exec(text);
  if (first) return runs.slice(0, Number(first[1])).map((run) => run.runId);
  if (text === "all") return runs.map((run) => run.runId);
  if (text === "none") return [];
  return text.split(",").filter((id) => /^[0-9a-f]{32}$/.test(id));
}

function fieldOfColumn(column: NonNullable<ReturnType<typeof parseColumn>>): string {
  return column.kind === "attributes" ? column.key : `${column.kind}.${quotedKey(column.key)}`;
}

function groupName(run: Run | undefined, groups: readonly NonNullable<ReturnType<typeof parseColumn>>[]): string {
  if (!run) return "—";
  return groups.map((column) => cellOf(run, column, 0).whole || "—").join(" · ");
}
