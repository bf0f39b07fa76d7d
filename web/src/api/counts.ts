/** Counts of experiments: runs, those that are running, and when the last one started. */

import { call } from "./calls.ts";
import { asOf } from "./reads.ts";
import { KeyKind } from "../../contract/fleetlog/v1/facets_pb.ts";
import { QueryService, TotalCount } from "../../contract/fleetlog/v1/query_pb.ts";

const AT_ONCE = 4;

/** Count of an experiment. */
export interface Count {
  runs: number;
  running: number;
  /** Unix milliseconds; undefined without runs. */
  last: number | undefined;
}

/** Returns the counts of some experiments at a moment ("" = now), a few asked at once. */
export async function countRuns(
  namespace: string,
  experiments: readonly number[],
  asof: string,
  signal?: AbortSignal,
): Promise<Map<number, Count>> {
  const counts = new Map<number, Count>();
  const waiting = [...experiments];
  const work = async () => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      counts.set(id, await count(namespace, id, asof, signal));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return counts;
}

async function count(namespace: string, experiment: number, asof: string, signal?: AbortSignal): Promise<Count> {
  const found = await call(QueryService.method.searchRuns, {
    namespace,
    experimentIds: [experiment],
    readMask: ["attributes"],
    pageSize: 1,
    totalCount: TotalCount.EXACT,
    asOf: asOf(asof),
  }, signal);
  const runs = Number(found.totalCount ?? 0);
  const newest = found.runs[0];
  if (!newest) return { runs, running: 0, last: undefined };
  const states = await call(QueryService.method.listValues, {
    scope: { namespace, experimentIds: [experiment], asOf: asOf(asof) },
    kind: KeyKind.ATTRIBUTE,
    key: "state",
  }, signal);
  const running = states.values.find((each) => each.value === "RUNNING");
  return { runs, running: Number(running?.runs ?? 0), last: Number(newest.startTimeMillis) };
}
