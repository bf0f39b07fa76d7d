/** Experiments screen: what is there, and a way into each. */

import { useMemo, useState } from "preact/hooks";
import { call } from "../api/calls.ts";
import { asOf } from "../api/reads.ts";
import { DeletedView } from "../../contract/fleetlog/v1/scope_pb.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import type { Experiment } from "../../contract/fleetlog/v1/experiment_pb.ts";
import { useLoad } from "../parts/load.ts";
import { Empty, Failed, FirstRun, Skeleton } from "../parts/states.tsx";
import { hrefOf, view } from "../state.ts";
import { grouped, localTime, utcTime } from "../view/numbers.ts";
import { countRuns } from "../api/counts.ts";

const COUNTED = 100;

/** See the file. */
export function ExperimentsScreen({ namespace }: { namespace: string }) {
  const [text, setText] = useState("");
  const { asof } = view.value;
  const listed = useLoad(`${namespace} ${asof}`, async (signal) => {
    const all: Experiment[] = [];
    let pageToken = "";
    do {
      const page = await call(QueryService.method.listExperiments, {
        namespace,
        pageSize: 1000,
        pageToken,
        deletedView: DeletedView.ACTIVE,
        asOf: asOf(asof),
      }, signal);
      all.push(...page.experiments);
      pageToken = page.nextPageToken;
    } while (pageToken);
    return all;
  });
  const found = useMemo(
    () => (listed.value ?? []).filter((each) => each.name.toLowerCase().includes(text.toLowerCase())),
    [listed.value, text],
  );
  const counted = found.slice(0, COUNTED).map((each) => each.experimentId);
  const counts = useLoad(
    `${namespace} ${counted.join()} ${asof}`,
    (signal) => countRuns(namespace, counted, asof, signal),
  );
  if (listed.failure && !listed.value) return <Failed failure={listed.failure} retry={listed.retry} />;
  const empty = counts.value && [...counts.value.values()].every((each) => each.runs === 0) && text === "";
  return (
    <div class="screen" data-screen="experiments">
      <div class="bar">
        <h1>Experiments</h1>
        <input
          class="field search"
          value={text}
          placeholder="Search by name"
          aria-label="Search experiments"
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <span class="fill" />
        <a class="button" href={hrefOf({ screen: "runs", namespace })}>All runs</a>
      </div>
      {!listed.value ? <Skeleton rows={8} /> : (
        <div class="scroll">
          <table class="list">
            <thead>
              <tr>
                <th>Name</th>
                <th class="right">Runs</th>
                <th class="right">Running</th>
                <th>Last start</th>
                <th>Created</th>
                <th class="right">Number</th>
              </tr>
            </thead>
            <tbody>
              {found.map((each) => {
                const count = counts.value?.get(each.experimentId);
                return (
                  <tr key={each.experimentId} data-experiment={each.experimentId}>
                    <td>
                      <a
                        href={hrefOf({
                          screen: "runs",
                          namespace,
                          experiment: each.experimentId,
                        })}
                      >
                        {each.name}
                      </a>
                    </td>
                    <td class="right">
                      {count ? grouped(count.runs) : <span class="none">–</span>}
                    </td>
                    <td class="right">
                      {count?.running
                        ? <span class="badge running">{grouped(count.running)}</span>
                        : <span class="none">–</span>}
                    </td>
                    <td title={count?.last ? utcTime(count.last) : undefined}>
                      {count?.last ? localTime(count.last) : <span class="none">–</span>}
                    </td>
                    <td title={utcTime(Number(each.createTimeMillis))}>
                      {each.createTimeMillis ? localTime(Number(each.createTimeMillis)) : <span class="none">–</span>}
                    </td>
                    <td class="right quiet">{each.experimentId}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
          {found.length === 0 && <Empty title="No experiment has that name" />}
          {empty && asof && <Empty title="No runs at that time" />}
          {empty && !asof && (
            <Empty title="No runs yet">
              <FirstRun />
            </Empty>
          )}
        </div>
      )}
    </div>
  );
}
