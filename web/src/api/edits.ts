/** Edits: each is durable when it returns, and a read behind it sees it. */

import { call } from "./calls.ts";
import { IngestService } from "../../contract/fleetlog/v1/ingest_pb.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import type { Position } from "../../contract/fleetlog/v1/position_pb.ts";
import { joined } from "../view/positions.ts";
import type { Run } from "../../contract/fleetlog/v1/run_pb.ts";

/** Changes of one run. */
export interface Changes {
  name?: string;
  tags?: Record<string, string>;
  deletedTags?: string[];
  deleted?: boolean;
}

/** Changes a run, and returns it as it is with the change in it. The request is told by its id, so a retry changes nothing. */
export async function updateRun(namespace: string, runId: string, changes: Changes): Promise<Run> {
  const requestId = crypto.getRandomValues(new Uint8Array(16));
  const done = await call(IngestService.method.updateRun, { namespace, runId, requestId, ...changes });
  const answer = await call(
    QueryService.method.getRun,
    done.position ? { namespace, runId, atLeast: done.position } : { namespace, runId },
  );
  return answer.run!;
}

const RUNS_AT_ONCE = 1000;

/** Changes many runs alike, and returns the position behind which reads show it. Runs that are not there are left out. */
export async function updateRuns(
  namespace: string,
  runIds: readonly string[],
  changes: Omit<Changes, "name">,
): Promise<Position | undefined> {
  const requestId = crypto.getRandomValues(new Uint8Array(16));
  let position: Position | undefined;
  for (let first = 0; first < runIds.length; first += RUNS_AT_ONCE) {
    const some = runIds.slice(first, first + RUNS_AT_ONCE);
    const done = await call(IngestService.method.updateRuns, { namespace, runIds: some, requestId, ...changes });
    position = joined(position, done.position);
  }
  return position;
}
