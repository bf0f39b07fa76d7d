/** Cards beside a table: which metrics they chart, along which axis, smoothed and grouped how. */

import { useMemo, useState } from "preact/hooks";
import type { Key } from "../api/reads.ts";
import { duration, grouped } from "../view/numbers.ts";
import type { View } from "../view/url.ts";
import { ground } from "../state.ts";
import { PALETTES } from "../view/colours.ts";
import { Card, type CardProps } from "./card.tsx";
import { coloured, groupColours } from "./curves.ts";
import { Menu } from "./menu.tsx";

const FIRST_CARDS = 4;
const NO_NAMES: string[] = [];
const LADDER = [
  0,
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  1000,
  2000,
  5000,
  10_000,
  20_000,
  50_000,
  100_000,
  200_000,
  500_000,
  1_000_000,
];

/** Returns the metrics that are charted: those of the view, or those that most runs have. */
export function chartedMetrics(keys: readonly Key[], view: Pick<View, "c">): string[] {
  if (view.c.length > 0) return view.c;
  return keys.filter((each) => each.kind === "metrics" && !each.key.startsWith("system/"))
    .toSorted((left, right) => right.runs - left.runs).slice(0, FIRST_CARDS).map((each) => each.key);
}

/** See the file. */
export function Cards(
  { keys, view, onChange, groupable, ...card }: Omit<CardProps, "metric" | "onRemove" | "names" | "onNames"> & {
    keys: Key[];
    groupable: boolean;
  },
) {
  const metrics = useMemo(
    () => keys.filter((each) => each.kind === "metrics").toSorted((left, right) => right.runs - left.runs),
    [keys],
  );
  const shown = chartedMetrics(keys, view);
  const asked = JSON.stringify(card.together);
  const [told, setTold] = useState({ asked, names: [] as string[] });
  const names = told.asked === asked ? told.names : NO_NAMES;
  const onNames = (more: string[]) =>
    setTold((before) => ({ asked, names: [...new Set([...before.asked === asked ? before.names : [], ...more])] }));
  const legend = card.together
    ? coloured(names, PALETTES[ground.value])
    : card.groupOf && groupColours(card.runs, card.groupOf, PALETTES[ground.value]);
  return (
    <div class="cards">
      <div class="toolbar">
        <AddCard
          metrics={metrics}
          shown={shown}
          onAdd={(key) =>
            onChange({
              c: shown.includes(key) ? shown.filter((each) => each !== key) : [...shown, key],
            })}
        />
        <select
          class="button"
          aria-label="Horizontal axis"
          value={view.x.kind}
          onChange={(event) => onChange({ x: { kind: event.currentTarget.value, log: view.x.log }, s: 0 })}
        >
          <option value="step">Step</option>
          <option value="relative">Relative time</option>
          <option value="time">Time</option>
        </select>
        <Toggle
          name="log x"
          on={view.x.log}
          onToggle={() => onChange({ x: { ...view.x, log: !view.x.log } })}
        />
        <Toggle
          name="log y"
          on={view.y.log}
          onToggle={() => onChange({ y: { ...view.y, log: !view.y.log } })}
        />
        <Smoothing view={view} onChange={onChange} />
        {groupable && <GroupBy keys={keys} view={view} onChange={onChange} />}
        {groupable && view.g.length > 0 && (
          <Toggle
            name="All runs"
            on={view.runs === "all"}
            onToggle={() => onChange({ runs: view.runs === "all" ? "first:20" : "all" })}
          />
        )}
      </div>
      {legend && (
        <ul class="legend" aria-label="Groups">
          {[...legend].map(([name, colour]) => (
            <li key={name}>
              <i class="dot on" style={{ background: colour }} />
              <span>{name}</span>
            </li>
          ))}
        </ul>
      )}
      <div class="card-grid">
        {shown.map((metric) => (
          <Card
            key={metric}
            {...card}
            names={names}
            onNames={onNames}
            view={view}
            onChange={onChange}
            metric={metric}
            onRemove={shown.length > 1 ? () => onChange({ c: shown.filter((each) => each !== metric) }) : undefined}
          />
        ))}
        {shown.length === 0 && (
          <div class="state empty">
            <strong>No metrics</strong>
            <p>These runs logged no metric yet.</p>
          </div>
        )}
      </div>
    </div>
  );
}

function AddCard({ metrics, shown, onAdd }: { metrics: Key[]; shown: string[]; onAdd: (key: string) => void }) {
  return (
    <Menu label="Charts" name="charts" title="choose the metrics that are charted">
      {() => (
        <KeyList
          keys={metrics}
          isOn={(each) => shown.includes(each.key)}
          onToggle={(each) => onAdd(each.key)}
          what="metrics"
        />
      )}
    </Menu>
  );
}

/** Menu of keys by which runs are grouped. */
export function GroupBy(
  { keys, view, onChange }: { keys: Key[]; view: View; onChange: (changes: Partial<View>) => void },
) {
  const offered = keys.filter((each) => each.kind !== "metrics" && !each.key.startsWith("mlflow."));
  return (
    <Menu
      label={view.g.length
        ? `Group: ${view.g.map((each) => each.replace(/^(params|tags)\./, "")).join(", ")}`
        : "Group"}
      name="group"
      right
    >
      {() => (
        <KeyList
          keys={offered}
          isOn={(each) => view.g.includes(`${each.kind}.${each.key}`)}
          onToggle={(each) => {
            const name = `${each.kind}.${each.key}`;
            onChange({
              g: view.g.includes(name) ? view.g.filter((other) => other !== name) : [...view.g, name],
            });
          }}
          what="params and tags"
        />
      )}
    </Menu>
  );
}

function KeyList(
  { keys, isOn, onToggle, what }: {
    keys: Key[];
    isOn: (key: Key) => boolean;
    onToggle: (key: Key) => void;
    what: string;
  },
) {
  const [text, setText] = useState("");
  const found = keys.filter((each) => each.key.toLowerCase().includes(text.toLowerCase()));
  return (
    <div class="chooser">
      <input
        class="field"
        value={text}
        placeholder={`Search ${what}`}
        aria-label={`Search ${what}`}
        autofocus
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <div class="lists">
        <ul>
          {found.slice(0, 200).map((each) => (
            <li key={`${each.kind}.${each.key}`}>
              <label>
                <input type="checkbox" checked={isOn(each)} onChange={() => onToggle(each)} />
                {what !== "metrics" && <i class={`kind ${each.kind.slice(0, -1)}`}>{each.kind[0]}</i>}
                <span>{each.key}</span>
              </label>
              <small>{grouped(each.runs)}</small>
            </li>
          ))}
        </ul>
        {found.length === 0 && <p class="quiet">Nothing has that name.</p>}
      </div>
    </div>
  );
}

function Smoothing({ view, onChange }: { view: View; onChange: (changes: Partial<View>) => void }) {
  const unit = view.x.kind === "step" ? 1 : 1000;
  const at = Math.max(0, LADDER.findLastIndex((each) => each * unit <= view.s));
  const shown = view.s === 0 ? "off" : view.x.kind === "step" ? grouped(view.s) : duration(view.s);
  return (
    <label class="smoothing" title="Smoothing: the distance along the axis over which values are averaged">
      Smooth
      <input
        type="range"
        min={0}
        max={LADDER.length - 1}
        value={at}
        aria-valuetext={shown}
        onInput={(event) => onChange({ s: LADDER[Number(event.currentTarget.value)]! * unit })}
      />
      <output>{shown}</output>
    </label>
  );
}

/** Button that is on or off. */
export function Toggle({ name, on, onToggle }: { name: string; on: boolean; onToggle: () => void }) {
  return <button type="button" class="button" aria-pressed={on} onClick={onToggle}>{name}</button>;
}
