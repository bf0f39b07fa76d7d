/** State of a live search: that it is one, that it lags or reconnects, and what waits to be shown. */

import type { Failure } from "../api/failure.ts";
import { connection } from "../api/live.ts";
import { duration } from "../view/numbers.ts";

const LATE_MILLIS = 3000;

/** See the file. */
export function LiveState({ failure, started, lag, waiting, onShow }: {
  failure: Failure | undefined;
  started: boolean;
  /** Milliseconds after which reads see what the log has; undefined when it is not known. */
  lag: number | undefined;
  /** What a table would show differently, in words; empty for nothing. */
  waiting: string;
  onShow: () => void;
}) {
  const late = lag !== undefined && lag > LATE_MILLIS;
  const open = connection.value === "open" && started && !failure;
  const words = failure
    ? `not live: ${failure.message}`
    : connection.value === "waiting"
    ? "reconnecting"
    : !open
    ? "connecting"
    : late
    ? `live, ${duration(Math.round(lag / 1000) * 1000)} behind`
    : "live";
  return (
    <>
      <span
        class={`live-state ${open && !late ? "" : "away"}`}
        role="status"
        data-live={failure ? "failed" : open ? "open" : connection.value}
      >
        {words}
      </span>
      {waiting && (
        <button type="button" class="button" data-waiting onClick={onShow}>
          {waiting}: show
        </button>
      )}
    </>
  );
}
