/** Table that is live: values change in place, and rows that would move, enter or go wait until they are wanted. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Run } from "../../contract/fleetlog/v1/run_pb.ts";
import type { Failure } from "../api/failure.ts";
import { type Question, readSummaries } from "../api/reads.ts";
import { quotedKey } from "../view/filter.ts";
import { type Difference, difference, differenceWords } from "../view/watched.ts";
import { useLag, useWatch } from "./live.ts";
import type { Runs } from "./runs.ts";

const LEAST_WATCHED = 100;
const MOST_WATCHED = 1000;
const GLOW_MILLIS = 1000;
const NO_IDS: ReadonlySet<string> = new Set();
const NO_DIFFERENCE: Difference = { entered: 0, moved: 0, gone: [] };

/** What a table shows of being live. */
export interface LiveTable {
  on: boolean;
  started: boolean;
  failure: Failure | undefined;
  lag: number | undefined;
  /** What the table would show differently, in words; empty for nothing. */
  waiting: string;
  changed: ReadonlySet<string>;
  gone: ReadonlySet<string>;
  /** As CardProps.versionOf. */
  versionOf: (metric: string) => string;
}

/** See the file. `charted`: metrics whose curves follow; `visible`: runs that have curves. */
export function useLiveTable({ namespace, on, question, runs, mask, summaries, charted, visible, onFirst }: {
  namespace: string;
  on: boolean;
  question: Question | undefined;
  runs: Runs;
  mask: string[];
  summaries: boolean;
  charted: readonly string[];
  visible: readonly string[];
  /** Called when runs are there and none was before. */
  onFirst: () => void;
}): LiveTable {
  const watchMask = useMemo(
    () => [...new Set([...mask, ...charted.map((metric) => `metrics.${quotedKey(metric)}`)])],
    [mask.join("\0"), charted.join("\0")],
  );
  const limit = Math.min(MOST_WATCHED, Math.max(LEAST_WATCHED, runs.runs.length));
  const live = useWatch(on && runs.answered === question ? question : undefined, watchMask, limit);
  const lag = useLag(namespace, on);
  const ids = useMemo(() => runs.runs.map((run) => run.runId), [runs.runs]);
  const differs = useMemo(
    () => (live.answers ? difference(ids, live.watched.order, limit) : NO_DIFFERENCE),
    [ids, live, limit],
  );
  const gone = useMemo(() => (differs.gone.length ? new Set(differs.gone) : NO_IDS), [differs]);
  const [changed, setChanged] = useState<ReadonlySet<string>>(NO_IDS);
  const applied = useRef<ReadonlyMap<string, Run>>(new Map());
  useEffect(() => {
    const before = applied.current;
    applied.current = live.watched.runs;
    const fresh = [...live.watched.runs].filter(([id, run]) => before.get(id) !== run);
    const known = fresh.map(([id]) => id).filter((id) => before.has(id));
    // What a watch tells has no summaries: rows that show some are read anew.
    if (!summaries) runs.replace(fresh.map(([, run]) => run));
    else if (known.length > 0) readSummaries(namespace, known, mask).then(runs.replace, () => undefined);
    if (known.length > 0) setChanged(new Set(known));
  }, [live]);
  useEffect(() => {
    if (changed.size === 0) return;
    const timer = setTimeout(() => setChanged(NO_IDS), GLOW_MILLIS);
    return () => clearTimeout(timer);
  }, [changed]);
  // Where nothing is shown, nothing can jump.
  const isFirst = ids.length === 0 && live.watched.order.length > 0;
  useEffect(() => {
    if (isFirst) onFirst();
  }, [isFirst]);
  return {
    on,
    started: live.answers > 0,
    failure: live.failure,
    lag,
    waiting: ids.length > 0 ? differenceWords(differs) : "",
    changed,
    gone,
    versionOf: (metric) =>
      on
        ? visible.map((id) => live.watched.runs.get(id)?.metrics.find((each) => each.key === metric))
          .map((each) => (each ? `${each.lastStep}:${each.last}` : "")).join()
        : "",
  };
}
