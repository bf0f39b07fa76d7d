/** Moments of a time line: when runs started and ended, and the ways from one to the next. */

/** Life of a run, Unix milliseconds. */
export interface Life {
  start: number;
  end: number | undefined;
}

/** Moment at which something happened. */
export interface Moment {
  millis: number;
  kind: "start" | "end";
}

/** Returns the moments within bounds, the earliest first. */
export function momentsOf(lives: readonly Life[], low: number, high: number): Moment[] {
  const moments: Moment[] = [];
  for (const { start, end } of lives) {
    moments.push({ millis: start, kind: "start" });
    if (end !== undefined) moments.push({ millis: end, kind: "end" });
  }
  return moments.filter((each) => each.millis >= low && each.millis <= high)
    .sort((left, right) => left.millis - right.millis);
}

/** Returns the moment before or after a time; undefined at the ends. What happened in a millisecond is seen in the next. */
export function neighbour(moments: readonly Moment[], at: number, way: 1 | -1): number | undefined {
  const times = moments.map((each) => each.millis + 1);
  return way > 0 ? times.find((time) => time > at) : times.findLast((time) => time < at);
}

const SETTLED_MILLIS = 1000n;

/**
 * Returns the moment, Unix milliseconds, that shows what was after an entry of a list, the latest first: a second after
 * it, or just before the next one. Entries are dated when the server took them, and stand in the log a little later.
 */
export function momentAfter(entries: readonly { timeMillis: bigint }[], at: number): string {
  const { timeMillis } = entries[at]!;
  const next = entries[at - 1]?.timeMillis;
  const settled = timeMillis + SETTLED_MILLIS;
  if (next === undefined || next > settled) return String(settled);
  return String(next - 1n > timeMillis ? next - 1n : timeMillis + 1n);
}
