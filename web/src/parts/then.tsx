/** Bar of a past moment: which it is, a time line with starts and ends of runs, and back to now. */

import { useEffect, useMemo, useState } from "preact/hooks";
import { call } from "../api/calls.ts";
import { DeletedView } from "../../contract/fleetlog/v1/scope_pb.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import { change, route, view } from "../state.ts";
import { type Life, momentsOf, neighbour } from "../view/moments.ts";
import { ago, localTime, utcTime } from "../view/numbers.ts";
import { typing } from "../view/typing.ts";
import { useLoad } from "./load.ts";

const HOUR = 3_600_000;
const MARKED = 500;
const STEPS = 1000;

/** See the file. */
export function ThenBar() {
  const millis = Number(view.value.asof);
  const to = route.value;
  const experiment = to.screen === "runs" || to.screen === "select" ? to.experiment : undefined;
  const [now] = useState(() => Date.now());
  const line = useLoad(
    `${to.namespace} ${experiment}`,
    (signal) => readLine(to.namespace, experiment, signal),
  );
  const low = Math.min(line.value?.begin ?? now - 24 * HOUR, millis);
  const high = Math.max(now, millis);
  const moments = useMemo(() => momentsOf(line.value?.lives ?? [], low, high), [line.value, low, high]);
  const go = (at: number) => change({ asof: String(Math.round(Math.min(at, Date.now()))) });
  const step = (way: 1 | -1) => {
    const at = neighbour(moments, Number(view.value.asof), way);
    if (at !== undefined) go(at);
  };
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (typing(event)) return;
      if (event.key === ",") step(-1);
      if (event.key === ".") step(1);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [moments]);
  return (
    <div class="strip then" role="status" data-as-of={view.value.asof}>
      <strong title={utcTime(millis)}>As of {localTime(millis)}</strong>
      <span class="quiet">{ago(millis, Date.now())} · nothing can be edited</span>
      <TimeLine low={low} high={high} at={millis} moments={moments} onMoment={go} />
      <button type="button" class="button" title="earlier start or end of a run (,)" onClick={() => step(-1)}>
        ‹
      </button>
      <button type="button" class="button" title="later start or end of a run (.)" onClick={() => step(1)}>›</button>
      <label>
        <input
          class="field"
          aria-label="go to a time"
          type="datetime-local"
          step={1}
          value={localInput(millis)}
          onChange={(event) => {
            const at = new Date(event.currentTarget.value).getTime();
            if (!Number.isNaN(at)) go(at);
          }}
        />
      </label>
      <button type="button" class="button" aria-label="1 hour earlier" onClick={() => go(millis - HOUR)}>−1 h</button>
      <button type="button" class="button" aria-label="1 day earlier" onClick={() => go(millis - 24 * HOUR)}>
        −1 d
      </button>
      {to.screen === "runs" && (
        <button
          type="button"
          class="button"
          aria-pressed={view.value.diff}
          title="mark what is another now"
          onClick={() => change({ diff: !view.value.diff })}
        >
          What changed
        </button>
      )}
      <button type="button" class="button primary" onClick={() => change({ asof: "", diff: false })}>
        Back to now
      </button>
    </div>
  );
}

function TimeLine({ low, high, at, moments, onMoment }: {
  low: number;
  high: number;
  at: number;
  moments: ReturnType<typeof momentsOf>;
  onMoment: (at: number) => void;
}) {
  const [dragged, setDragged] = useState<number>();
  useEffect(() => setDragged(undefined), [at]);
  const place = (millis: number) => (millis - low) / (high - low || 1) * STEPS;
  const timeAt = (text: string) => low + Number(text) / STEPS * (high - low);
  return (
    <div class="time-line" data-moments={moments.length}>
      <svg viewBox={`0 0 ${STEPS} 20`} preserveAspectRatio="none" aria-hidden="true">
        {moments.map((each, key) => (
          <line
            key={key}
            class={each.kind}
            x1={place(each.millis)}
            x2={place(each.millis)}
            y1={each.kind === "start" ? 0 : 13}
            y2={each.kind === "start" ? 7 : 20}
          />
        ))}
      </svg>
      <input
        type="range"
        min={0}
        max={STEPS}
        step="any"
        value={place(dragged ?? at)}
        aria-label="moment"
        aria-valuetext={localTime(dragged ?? at)}
        onInput={(event) => setDragged(timeAt(event.currentTarget.value))}
        onChange={(event) => onMoment(timeAt(event.currentTarget.value))}
      />
      {dragged !== undefined && <output>{localTime(dragged)}</output>}
    </div>
  );
}

async function readLine(namespace: string, experiment: number | undefined, signal: AbortSignal) {
  const [runs, experiments] = await Promise.all([
    call(QueryService.method.searchRuns, {
      namespace,
      experimentIds: experiment === undefined ? [] : [experiment],
      readMask: ["attributes"],
      pageSize: MARKED,
      deletedView: DeletedView.ALL,
    }, signal),
    call(QueryService.method.listExperiments, { namespace, pageSize: 1000, deletedView: DeletedView.ALL }, signal),
  ]);
  const lives: Life[] = runs.runs.map((run) => ({
    start: Number(run.startTimeMillis),
    end: run.endTimeMillis === undefined ? undefined : Number(run.endTimeMillis),
  }));
  const made = experiments.experiments.filter((each) => experiment === undefined || each.experimentId === experiment)
    .map((each) => Number(each.createTimeMillis)).filter((millis) => millis > 0);
  // Experiments are dated by the log, which knows nothing of before; runs by whoever logged them.
  const times = made.length > 0 ? made : lives.map((life) => life.start);
  return { lives, begin: times.length > 0 ? Math.min(...times) : undefined };
}

// What a field of local time takes: no zone, to the second.
function localInput(millis: number): string {
  const date = new Date(millis - new Date(millis).getTimezoneOffset() * 60_000);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString().slice(0, 19);
}
