/** Bar of a past moment: which it is, how to go to another, and back to now. */

import { change, view } from "../state.ts";
import { ago, localTime, utcTime } from "../view/numbers.ts";

const HOUR = 3_600_000;

/** See the file. */
export function ThenBar() {
  const millis = Number(view.value.asof);
  const go = (to: number) => change({ asof: String(Math.round(Math.min(to, Date.now()))) });
  return (
    <div class="strip then" role="status" data-as-of={view.value.asof}>
      <strong title={utcTime(millis)}>As of {localTime(millis)}</strong>
      <span class="quiet">{ago(millis, Date.now())} · nothing can be edited</span>
      <span class="fill" />
      <label>
        Go to{" "}
        <input
          class="field"
          type="datetime-local"
          step={1}
          value={localInput(millis)}
          onChange={(event) => {
            const to = new Date(event.currentTarget.value).getTime();
            if (!Number.isNaN(to)) go(to);
          }}
        />
      </label>
      <button type="button" class="button" onClick={() => go(millis - HOUR)}>1 hour earlier</button>
      <button type="button" class="button" onClick={() => go(millis - 24 * HOUR)}>1 day earlier</button>
      <button type="button" class="button primary" onClick={() => change({ asof: "" })}>Back to now</button>
    </div>
  );
}

// What a field of local time takes: no zone, to the second.
function localInput(millis: number): string {
  const date = new Date(millis - new Date(millis).getTimezoneOffset() * 60_000);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString().slice(0, 19);
}
