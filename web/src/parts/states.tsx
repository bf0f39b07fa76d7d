/** States that every screen and card has: loading, empty, failed. */

import type { ComponentChildren } from "preact";
import type { Failure } from "../api/failure.ts";

/** Message of a failure, with its reason and a way to try again. */
export function Failed({ failure, retry }: { failure: Failure; retry?: () => void }) {
  return (
    <div class="state failed" role="alert">
      <strong>
        {failure.code === "not_found"
          ? "Not found"
          : failure.code === "permission_denied"
          ? "Not allowed"
          : "That did not work"}
      </strong>
      <p>{failure.message}</p>
      <p class="quiet">
        {failure.reason || failure.code}
        {retry && <button type="button" class="plain" onClick={retry}>Try again</button>}
      </p>
    </div>
  );
}

/** Message of something that is empty: why, and what comes next. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="state empty">
      <strong>{title}</strong>
      {children}
    </div>
  );
}

/** Rows that stand for what is being loaded for the first time. */
export function Skeleton({ rows }: { rows: number }) {
  return (
    <div class="skeleton" aria-label="loading" role="status">
      {Array.from({ length: rows }, (_, at) => <div key={at} class={`bone w${at % 4}`} />)}
    </div>
  );
}

/** Five lines of Python that make a first run, with the address of this server. */
export function FirstRun() {
  const code = `import fleetlog

with fleetlog.start_run(experiment="first", params={"lr": 0.1}) as run:
    for step in range(100):
        run.log({"loss": 1 / (step + 1)}, step=step)
`;
  return (
    <>
      <p>Nothing was logged here yet. This makes a run:</p>
      <pre class="code" data-code="first-run">{code}</pre>
    </>
  );
}
