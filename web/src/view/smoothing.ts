/**
 * Smoothing by an exponential mean over the axis, not over the count of points, and without the bias of its beginning:
 * s ← d·s + (1−d)·y and w ← d·w + (1−d) with d = exp(−Δx/τ), shown is s/w. The same curve smooths alike at any density.
 */

/** Returns the smoothed values; where a value is NaN, NaN, and the mean goes on behind it. τ ≤ 0 changes nothing. */
export function smooth(xs: ArrayLike<number>, ys: ArrayLike<number>, tau: number): Float64Array {
  const out = Float64Array.from(ys);
  if (!(tau > 0)) return out;
  let sum = 0;
  let weight = 0;
  let before = NaN;
  // The first value counts as if one as far away as the next had come before it.
  let share = 1 - Math.exp(-firstGap(xs, ys) / tau);
  for (let at = 0; at < ys.length; at++) {
    const y = ys[at]!;
    if (!Number.isFinite(y)) continue;
    const gap = xs[at]! - before;
    const decay = gap > 0 ? Math.exp(-gap / tau) : 1;
    // Of several values at one place each counts as the first of them.
    if (gap > 0) share = 1 - decay;
    sum = decay * sum + share * y;
    weight = decay * weight + share;
    before = xs[at]!;
    out[at] = sum / weight;
  }
  return out;
}

function firstGap(xs: ArrayLike<number>, ys: ArrayLike<number>): number {
  let first = NaN;
  for (let at = 0; at < ys.length; at++) {
    if (!Number.isFinite(ys[at]!)) continue;
    if (xs[at]! > first) return xs[at]! - first;
    if (Number.isNaN(first)) first = xs[at]!;
  }
  return 1;
}
