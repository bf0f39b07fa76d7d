/** Live searches: the runs of a question as they are now, and how far behind the log the reads are. */

import { create, toBinary } from "@bufbuild/protobuf";
import { useEffect, useRef, useState } from "preact/hooks";
import { call } from "../api/calls.ts";
import type { Failure } from "../api/failure.ts";
import { watch } from "../api/live.ts";
import { type Question, viewOf } from "../api/reads.ts";
import { IngestService } from "../../contract/fleetlog/v1/ingest_pb.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import { after, NOTHING, type Watched } from "../view/watched.ts";

const ASK_MILLIS = 10_000;

/** State of a live search. */
export interface Live {
  watched: Watched;
  /** Number of answers; 0 = none yet. */
  answers: number;
  failure: Failure | undefined;
}

const NEVER: Live = { watched: NOTHING, answers: 0, failure: undefined };

/** Watches the foremost runs of a question; undefined = nothing is watched. */
export function useWatch(question: Question | undefined, mask: readonly string[], limit: number): Live {
  const [live, set] = useState<Live>(NEVER);
  const latest = useRef<Watched>(NOTHING);
  const key = question && JSON.stringify([question, mask, limit]);
  useEffect(() => {
    latest.current = NOTHING;
    set(NEVER);
    if (!question) return;
    const request = () => {
      const { position, order } = latest.current;
      const asked = create(QueryService.method.watchRuns.input, {
        scope: {
          namespace: question.namespace,
          experimentIds: question.experiment === undefined ? [] : [question.experiment],
          filter: question.filter,
          deletedView: viewOf(question),
        },
        orderBy: question.orders,
        limit,
        readMask: [...mask],
        ...(position ? { resumeFrom: position, known: [...order] } : {}),
      });
      return toBinary(QueryService.method.watchRuns.input, asked);
    };
    return watch(QueryService.method.watchRuns, request, (answer) => {
      latest.current = after(latest.current, answer);
      const watched = latest.current;
      set((before) => ({
        watched,
        answers: before.answers + 1,
        failure: undefined,
      }));
    }, (failure) => set((before) => ({ ...before, failure })));
  }, [key]);
  return live;
}

/** Returns milliseconds after which reads see what the log has; undefined until it is known, or when it is not asked. */
export function useLag(namespace: string, asked: boolean): number | undefined {
  const [lag, set] = useState<number>();
  useEffect(() => {
    if (!asked) return set(undefined);
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async () => {
      const begun = Date.now();
      // Longer than a second, it is told while it goes on.
      const grows = setInterval(() => set(Date.now() - begun), 1000);
      try {
        const { position } = await call(IngestService.method.getLogPosition, { namespace }, abort.signal);
        if (position) await call(QueryService.method.waitForPosition, { position }, abort.signal);
        if (!abort.signal.aborted) set(Date.now() - begun);
      } catch {
        // A server that does not answer is told of by the bar, and a reader may not ask how far the log is.
        if (!abort.signal.aborted) set(undefined);
      } finally {
        clearInterval(grows);
        if (!abort.signal.aborted) timer = setTimeout(ask, ASK_MILLIS);
      }
    };
    void ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [namespace, asked]);
  return lag;
}

/** Returns a value as it was at most so many milliseconds ago. */
export function usePaced<T>(value: T, millis: number): T {
  const [paced, set] = useState(value);
  const latest = useRef(value);
  latest.current = value;
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    if (timer.current !== undefined || Object.is(value, paced)) return;
    timer.current = setTimeout(() => {
      timer.current = undefined;
      set(latest.current);
    }, millis);
  }, [value, paced]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return paced;
}
