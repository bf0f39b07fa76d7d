/** Link to a run by its name; by its id where there is no such run any more. */

import { call } from "../api/calls.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import { hrefOf } from "../state.ts";
import { useLoad } from "./load.ts";

/** See the file. */
export function RunLink({ namespace, run }: { namespace: string; run: string }) {
  const found = useLoad(
    `${namespace} ${run}`,
    (signal) =>
      call(QueryService.method.getRuns, { namespace, runIds: [run], readMask: ["attributes"] }, signal)
        .then((answer) => answer.runs[0]),
  );
  const name = found.value?.name || `${run.slice(0, 12)}…`;
  if (!found.loading && !found.value) return <span class="quiet" title={run}>{name}</span>;
  return <a href={hrefOf({ screen: "run", namespace, run })} title={run} data-run-link={run}>{name}</a>;
}
