/** Curves of a card: made of series, or of groups of them, smoothed and cut to what an axis can show. Pure. */

import { type Group, type GroupCurve, groupCurve } from "../view/grouping.ts";
import type { Series } from "../view/series.ts";
import { smooth } from "../view/smoothing.ts";

/** Curve as it is drawn. */
export interface Curve {
  /** Run or group. */
  id: string;
  label: string;
  colour: string;
  xs: Float64Array;
  /** Line: values or means, smoothed when that is asked for. */
  line: Float64Array;
  /** Values before smoothing; undefined when the line is them. */
  unsmoothed: Float64Array | undefined;
  /** Bounds of the band and of extremes, which are never smoothed. */
  lows: Float64Array;
  highs: Float64Array;
  /** True if the bounds are of single values, and not of a mean: then what lies beyond the line is painted. */
  ofValues: boolean;
  /** Points or, of groups, runs at each place. */
  counts: Float64Array;
  raw: boolean;
}

/** How curves are made. */
export interface Shape {
  tau: number;
  logX: boolean;
  logY: boolean;
}

/** Curves, and how many values a logarithmic axis could not show. */
export interface Curves {
  curves: Curve[];
  notShown: number;
}

/** Returns a curve for each run. */
export function runCurves(
  series: readonly Series[],
  shape: Shape,
  colourOf: (run: string) => string,
  labelOf: (run: string) => string,
): Curves {
  return cut(
    series.map((each) => {
      const smoothed = shape.tau > 0 ? smooth(each.xs, each.ys, shape.tau) : undefined;
      return {
        id: each.run,
        label: labelOf(each.run),
        colour: colourOf(each.run),
        xs: each.xs,
        line: smoothed ?? each.ys,
        unsmoothed: smoothed && each.ys,
        lows: each.mins,
        highs: each.maxs,
        ofValues: true,
        counts: each.counts,
        raw: each.raw,
      };
    }),
    shape,
  );
}

/** Returns a curve for each group: the mean of its runs, with the bounds of its 95 % confidence interval. */
export function groupCurves(
  series: readonly Series[],
  shape: Shape,
  groupOf: (run: string) => string,
  colourOf: (group: string) => string,
): Curves {
  const groups = new Map<string, Series[]>();
  for (const each of series) {
    const group = groupOf(each.run);
    groups.set(group, [...(groups.get(group) ?? []), each]);
  }
  return cut(
    [...groups].map(([group, members]) =>
      curveOf(group, groupCurve(members), shape, colourOf, members.every((each) => each.raw))
    ),
    shape,
  );
}

/** Returns a curve for each group that the server put together. */
export function knownCurves(groups: readonly Group[], shape: Shape, colourOf: (group: string) => string): Curves {
  return cut(groups.map((each) => curveOf(each.name, each.curve, shape, colourOf, false)), shape);
}

function curveOf(
  group: string,
  curve: GroupCurve,
  shape: Shape,
  colourOf: (group: string) => string,
  raw: boolean,
): Curve {
  const smoothed = shape.tau > 0 ? smooth(curve.xs, curve.means, shape.tau) : undefined;
  return {
    id: group,
    label: group,
    colour: colourOf(group),
    xs: curve.xs,
    line: smoothed ?? curve.means,
    unsmoothed: smoothed && curve.means,
    lows: curve.lows,
    highs: curve.highs,
    ofValues: false,
    counts: curve.counts,
    raw,
  };
}

// A logarithmic axis has no place for zero and below.
function cut(curves: Curve[], shape: Shape): Curves {
  if (!shape.logX && !shape.logY) return { curves, notShown: 0 };
  let notShown = 0;
  const shown = curves.map((curve) => {
    let first = 0;
    // They ascend.
    while (shape.logX && first < curve.xs.length && !(curve.xs[first]! > 0)) first++;
    notShown += first;
    const pick = (from: Float64Array) => first ? from.subarray(first) : from;
    const above = (from: Float64Array) => shape.logY ? positive(pick(from)) : pick(from);
    const line = pick(curve.line);
    if (shape.logY) { for (let at = 0; at < line.length; at++) if (line[at]! <= 0) notShown++; }
    return {
      ...curve,
      xs: pick(curve.xs),
      line: above(curve.line),
      unsmoothed: curve.unsmoothed && above(curve.unsmoothed),
      lows: above(curve.lows),
      highs: above(curve.highs),
      counts: pick(curve.counts),
    };
  });
  return { curves: shown, notShown };
}

// NaN where there is none; the same array where all are.
function positive(values: Float64Array): Float64Array {
  let out: Float64Array | undefined;
  for (let at = 0; at < values.length; at++) {
    if (values[at]! > 0) continue;
    out ??= values.slice();
    out[at] = NaN;
  }
  return out ?? values;
}

/** Returns the colour of each group of some runs: by their names, so that it stays when others come. */
export function groupColours(
  runs: readonly string[],
  groupOf: (run: string) => string,
  palette: readonly string[],
): Map<string, string> {
  return coloured(runs.map(groupOf), palette);
}

/** Returns the colour of each of some groups. */
export function coloured(names: readonly string[], palette: readonly string[]): Map<string, string> {
  return new Map([...new Set(names)].sort().map((name, at) => [name, palette[at % palette.length]!]));
}

/** Returns the place in a curve that is nearest to an x; -1 of an empty one. */
export function nearest(xs: Float64Array, x: number): number {
  let [low, high] = [0, xs.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle]! < x) low = middle + 1;
    else high = middle;
  }
  return low > 0 && x - xs[low - 1]! <= xs[low]! - x ? low - 1 : xs.length ? low : -1;
}
