/** Form of what is good: objectives with their directions, how they become one order, and groups of runs. */

import { useEffect, useState } from "preact/hooks";
import type { Key } from "../api/reads.ts";
import { quotedKey } from "../view/filter.ts";
import { formatObjective, type Objective } from "../view/objectives.ts";
import { GROUP_STATISTICS, MODES, type View } from "../view/url.ts";
import { GroupBy } from "./cards.tsx";

const MOST = 8;
const MODE_WORDS = { lexicographic: "the first decides", weighted: "weighted mean", pareto: "Pareto fronts" };

/** See the file. */
export function Objectives({ objectives, keys, view, onChange }: {
  objectives: Objective[];
  keys: Key[];
  view: View;
  onChange: (changes: Partial<View>) => void;
}) {
  const set = (next: Objective[]) => onChange({ o: next.map(formatObjective) });
  const replace = (at: number, changes: Partial<Objective>) =>
    set(objectives.map((each, place) => (place === at ? { ...each, ...changes } : each)));
  const metrics = keys.filter((each) => each.kind === "metrics").toSorted((left, right) => right.runs - left.runs);
  const names = metrics.map((each) => `metrics.${quotedKey(each.key)}`);
  const grouped = view.g.length > 0;
  return (
    <form class="objectives" onSubmit={(event) => event.preventDefault()}>
      <h3>What is good</h3>
      <datalist id="numbers">
        {names.flatMap((name) => [name, `min(${name})`, `max(${name})`]).slice(0, 600).map((each) => (
          <option key={each} value={each} />
        ))}
      </datalist>
      {objectives.map((each, at) => (
        <div class="objective" key={at} data-objective={at}>
          <Value
            value={each.value}
            label={`objective ${at + 1}`}
            onValue={(value) => replace(at, { value })}
          />
          <select
            class="button"
            aria-label={`direction of objective ${at + 1}`}
            value={each.maximize ? "large" : "small"}
            onChange={(event) => replace(at, { maximize: event.currentTarget.value === "large" })}
          >
            <option value="small">small</option>
            <option value="large">large</option>
          </select>
          {view.mode === "weighted" && objectives.length > 1 && (
            <input
              class="field weight"
              type="number"
              min="0.01"
              step="any"
              aria-label={`weight of objective ${at + 1}`}
              value={each.weight}
              onChange={(event) => replace(at, { weight: Math.max(0.01, Number(event.currentTarget.value) || 1) })}
            />
          )}
          <button
            type="button"
            class="plain"
            aria-label={`remove objective ${at + 1}`}
            disabled={objectives.length < 2}
            onClick={() => set(objectives.filter((_, place) => place !== at))}
          >
            ✕
          </button>
        </div>
      ))}
      <button
        type="button"
        class="plain"
        disabled={objectives.length >= MOST || names.length === 0}
        onClick={() => {
          const taken = objectives.map((each) => each.value);
          const next = names.find((name) => !taken.includes(name)) ?? names[0]!;
          const more = [...objectives, { value: next, maximize: false, weight: 1 }];
          onChange({ o: more.map(formatObjective), ...(objectives.length === 1 ? { mode: "pareto" } : {}) });
        }}
      >
        + objective
      </button>
      {objectives.length > 1 && (
        <label class="labelled">
          <span>Order of several</span>
          <select
            class="button"
            value={view.mode}
            onChange={(event) =>
              onChange({ mode: MODES.find((mode) => mode === event.currentTarget.value) ?? "lexicographic" })}
          >
            {MODES.map((mode) => <option key={mode} value={mode}>{MODE_WORDS[mode]}</option>)}
          </select>
        </label>
      )}
      <h3>Groups</h3>
      <GroupBy keys={keys} view={view} onChange={onChange} />
      {grouped && (
        <>
          <label class="labelled">
            <span>Runs of a group at least</span>
            <input
              class="field"
              type="number"
              min={1}
              value={view.least}
              onChange={(event) => onChange({ least: whole(event.currentTarget.value, 1, 1_000_000) })}
            />
          </label>
          <label class="labelled">
            <span>What stands for a group</span>
            <select
              class="button"
              value={view.stat}
              onChange={(event) =>
                onChange({ stat: GROUP_STATISTICS.find((each) => each === event.currentTarget.value) ?? "mean" })}
            >
              {GROUP_STATISTICS.map((each) => <option key={each} value={each}>{each}</option>)}
            </select>
          </label>
          <label class="labelled">
            <span>Confidence of intervals</span>
            <select
              class="button"
              value={view.conf}
              onChange={(event) => onChange({ conf: Number(event.currentTarget.value) })}
            >
              {[...new Set([80, 90, 95, 98, 99, view.conf])].map((each) => (
                <option key={each} value={each}>{each} %</option>
              ))}
            </select>
          </label>
        </>
      )}
      <label class="labelled">
        <span>{grouped ? "Groups" : "Runs"} to keep</span>
        <input
          class="field"
          type="number"
          min={1}
          max={1000}
          value={view.top}
          onChange={(event) => onChange({ top: whole(event.currentTarget.value, 50, 1000) })}
        />
      </label>
    </form>
  );
}

function Value({ value, label, onValue }: { value: string; label: string; onValue: (value: string) => void }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return (
    <input
      class="field"
      list="numbers"
      spellcheck={false}
      aria-label={label}
      value={text}
      onInput={(event) => setText(event.currentTarget.value)}
      onChange={() => (text.trim() ? onValue(text.trim()) : setText(value))}
      onKeyDown={(event) => event.key === "Enter" && text.trim() && onValue(text.trim())}
    />
  );
}

function whole(text: string, otherwise: number, most: number): number {
  const number = Math.round(Number(text));
  return number >= 1 ? Math.min(number, most) : otherwise;
}
