/** Compare screen: runs side by side, what differs first, and their curves below. */

import { useMemo, useState } from "preact/hooks";
import { call } from "../api/calls.ts";
import { asOf, type Key } from "../api/reads.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import type { Run } from "../../contract/fleetlog/v1/run_pb.ts";
import { CodeMenu } from "../parts/code.tsx";
import { Cards } from "../parts/cards.tsx";
import { useLoad } from "../parts/load.ts";
import { Empty, Failed, Skeleton } from "../parts/states.tsx";
import { change, ground, hrefOf, view as viewSignal } from "../state.ts";
import { type Cell, cellOf } from "../view/cells.ts";
import { PALETTES } from "../view/colours.ts";
import { type Column, columnId, columnTitle, GOODNESS, isBetter, parseColumn } from "../view/columns.ts";
import { compareCode } from "../view/subject_code.ts";
import { signedNumber } from "../view/numbers.ts";

/** Runs that are compared at most. */
export const MOST = 50;

/** See the file. */
export function CompareScreen({ namespace }: { namespace: string }) {
  const view = viewSignal.value;
  const [all, setAll] = useState(false);
  const ids = view.runs.split(",").filter((id) => /^[0-9a-f]{32}$/.test(id)).slice(0, MOST);
  const loaded = useLoad(
    `${namespace} ${ids.join()} ${view.asof}`,
    (signal) =>
      ids.length
        ? call(QueryService.method.getRuns, { namespace, runIds: ids, summaries: true, asOf: asOf(view.asof) }, signal)
          .then((
            answer,
          ) => answer.runs)
        : Promise.resolve([]),
  );
  const runs = loaded.value;
  const rows = useMemo(() => rowsOf(runs ?? []), [runs]);
  if (loaded.failure && !runs) return <Failed failure={loaded.failure} retry={loaded.retry} />;
  if (!runs) return <Skeleton rows={12} />;
  if (runs.length === 0) {
    return (
      <Empty title="Nothing to compare">
        <p>Select two runs or more in the table of runs, and press Compare.</p>
        <a class="button" href={hrefOf({ screen: "runs", namespace })}>To the runs</a>
      </Empty>
    );
  }
  const base = runs.find((run) => run.runId === view.base) ?? runs[0]!;
  const shown = all ? rows : rows.filter((row) => row.differs);
  const palette = PALETTES[ground.value];
  const colourOf = (run: string) => palette[Math.max(0, ids.indexOf(run)) % palette.length]!;
  const keys: Key[] = metricKeys(runs);
  const byId = new Map(runs.map((run) => [run.runId, run]));
  return (
    <div class="screen" data-screen="compare">
      <div class="bar">
        <h1>
          <a href={hrefOf({ screen: "runs", namespace })}>Runs</a>
          <span class="slash">/</span>Compare {runs.length}
        </h1>
        <span class="fill" />
        <button type="button" class="button" aria-pressed={!all} onClick={() => setAll(!all)}>
          Differences only
        </button>
        <span class="quiet">{shown.length} of {rows.length} rows</span>
        <CodeMenu codes={compareCode({ origin: location.origin, namespace, asof: view.asof }, ids)} />
      </div>
      <div class="scroll">
        <div class="sideways">
          <table class="compare">
            <thead>
              <tr>
                <th class="key">Run</th>
                {runs.map((run) => (
                  <th key={run.runId} data-run={run.runId} class={run === base ? "base" : ""}>
                    <i class="dot on" style={{ background: colourOf(run.runId) }} />
                    <a href={hrefOf({ screen: "run", namespace, run: run.runId })} title={run.name}>
                      {run.name || run.runId.slice(0, 12)}
                    </a>
                    {run === base ? <small>reference</small> : (
                      <button
                        type="button"
                        class="plain"
                        onClick={() => change({ base: run.runId })}
                      >
                        make reference
                      </button>
                    )}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.map((row, at) => (
                <tr
                  key={row.column.id}
                  class={at > 0 && shown[at - 1]!.column.kind !== row.column.kind ? "first" : ""}
                  data-row={row.column.id}
                >
                  <th class="key" title={row.column.key}>
                    {row.column.kind !== "attributes" && (
                      <i class={`kind ${row.column.kind.slice(0, -1)}`}>{row.column.kind[0]}</i>
                    )}
                    {columnTitle(row.column)}
                  </th>
                  {row.cells.map((cell, place) => (
                    <CompareCell
                      key={place}
                      cell={cell}
                      base={row.cells[runs.indexOf(base)]!}
                      column={row.column}
                      isBase={runs[place] === base}
                    />
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
          {shown.length === 0 && (
            <Empty title="No differences">
              <p>These runs have the same params, tags and metrics.</p>
            </Empty>
          )}
        </div>
        <Cards
          keys={keys}
          view={view}
          namespace={namespace}
          runs={runs.map((run) => run.runId)}
          labelOf={(run) => byId.get(run)?.name || run.slice(0, 12)}
          colourOf={colourOf}
          groupOf={undefined}
          together={undefined}
          lifted=""
          onLift={() => {}}
          onPick={() => {}}
          onChange={(changes) => change(changes, "s" in changes ? "replace" : "push")}
          groupable={false}
        />
      </div>
    </div>
  );
}

function CompareCell({ cell, base, column, isBase }: { cell: Cell; base: Cell; column: Column; isBase: boolean }) {
  const same = cell.whole === base.whole;
  const difference = column.kind === "metrics" && !isBase && cell.number !== undefined && base.number !== undefined
    ? cell.number - base.number
    : undefined;
  const good = GOODNESS.get(difference === undefined ? undefined : isBetter(column.key, difference)) ?? "";
  return (
    <td
      class={`${cell.look === "number" || cell.look === "odd" ? "right" : ""} ${same || isBase ? "" : "other"}`}
      title={cell.whole}
      data-value={cell.whole}
    >
      {cell.look === "missing" ? <span class="none">–</span> : cell.text}
      {difference !== undefined && Number.isFinite(difference) && difference !== 0 && (
        <small class={good}>{signedNumber(difference)}</small>
      )}
    </td>
  );
}

interface RowOf {
  column: Column;
  cells: Cell[];
  differs: boolean;
}

function rowsOf(runs: readonly Run[]): RowOf[] {
  const ids = new Set<string>(["state", "start_time", "duration", "user"]);
  const collect = (kind: Column["kind"], keysOf: (run: Run) => string[]) => {
    const keys = new Set(runs.flatMap(keysOf));
    for (const key of [...keys].sort()) ids.add(columnId(kind, key));
  };
  collect("metrics", (run) => run.metrics.map((each) => each.key));
  collect("params", (run) => run.params.map((each) => each.key));
  collect("tags", (run) => Object.keys(run.tags));
  const now = Date.now();
  return [...ids].map(parseColumn).filter((column) => column !== undefined).map((column) => {
    const cells = runs.map((run) => cellOf(run, column, now));
    return { column, cells, differs: cells.some((cell) => cell.whole !== cells[0]!.whole) };
  });
}

function metricKeys(runs: readonly Run[]): Key[] {
  const counts = new Map<string, number>();
  for (const run of runs) for (const metric of run.metrics) counts.set(metric.key, (counts.get(metric.key) ?? 0) + 1);
  return [...counts].map(([key, count]) => ({ kind: "metrics", key, runs: count }));
}
