/** Experiments screen: what is there, and a way into each. */

import { useState } from "preact/hooks";
import { call } from "../api/calls.ts";
import { asOf } from "../api/reads.ts";
import {
  type ExperimentActivity,
  ExperimentOrder,
  type ListExperimentsResponse,
  QueryService,
} from "../../contract/fleetlog/v1/query_pb.ts";
import type { Experiment } from "../../contract/fleetlog/v1/experiment_pb.ts";
import { useLoad, useRested } from "../parts/load.ts";
import { Empty, Failed, FirstRun, Skeleton } from "../parts/states.tsx";
import { hrefOf, view } from "../state.ts";
import { grouped, localTime, utcTime } from "../view/numbers.ts";

const PAGE = 200;
const TYPING_MILLIS = 150;
const ORDERS = {
  name: ExperimentOrder.NAME,
  start: ExperimentOrder.LAST_START,
  number: ExperimentOrder.NUMBER,
} as const;
type Order = keyof typeof ORDERS;

/** See the file. */
export function ExperimentsScreen({ namespace }: { namespace: string }) {
  const [text, setText] = useState("");
  const [order, setOrder] = useState<Order>("start");
  const [pages, setPages] = useState(1);
  const { asof } = view.value;
  const contains = useRested(text.trim(), TYPING_MILLIS);
  const listed = useLoad(
    `${namespace} ${asof} ${order} ${pages} ${contains}`,
    (signal) => readExperiments(namespace, { asof, order, pages, contains }, signal),
  );
  if (listed.failure && !listed.value) return <Failed failure={listed.failure} retry={listed.retry} />;
  const rows = listed.value?.rows ?? [];
  const empty = contains === "" && rows.every(({ activity }) => activity.runs === 0n);
  const head = (title: string, by: Order, right = false) => (
    <th class={right ? "right" : ""} aria-sort={order === by ? (by === "start" ? "descending" : "ascending") : "none"}>
      <button
        type="button"
        class="plain"
        onClick={() =>
          setOrder(by)}
      >
        {title}
      </button>
    </th>
  );
  return (
    <div class="screen" data-screen="experiments" data-state={listed.loading ? "loading" : "ready"}>
      <div class="bar">
        <h1>Experiments</h1>
        <input
          class="field search"
          value={text}
          placeholder="Search by name"
          aria-label="Search experiments"
          onInput={(event) => {
            setText(event.currentTarget.value);
            setPages(1);
          }}
        />
        <span class="fill" />
        <a class="button" href={hrefOf({ screen: "runs", namespace })}>All runs</a>
      </div>
      {!listed.value ? <Skeleton rows={8} /> : (
        <div class="scroll">
          <table class="list">
            <thead>
              <tr>
                {head("Name", "name")}
                <th class="right">Runs</th>
                <th class="right">Running</th>
                {head("Last start", "start")}
                <th>Last end</th>
                <th>Created</th>
                {head("Number", "number", true)}
              </tr>
            </thead>
            <tbody>
              {rows.map((each) => <Row key={each.experiment.experimentId} namespace={namespace} {...each} />)}
            </tbody>
          </table>
          {listed.value.more && (
            <button type="button" class="button" onClick={() => setPages(pages + 1)}>Show more</button>
          )}
          {rows.length === 0 && <Empty title="No experiment has that name" />}
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

interface Shown {
  experiment: Experiment;
  activity: ExperimentActivity;
}

function Row({ namespace, experiment, activity }: Shown & { namespace: string }) {
  return (
    <tr data-experiment={experiment.experimentId}>
      <td>
        <a href={hrefOf({ screen: "runs", namespace, experiment: experiment.experimentId })}>{experiment.name}</a>
      </td>
      <td class="right">{grouped(activity.runs)}</td>
      <td class="right">
        {activity.runningRuns > 0n
          ? <span class="badge running">{grouped(activity.runningRuns)}</span>
          : <span class="none">–</span>}
      </td>
      <Time millis={Number(activity.lastStartTimeMillis)} />
      <Time millis={Number(activity.lastEndTimeMillis)} />
      <Time millis={Number(experiment.createTimeMillis)} />
      <td class="right quiet">{experiment.experimentId}</td>
    </tr>
  );
}

function Time({ millis }: { millis: number }) {
  if (millis === 0) {
    return (
      <td>
        <span class="none">–</span>
      </td>
    );
  }
  return <td title={utcTime(millis)}>{localTime(millis)}</td>;
}

async function readExperiments(
  namespace: string,
  asked: { asof: string; order: Order; pages: number; contains: string },
  signal: AbortSignal,
): Promise<{ rows: Shown[]; more: boolean }> {
  const rows: Shown[] = [];
  let pageToken = "";
  for (let page = 0; page < asked.pages; page++) {
    const answer: ListExperimentsResponse = await call(QueryService.method.listExperiments, {
      namespace,
      pageSize: PAGE,
      pageToken,
      contains: asked.contains,
      activity: true,
      orderBy: ORDERS[asked.order],
      asOf: asOf(asked.asof),
    }, signal);
    answer.experiments.forEach((experiment, at) => rows.push({ experiment, activity: answer.activities[at]! }));
    pageToken = answer.nextPageToken;
    if (!pageToken) break;
  }
  return { rows, more: pageToken !== "" };
}
