/** Series as charts hold them, made of the columns that ReadMetric sends. */

/** One curve: what a metric of a run was, point by point or bucket by bucket, along x. */
export interface Series {
  run: string;
  key: string;
  /** Steps, or milliseconds: of the point, or the lowest that the bucket covers. */
  xs: Float64Array;
  /** Values, or means of buckets. */
  ys: Float64Array;
  mins: Float64Array;
  maxs: Float64Array;
  /** Points of each bucket; 1 of points. */
  counts: Float64Array;
  /** True if these are points as they were logged. */
  raw: boolean;
}

/** Returns float64 values of little-endian bytes. */
export function float64s(bytes: Uint8Array): Float64Array {
  // A view needs a multiple of eight as its place, which a message does not keep to.
  return new Float64Array(bytes.slice().buffer);
}

/** Returns int64 values of little-endian bytes as doubles: exact to 2^53. */
export function int64s(bytes: Uint8Array): Float64Array {
  return Float64Array.from(new BigInt64Array(bytes.slice().buffer), Number);
}

/** Returns the series of one run and key, of parts that follow one another. */
export function joined(parts: readonly Series[]): Series {
  const first = parts[0]!;
  if (parts.length === 1) return first;
  const all = (pick: (part: Series) => Float64Array) => {
    const out = new Float64Array(parts.reduce((sum, part) => sum + part.xs.length, 0));
    let at = 0;
    for (const part of parts) {
      out.set(pick(part), at);
      at += part.xs.length;
    }
    return out;
  };
  return {
    ...first,
    xs: all((part) => part.xs),
    ys: all((part) => part.ys),
    mins: all((part) => part.mins),
    maxs: all((part) => part.maxs),
    counts: all((part) => part.counts),
  };
}

/** True if no bucket holds more than one point: then the points themselves are as few. */
export function onePointEach(series: readonly Series[]): boolean {
  return series.every((each) => each.counts.every((count) => count <= 1));
}

/** Returns every x of some series once, ascending. */
export function unionOfXs(series: readonly { xs: Float64Array }[]): Float64Array {
  const only = series[0]?.xs;
  // Buckets of one read stand at the same places.
  if (only && strictlyAscending(only) && series.every((each) => alike(each.xs, only))) return only;
  const all = new Float64Array(series.reduce((sum, each) => sum + each.xs.length, 0));
  let end = 0;
  for (const each of series) {
    all.set(each.xs, end);
    end += each.xs.length;
  }
  all.sort();
  let count = 0;
  for (let at = 0; at < all.length; at++) if (at === 0 || all[at] !== all[at - 1]) all[count++] = all[at]!;
  return all.subarray(0, count);
}

/**
 * Returns the values of a series at the places of the union: a number where it has one, null where that is NaN, which
 * breaks the line, and undefined where it has none, which does not. Of several at one x the last is taken.
 */
export function placed(union: Float64Array, xs: Float64Array, ys: Float64Array): (number | null | undefined)[] {
  const out = new Array<number | null | undefined>(union.length).fill(undefined);
  let at = 0;
  for (let place = 0; place < union.length; place++) {
    while (at < xs.length && xs[at]! < union[place]!) at++;
    for (; at < xs.length && xs[at] === union[place]; at++) out[place] = Number.isNaN(ys[at]!) ? null : ys[at]!;
  }
  return out;
}

function alike(one: Float64Array, other: Float64Array): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}

function strictlyAscending(xs: Float64Array): boolean {
  for (let at = 1; at < xs.length; at++) if (!(xs[at]! > xs[at - 1]!)) return false;
  return true;
}
