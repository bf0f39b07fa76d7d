/** Tabs of a screen: which is shown is in the address, and digits choose one. */

import { useEffect } from "preact/hooks";
import { change } from "../state.ts";
import { typing } from "../view/typing.ts";

/** See the file. The first tab is the one without a word in the address. */
export function Tabs({ tabs, tab, notes = {} }: {
  tabs: readonly string[];
  tab: string;
  /** Words behind the name of a tab. */
  notes?: Record<string, string>;
}) {
  const show = (next: string) => change({ tab: next === tabs[0] ? "" : next });
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const next = tabs[Number(event.key) - 1];
      if (next && !typing(event)) show(next);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [tabs.join()]);
  return (
    <div class="tabs" role="tablist">
      {tabs.map((each, at) => (
        <button
          type="button"
          role="tab"
          key={each}
          aria-label={each}
          aria-selected={each === tab}
          title={`${at + 1}`}
          onClick={() => show(each)}
        >
          {each}
          {notes[each] && <small>{notes[each]}</small>}
        </button>
      ))}
    </div>
  );
}
