/** Writers of a run: its ranks, which of them are at work, and what came of each. */

import { call } from "../api/calls.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import { type Writer, WriterState } from "../../contract/fleetlog/v1/writer_pb.ts";
import { ago, grouped, utcTime } from "../view/numbers.ts";
import { Section } from "./facts.tsx";
import { usePages } from "./pages.ts";
import { Failed } from "./states.tsx";

const PAGE = 100;
const STATES = new Map<WriterState, [word: string, look: string]>([
  [WriterState.AT_WORK, ["at work", "running"]],
  [WriterState.ENDED, ["ended", "finished"]],
  [WriterState.LOST, ["lost", "lost"]],
  [WriterState.SILENT, ["silent", "lost"]],
]);

/** See the file. `version`: another one is read anew. */
export function Writers({ namespace, run, version }: { namespace: string; run: string; version: string }) {
  const writers = usePages(`${namespace} ${run} ${version}`, async (pageToken, signal) => {
    const asked = { namespace, runId: run, pageSize: PAGE, pageToken };
    const answer = await call(QueryService.method.listWriters, asked, signal);
    return { items: answer.writers, next: answer.nextPageToken };
  });
  if (writers.failure) return <Failed failure={writers.failure} retry={writers.retry} />;
  const items = writers.items ?? [];
  if (items.length === 0) return null;
  return (
    <Section title="Writers">
      <table class="pairs">
        <thead>
          <tr>
            <th>Rank</th>
            <th>State</th>
            <th>Last record</th>
            <th class="right">Events</th>
            <th class="right">Missing</th>
          </tr>
        </thead>
        <tbody>{items.map((each) => <Row key={each.writerId} writer={each} />)}</tbody>
      </table>
      {writers.hasMore && <button type="button" class="plain" onClick={writers.more}>more</button>}
    </Section>
  );
}

function Row({ writer }: { writer: Writer }) {
  const state = STATES.get(writer.state);
  const last = Number(writer.lastTimeMillis);
  return (
    <tr data-writer={writer.writerId} data-rank={writer.rank ?? ""} title={`writer ${writer.writerId}`}>
      <th>{writer.rank ?? "–"}</th>
      <td>{state ? <span class={`badge ${state[1]}`}>{state[0]}</span> : <span class="none">–</span>}</td>
      <td title={last ? utcTime(last) : undefined}>
        {last ? ago(last, Date.now()) : <span class="none">–</span>}
      </td>
      <td class="right">{grouped(writer.lastSequence)}</td>
      <td class={`right ${writer.missingEvents > 0n ? "bad" : "quiet"}`}>{grouped(writer.missingEvents)}</td>
    </tr>
  );
}
