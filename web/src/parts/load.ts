/** Loading of what a screen or a card shows: the old stays until the new is there, and only the last asked counts. */

import { useEffect, useRef, useState } from "preact/hooks";
import { asFailure, type Failure } from "../api/failure.ts";

/** State of something that is loaded. */
export interface Loaded<T> {
  value: T | undefined;
  failure: Failure | undefined;
  loading: boolean;
  retry: () => void;
}

const RETRY_MILLIS = 2000;

/** Loads anew when the key changes. An answer to an older key is dropped, and its call broken off. */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, set] = useState<{ value: T | undefined; failure: Failure | undefined; loading: boolean }>({
    value: undefined,
    failure: undefined,
    loading: true,
  });
  const [tries, setTries] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    set((before) => ({ ...before, loading: true }));
    latest.current(abort.signal).then(
      (value) => abort.signal.aborted || set({ value, failure: undefined, loading: false }),
      (error) => {
        if (abort.signal.aborted) return;
        const failure = asFailure(error);
        set((before) => ({ ...before, failure, loading: false }));
        if (failure.code === "unavailable") timer = setTimeout(() => setTries((count) => count + 1), RETRY_MILLIS);
      },
    );
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [key, tries]);
  return { ...state, retry: () => setTries((count) => count + 1) };
}

/** Returns a value once it has rested for some milliseconds. */
export function useRested<T>(value: T, millis: number): T {
  const [rested, set] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => set(value), millis);
    return () => clearTimeout(timer);
  }, [value, millis]);
  return rested;
}
