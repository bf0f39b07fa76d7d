/** History of a run: each record of the log that is about it, who sent it and when, and a look at how all was then. */

import { call } from "../api/calls.ts";
import { asOf } from "../api/reads.ts";
import type { RecordedEvent } from "../../contract/fleetlog/v1/audit_pb.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import { change, view } from "../state.ts";
import { momentAfter } from "../view/moments.ts";
import { kindsAsked, kindWords } from "../view/records.ts";
import { Toggle } from "./cards.tsx";
import { Time } from "./facts.tsx";
import { usePages } from "./pages.ts";
import { Empty, Failed, Skeleton } from "./states.tsx";

const PAGE = 100;

/** See the file. `version`: another one is read anew. */
export function Records({ namespace, run, version }: { namespace: string; run: string; version: string }) {
  const { asof, points } = view.value;
  const records = usePages(`${namespace} ${run} ${asof} ${points} ${version}`, async (pageToken, signal) => {
    const answer = await call(QueryService.method.listEvents, {
      namespace,
      subject: { case: "runId", value: run },
      kinds: kindsAsked(points),
      latestFirst: true,
      pageSize: PAGE,
      pageToken,
      asOf: asOf(asof),
    }, signal);
    return { items: answer.events, next: answer.nextPageToken };
  });
  const items = records.items;
  return (
    <div class="records" data-records={items?.length ?? ""}>
      <div class="tools">
        <Toggle name="Points too" on={points} onToggle={() => change({ points: !points })} />
      </div>
      {records.failure && <Failed failure={records.failure} retry={records.retry} />}
      {!items
        ? !records.failure && <Skeleton rows={8} />
        : items.length === 0
        ? <Empty title={asof ? "Nothing had happened by then" : "Nothing but points is known of this run"} />
        : <Table items={items} past={asof !== ""} />}
      {items && records.hasMore && (
        <p class="more">
          <button type="button" class="button" onClick={records.more}>Older</button>
        </p>
      )}
    </div>
  );
}

function Table({ items, past }: { items: RecordedEvent[]; past: boolean }) {
  return (
    <table class="list history">
      <thead>
        <tr>
          <th>When</th>
          <th>Who</th>
          <th>What</th>
          <th aria-label="look back" />
        </tr>
      </thead>
      <tbody>
        {items.map((each, at) => (
          <tr key={`${each.partition} ${each.offset} ${at}`} data-kinds={each.kinds.join(" ")}>
            <td class="narrow">
              <Time millis={each.timeMillis} seconds />
            </td>
            <td class="narrow">
              <Who record={each} />
            </td>
            <td title={kindWords(each.kinds)}>
              {each.summary || kindWords(each.kinds)}
              {each.refusedReason && <span class="badge failed">{each.refusedReason}</span>}
            </td>
            <td class="right narrow">
              {!past && (
                <button
                  type="button"
                  class="plain"
                  title="the run as it was after this"
                  onClick={() => change({ asof: momentAfter(items, at), tab: "" })}
                >
                  look back
                </button>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Who({ record }: { record: RecordedEvent }) {
  if (!record.principal) return <span class="none" title="nobody was asked who they are">–</span>;
  return (
    <span title={record.gateway && `through ${record.gateway}`}>
      {record.principal}
      {record.tokenName && <small class="quiet">{` by ${record.tokenName}`}</small>}
    </span>
  );
}
