/** Pages of a list: the first at once, the others on demand. */

import { useEffect, useRef, useState } from "preact/hooks";
import { asFailure, type Failure } from "../api/failure.ts";
import type { Page } from "../api/models.ts";

/** Items that are known so far. */
export interface Pages<T> {
  /** Undefined until the first page is there. */
  items: T[] | undefined;
  failure: Failure | undefined;
  /** True if there are more. */
  hasMore: boolean;
  more: () => void;
  retry: () => void;
}

/** Reads a list anew when the key changes; the old one stays until the new one is there. */
export function usePages<T>(key: string, read: (token: string, signal: AbortSignal) => Promise<Page<T>>): Pages<T> {
  const [state, set] = useState<{ items: T[] | undefined; next: string; failure: Failure | undefined }>({
    items: undefined,
    next: "",
    failure: undefined,
  });
  const [tries, setTries] = useState(0);
  const abort = useRef<AbortController>(undefined);
  const take = (token: string) => {
    const current = abort.current!;
    read(token, current.signal).then(
      ({ items, next }) => {
        if (current.signal.aborted) return;
        set((before) => ({ items: token ? [...before.items ?? [], ...items] : items, next, failure: undefined }));
      },
      (error) => current.signal.aborted || set((before) => ({ ...before, failure: asFailure(error) })),
    );
  };
  useEffect(() => {
    abort.current = new AbortController();
    take("");
    return () => abort.current?.abort();
  }, [key, tries]);
  return {
    items: state.items,
    failure: state.failure,
    hasMore: state.next !== "",
    more: () => state.next && take(state.next),
    retry: () => setTries((count) => count + 1),
  };
}
