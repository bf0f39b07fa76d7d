/** Groups of curves on shared bucket borders: a mean with its spread, and of how many runs it is. */

import type { Series } from "./series.ts";

/** Mean curve of the runs of a group. */
export interface GroupCurve {
  xs: Float64Array;
  /** Mean of the runs' means. */
  means: Float64Array;
  /** Sample standard deviation of the runs' means; NaN for one run. */
  stds: Float64Array;
  /** Bounds of the mean's 95 % confidence interval by Student's t; NaN for one run. */
  lows: Float64Array;
  highs: Float64Array;
  /** Lowest and highest value of any run. */
  mins: Float64Array;
  maxs: Float64Array;
  /** Runs that have a number there. */
  counts: Float64Array;
}

/** Group of runs with its curve. */
export interface Group {
  name: string;
  runs: number;
  curve: GroupCurve;
}

/** Returns the curve of a group whose means and deviations are known, with the bounds of its confidence interval. */
export function curveOfGroup(known: Omit<GroupCurve, "lows" | "highs">): GroupCurve {
  const reach = known.stds.map((std, at) => studentT95(known.counts[at]! - 1) * std / Math.sqrt(known.counts[at]!));
  return {
    ...known,
    lows: known.means.map((mean, at) => mean - reach[at]!),
    highs: known.means.map((mean, at) => mean + reach[at]!),
  };
}

/** Returns the curve of a group. A run counts where it has a number, and nowhere else: nothing is interpolated. */
export function groupCurve(series: readonly Series[]): GroupCurve {
  const places = new Map<number, { values: number[]; min: number; max: number }>();
  for (const each of series) {
    for (let at = 0; at < each.xs.length; at++) {
      const y = each.ys[at]!;
      if (Number.isNaN(y)) continue;
      let place = places.get(each.xs[at]!);
      if (!place) places.set(each.xs[at]!, place = { values: [], min: Infinity, max: -Infinity });
      place.values.push(y);
      place.min = Math.min(place.min, each.mins[at]!);
      place.max = Math.max(place.max, each.maxs[at]!);
    }
  }
  const xs = Float64Array.from(places.keys()).sort();
  const column = () => new Float64Array(xs.length);
  const known = { xs, means: column(), stds: column(), mins: column(), maxs: column(), counts: column() };
  xs.forEach((x, at) => {
    const { values, min, max } = places.get(x)!;
    const { mean, std } = meanAndStd(values);
    known.means[at] = mean;
    known.stds[at] = std;
    known.mins[at] = min;
    known.maxs[at] = max;
    known.counts[at] = values.length;
  });
  return curveOfGroup(known);
}

/** Returns the arithmetic mean and the sample standard deviation, NaN for one value. */
export function meanAndStd(values: readonly number[]): { mean: number; std: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (values.length < 2) return { mean, std: NaN };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: Math.sqrt(squares / (values.length - 1)) };
}

// Two-sided 95 % quantiles for 1 to 30 degrees of freedom.
// deno-fmt-ignore
const T95 = [
  12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788, 2.1604, 2.1448, 2.1314,
  2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
];

/** Returns the two-sided 95 % quantile of Student's t; NaN without a degree of freedom. */
export function studentT95(freedom: number): number {
  if (!(freedom >= 1)) return NaN;
  if (freedom <= T95.length) return T95[freedom - 1]!;
  // Expansion by Cornish and Fisher around the normal quantile: exact to four digits from 30 on.
  const z = 1.959964;
  return z + (z ** 3 + z) / (4 * freedom) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2);
}
