/** Runs of a search, page by page as the table is scrolled. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { Run } from "../../contract/fleetlog/v1/run_pb.ts";
import { asFailure, type Failure } from "../api/failure.ts";
import { type Question, readPage } from "../api/reads.ts";
import type { Changing } from "./changing.tsx";

/** Runs that are known so far. */
export interface Runs {
  runs: Run[];
  /** Runs that match; undefined until the first page is there. */
  total: number | undefined;
  /** Question that the runs answer; undefined before the first answer. */
  answered: Question | undefined;
  /** Milliseconds that the first page took. */
  took: number;
  loading: boolean;
  failure: Failure | undefined;
  /** Reads the next page, if there is one and none is on its way. */
  more: () => void;
  retry: () => void;
  /** Puts runs in the place of those that are shown. */
  replace: (runs: readonly Run[]) => void;
}

const NONE = {
  runs: [] as Run[],
  total: undefined as number | undefined,
  answered: undefined as Question | undefined,
  took: 0,
};

/** Reads the runs of a question. While the first page of a new one is on its way the old rows stay. */
export function useRuns(
  question: Question | undefined,
  mask: string[],
  summaries: boolean,
  /** Changes that were made here: what is read behind one holds it. */
  changing: Pick<Changing, "atLeast" | "count">,
): Runs {
  const [state, set] = useState({ ...NONE, loading: true, failure: undefined as Failure | undefined });
  const [tries, setTries] = useState(0);
  const token = useRef("");
  const abort = useRef<AbortController>(undefined);
  const key = JSON.stringify([question, mask, summaries]);

  const read = (first: boolean) => {
    if (!question) return;
    const current = new AbortController();
    abort.current = current;
    const begun = performance.now();
    set((before) => ({ ...before, loading: true }));
    readPage(question, mask, summaries, first ? "" : token.current, changing.atLeast, current.signal).then(
      (page) => {
        if (current.signal.aborted) return;
        token.current = page.nextPageToken;
        set((before) => ({
          runs: first ? page.runs : [...before.runs, ...page.runs],
          total: first ? Number(page.totalCount ?? page.runs.length) : before.total,
          answered: question,
          took: first ? performance.now() - begun : before.took,
          loading: false,
          failure: undefined,
        }));
      },
      (error) => {
        if (current.signal.aborted) return;
        const failure = asFailure(error);
        set((before) => ({ ...before, loading: false, failure }));
        if (failure.code === "unavailable") {
          setTimeout(() => current.signal.aborted || setTries((count) => count + 1), 2000);
        }
      },
    );
  };

  useEffect(() => {
    token.current = "";
    read(true);
    return () => abort.current?.abort();
  }, [key, tries, changing.count]);

  return {
    ...state,
    more: () => {
      if (!state.loading && !state.failure && token.current) read(false);
    },
    retry: () => setTries((count) => count + 1),
    replace: (runs) => {
      const found = new Map(runs.map((run) => [run.runId, run]));
      set((before) => ({ ...before, runs: before.runs.map((each) => found.get(each.runId) ?? each) }));
    },
  };
}
