/** Scales of a chart: what they reach, and which pixel a value is at. Asked of every value of every curve. */

/** What a scale has to hold of a curve. */
export interface Reach {
  line: Float64Array;
  lows: Float64Array;
  highs: Float64Array;
}

const MARGIN = 0.06;
const LOG = 3;

/** Returns the lowest and the highest of all values that are painted, with a margin: an extreme is within the picture. */
export function boundsOf(curves: readonly Reach[], log: boolean): [number, number] {
  let [bottom, top] = [Infinity, -Infinity];
  const take = (values: Float64Array) => {
    for (let at = 0; at < values.length; at++) {
      const value = values[at]!;
      // NaN is neither.
      if (value < bottom && (log ? value > 0 : value > -Infinity)) bottom = value;
      if (value > top && value < Infinity) top = value;
    }
  };
  for (const { lows, highs, line } of curves) {
    take(lows);
    if (highs !== lows) take(highs);
    if (line !== lows) take(line);
  }
  if (!(bottom <= top) || (log && !(top > 0))) return log ? [0.1, 1] : [0, 1];
  if (log) return bottom === top ? [bottom / 2, top * 2] : [bottom / 1.05, top * 1.05];
  const margin = bottom === top ? Math.abs(bottom) * 0.1 || 1 : (top - bottom) * MARGIN;
  return [bottom - margin, top + margin];
}

/** Returns the lowest of all lows and the highest of all highs; infinities of curves without a number. */
export function extentOf(curves: readonly Reach[]): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const { lows, highs } of curves) {
    for (let at = 0; at < lows.length; at++) if (lows[at]! < low) low = lows[at]!;
    for (let at = 0; at < highs.length; at++) if (highs[at]! > high) high = highs[at]!;
  }
  return [low, high];
}

/** Returns whether two values are at most so many pixels apart on a scale, without asking where either of them is. */
export function nearOn(
  scale: { min?: number; max?: number; distr?: number },
  pixels: number,
  margin: number,
): (low: number, high: number) => boolean {
  const [min, max, share] = [scale.min ?? 0, scale.max ?? 1, margin / pixels];
  if (scale.distr === LOG) {
    const times = (max / min) ** share;
    return (low, high) => high <= low * times;
  }
  const apart = (max - min) * share;
  return (low, high) => high - low <= apart;
}

/** Returns the function from values to pixels of a scale that reaches from one pixel to another. */
export function pixelsOf(
  scale: { min?: number; max?: number; distr?: number },
  from: number,
  to: number,
): (value: number) => number {
  const at = scale.distr === LOG ? Math.log10 : (value: number) => value;
  const low = at(scale.min ?? 0);
  const pixels = (to - from) / ((at(scale.max ?? 1) - low) || 1);
  return (value) => from + (at(value) - low) * pixels;
}
