/** Extremes of buckets: which columns of a chart must be painted so that no spike is lost behind a mean. */

/** Column of pixels: where it is, and from where to where it reaches. */
export interface Extent {
  x: number;
  low: number;
  high: number;
}

/**
 * Returns the columns whose lowest or highest value lies more than `margin` pixels beyond the line. Columns of a
 * pixel that several buckets share are one. `toX` and `toY` give pixels; NaN bounds are passed over. `near` may say of
 * two values that they are within the margin, sooner than `toY` does.
 */
export function extremes(
  curve: { xs: ArrayLike<number>; lines: ArrayLike<number>; mins: ArrayLike<number>; maxs: ArrayLike<number> },
  toX: (x: number) => number,
  toY: (y: number) => number,
  margin = 3,
  near: (low: number, high: number) => boolean = () => false,
): Extent[] {
  const columns: Extent[] = [];
  for (let at = 0; at < curve.xs.length; at++) {
    const min = curve.mins[at]!;
    const max = curve.maxs[at]!;
    if (Number.isNaN(min) || Number.isNaN(max)) continue;
    const mean = curve.lines[at]!;
    // Most buckets: where the lowest and the highest are near each other, what lies between is near both.
    if (mean >= min && mean <= max && near(min, max)) continue;
    const [low, high, line] = [toY(min), toY(max), toY(mean)];
    // A line that is NaN has nothing that could hide behind it.
    const reach = Number.isNaN(line) ? Infinity : Math.max(Math.abs(low - line), Math.abs(high - line));
    if (!(reach > margin)) continue;
    const x = Math.round(toX(curve.xs[at]!));
    const last = columns[columns.length - 1];
    if (last && last.x === x) {
      last.low = Math.max(last.low, low);
      last.high = Math.min(last.high, high);
    } else columns.push({ x, low, high });
  }
  return columns;
}
