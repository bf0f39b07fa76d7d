/** Runs that are watched: what the answers of a watch add up to, and how they differ from what a table shows. */

import type { Position } from "../../contract/fleetlog/v1/position_pb.ts";
import type { Run } from "../../contract/fleetlog/v1/run_pb.ts";
import type { WatchRunsResponse } from "../../contract/fleetlog/v1/watch_pb.ts";

/** State of a watch. */
export interface Watched {
  runs: ReadonlyMap<string, Run>;
  order: readonly string[];
  /** Where to go on from; undefined before the first answer that is whole. */
  position: Position | undefined;
}

export const NOTHING: Watched = { runs: new Map(), order: [], position: undefined };

/** Returns the state after an answer. */
export function after(
  before: Watched,
  answer: Pick<WatchRunsResponse, "entered" | "left" | "changed" | "order" | "position" | "snapshot">,
): Watched {
  const runs = new Map(answer.snapshot ? [] : before.runs);
  for (const run of [...answer.entered, ...answer.changed]) runs.set(run.runId, run);
  for (const id of answer.left) runs.delete(id);
  const known = answer.snapshot ? [] : before.order;
  const order = answer.order.length > 0 ? answer.order : [...known, ...answer.entered.map((run) => run.runId)];
  return {
    runs,
    order: [...new Set(order)].filter((id) => runs.has(id)),
    position: answer.position ?? (answer.snapshot ? undefined : before.position),
  };
}

/** What a table would show differently. */
export interface Difference {
  entered: number;
  moved: number;
  /** Ids of rows that match no more. */
  gone: string[];
}

/** Returns how the rows of a table differ from what is watched, the foremost `limit` runs of the same search. */
export function difference(rows: readonly string[], watched: readonly string[], limit: number): Difference {
  const shown = new Set(rows);
  const now = new Set(watched);
  const entered = watched.filter((id) => !shown.has(id)).length;
  // Among as many as are watched, a row that is missing may only have been pushed behind them.
  const gone = watched.length < limit ? rows.slice(0, limit).filter((id) => !now.has(id)) : [];
  const before = rows.filter((id) => now.has(id));
  const after = watched.filter((id) => shown.has(id));
  return { entered, moved: before.filter((id, at) => after[at] !== id).length, gone };
}

/** Returns the difference in words: "3 new, 2 moved"; empty for none. */
export function differenceWords({ entered, moved, gone }: Difference): string {
  const parts = [entered && `${entered} new`, moved && `${moved} moved`, gone.length && `${gone.length} gone`];
  return parts.filter(Boolean).join(", ");
}
