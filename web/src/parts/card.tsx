/** Card: the curves of one metric, read when it is in sight, at the width that it has. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type GroupsQuestion, readCurves, readGroups } from "../api/reads.ts";
import { ground } from "../state.ts";
import { PALETTES } from "../view/colours.ts";
import type { Group } from "../view/grouping.ts";
import { grouped } from "../view/numbers.ts";
import type { Series } from "../view/series.ts";
import type { View } from "../view/url.ts";
import { coloured, groupColours, groupCurves, knownCurves, runCurves } from "./curves.ts";
import { usePaced } from "./live.ts";
import { useLoad } from "./load.ts";
import { Plot } from "./plot.tsx";
import { Failed } from "./states.tsx";

const HEIGHT = 210;
const PACE_MILLIS = 1000;

/** What a card is given. */
export interface CardProps {
  namespace: string;
  metric: string;
  runs: string[];
  labelOf: (run: string) => string;
  colourOf: (run: string) => string;
  /** Group of a run; undefined when curves are single. */
  groupOf: ((run: string) => string) | undefined;
  /** Groups whose curves the server puts together, of all runs that match; undefined = of the visible runs. */
  together: GroupsQuestion | undefined;
  /** Names of all groups that cards have told of, by which they get their colours. */
  names: readonly string[];
  onNames: (names: string[]) => void;
  view: View;
  lifted: string;
  onLift: (run: string) => void;
  onPick: (run: string) => void;
  onChange: (changes: Partial<View>) => void;
  onRemove: (() => void) | undefined;
  /** Tells, by a text that changes, that what was read of a metric is out of date. */
  versionOf?: (metric: string) => string;
  perRank?: boolean;
}

/** What a card has read: series of runs, or groups that the server put together. */
interface Drawn {
  series: Series[];
  groups?: Group[];
  /** Runs that are in none of the groups. */
  leftOut: number;
}

/** See the file. */
export function Card(props: CardProps) {
  const { view, runs } = props;
  const root = useRef<HTMLElement>(null);
  const [width, setWidth] = useState(0);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const element = root.current!;
    const sizes = new ResizeObserver(() => setWidth(Math.min(1000, Math.ceil(element.clientWidth / 50) * 50)));
    sizes.observe(element);
    // One screen ahead.
    const sights = new IntersectionObserver(([entry]) => entry?.isIntersecting && setSeen(true), {
      rootMargin: "100%",
    });
    sights.observe(element);
    return () => {
      sizes.disconnect();
      sights.disconnect();
    };
  }, []);
  // While points come, what is read ends before it is read anew.
  const version = useRef("");
  const told = usePaced(props.versionOf?.(props.metric) ?? "", PACE_MILLIS);
  const busy = useRef(false);
  if (!busy.current) version.current = told;
  const ready = seen && width > 0;
  const { together } = props;
  const key = JSON.stringify([
    props.namespace,
    together ?? runs,
    props.metric,
    view.x.kind,
    view.x.range,
    view.asof,
    ready && width,
    version.current,
    props.perRank,
  ]);
  const { value, failure, loading, retry } = useLoad(key, async (signal): Promise<Drawn | undefined> => {
    if (!ready) return undefined;
    const curve = { key: props.metric, axis: view.x.kind, range: view.x.range, buckets: width };
    if (together) return { series: [], ...(await readGroups(together, curve, signal)) };
    const { namespace, perRank = false } = props;
    return { series: await readCurves({ namespace, runs, perRank, asof: view.asof, ...curve }, signal), leftOut: 0 };
  });
  const groupNames = value?.groups?.map((each) => each.name).join("\0") ?? "";
  useEffect(() => {
    if (value?.groups) props.onNames(value.groups.map((each) => each.name));
  }, [groupNames]);
  busy.current = loading;
  const order = runs.join();
  const { curves, notShown } = useMemo(() => {
    const shape = { tau: view.s, logX: view.x.log, logY: view.y.log };
    const rank = new Map(runs.map((run, at) => [run, at]));
    if (value?.groups) {
      const colours = coloured([...props.names, ...value.groups.map((each) => each.name)], PALETTES[ground.value]);
      return knownCurves(value.groups, shape, (group) => colours.get(group)!);
    }
    const ordered = (value?.series ?? []).toSorted((left, right) =>
      (rank.get(left.run) ?? 0) - (rank.get(right.run) ?? 0)
    );
    if (!props.groupOf) return runCurves(ordered, shape, props.colourOf, props.labelOf);
    const colours = groupColours(runs, props.groupOf, PALETTES[ground.value]);
    return groupCurves(ordered, shape, props.groupOf, (group) => colours.get(group)!);
  }, [value, view.s, view.x.log, view.y.log, view.g.join("\0"), order, ground.value, props.names]);
  const grouping = props.groupOf !== undefined || together !== undefined;
  const raw = curves.length > 0 && curves.every((curve) => curve.raw);
  const state = failure
    ? "failed"
    : !ready || (loading && !value)
    ? "loading"
    : loading
    ? "stale"
    : curves.length
    ? "ready"
    : "empty";
  return (
    <section
      class={`card ${state}`}
      ref={root}
      data-metric={props.metric}
      data-state={state}
      data-not-shown={notShown}
    >
      <header>
        <h3 title={props.metric}>{props.metric}</h3>
        <span class="quiet notes">
          {notShown > 0 && <span>{grouped(notShown)} not shown</span>}
          {raw && <span>raw</span>}
          {value?.groups && (
            <span data-grouped-runs={value.groups.reduce((sum, each) => sum + each.runs, 0)}>
              {grouped(value.groups.reduce((sum, each) => sum + each.runs, 0))} runs
              {value.leftOut > 0 && `, ${grouped(value.leftOut)} in other groups`}
            </span>
          )}
          {curves.length > 0 && (
            <span>
              {curves.length} {grouping ? "groups" : curves.length === 1 ? "curve" : "curves"}
            </span>
          )}
        </span>
        {view.x.range && (
          <button
            type="button"
            class="plain"
            onClick={() => props.onChange({ x: { kind: view.x.kind, log: view.x.log } })}
          >
            undo zoom
          </button>
        )}
        {props.onRemove && (
          <button type="button" class="plain" aria-label={`remove ${props.metric}`} onClick={props.onRemove}>
            ✕
          </button>
        )}
      </header>
      {failure ? <Failed failure={failure} retry={retry} /> : state === "empty"
        ? (
          <div class="state empty">
            <p>
              {runs.length === 0 && !together
                ? "No run is visible: show some in the table."
                : "None of the visible runs has points of this metric here."}
            </p>
          </div>
        )
        : value
        ? (
          <Plot
            title={props.metric}
            curves={curves}
            x={{ kind: view.x.kind, log: view.x.log, range: view.x.range }}
            logY={view.y.log}
            ground={ground.value}
            height={HEIGHT}
            lifted={grouping ? "" : props.lifted}
            onLift={grouping ? () => {} : props.onLift}
            onPick={grouping ? () => {} : props.onPick}
            onZoom={(range) =>
              props.onChange({
                x: range ? { ...view.x, range: rounded(range, view.x.kind) } : { kind: view.x.kind, log: view.x.log },
              })}
          />
        )
        : <div class="plot-bone" />}
    </section>
  );
}

function rounded([low, high]: [number, number], kind: string): [number, number] {
  const [from, to] = [Math.floor(low), Math.ceil(high)];
  return kind === "step" && to - from < 1 ? [from, from + 1] : [from, to];
}
