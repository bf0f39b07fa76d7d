/** Runs of a past moment as they are now, beside which the table shows what changed since. */

import type { Run } from "../../contract/fleetlog/v1/run_pb.ts";
import { readNow } from "../api/reads.ts";
import { useLoad } from "./load.ts";

const MOST = 200;

/** Returns what a run is now, undefined of one that is not there any more; or undefined while nothing is compared. */
export function useNow({ namespace, runs, mask, summaries }: {
  namespace: string;
  /** Runs of the past; empty = nothing is compared. The first page of them is. */
  runs: readonly Run[];
  mask: string[];
  summaries: boolean;
}): ((run: string) => Run | undefined) | undefined {
  const compared = runs.slice(0, MOST).map((run) => run.runId);
  const loaded = useLoad(
    `${namespace} ${compared.join()} ${mask.join("\0")} ${summaries}`,
    (signal) => compared.length ? readNow(namespace, compared, mask, summaries, signal) : Promise.resolve(undefined),
  );
  const now = loaded.value;
  if (compared.length === 0 || !now) return undefined;
  const known = new Set(compared);
  // Rows behind the first page are as they are: nothing is known of them.
  const rest = new Map(runs.slice(MOST).map((run) => [run.runId, run]));
  return (run) => (known.has(run) ? now.get(run) : rest.get(run));
}
