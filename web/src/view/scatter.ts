/** Geometry of a scatter plot: bounds, ticks, and the line that a first front draws. Pure numbers. */

import { logTicks } from "./ticks.ts";

/** Point of two numbers. */
export interface Place {
  x: number;
  y: number;
}

/** Returns the lowest and highest finite value with some room around them; undefined where there is none. */
export function boundsOf(values: readonly number[]): [number, number] | undefined {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return undefined;
  const low = finite.reduce((left, right) => Math.min(left, right));
  const high = finite.reduce((left, right) => Math.max(left, right));
  const room = (high - low) * 0.06 || Math.abs(high) * 0.06 || 1;
  return [low - room, high + room];
}

/** Scale of an axis: where a value stands between 0 and 1, and what is written beside it. */
export interface Scale {
  place: (value: number) => number;
  ticks: number[];
  /** Distance between ticks; 0 on a logarithmic scale. */
  distance: number;
}

/**
 * Returns the scale over some values, of those that have a place on it; undefined where none has. Ends of whiskers widen it,
 * but by no more than half of what the values span: one wide interval must not press all points together.
 */
export function scaleOf(
  values: readonly number[],
  whiskers: readonly number[],
  log: boolean,
  wanted: number,
): Scale | undefined {
  const shape = (each: readonly number[]) => (log ? each.filter((value) => value > 0).map(Math.log10) : each);
  const inner = boundsOf(shape(values));
  if (!inner) return undefined;
  const room = (inner[1] - inner[0]) / 2;
  const outer = boundsOf([...shape(values), ...shape(whiskers)])!;
  const low = Math.max(outer[0], inner[0] - room);
  const high = Math.min(outer[1], inner[1] + room);
  const place = (value: number) => ((log ? Math.log10(value) : value) - low) / (high - low);
  return log
    ? { place, ticks: logTicks(10 ** low, 10 ** high), distance: 0 }
    : { place, ...ticksOf(low, high, wanted) };
}

/** Returns round numbers within bounds, about as many as wanted, and the distance between them. */
export function ticksOf(low: number, high: number, wanted: number): { ticks: number[]; distance: number } {
  const rough = (high - low) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const distance = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough) ?? power * 10;
  const ticks: number[] = [];
  for (let at = Math.ceil(low / distance); at * distance <= high; at++) {
    ticks.push(Number((at * distance).toPrecision(12)));
  }
  return { ticks, distance };
}

/**
 * Returns the corners of the border of what a front beats: steps, since nothing is known between two of its points.
 * `up` says for x and y whether large is good.
 */
export function frontLine(front: readonly Place[], up: { x: boolean; y: boolean }): Place[] {
  const good = up.x ? -1 : 1;
  const sorted = front.filter((each) => Number.isFinite(each.x) && Number.isFinite(each.y))
    .toSorted((left, right) => (left.x - right.x) * good || (left.y - right.y) * (up.y ? 1 : -1));
  const corners: Place[] = [];
  for (const [at, place] of sorted.entries()) {
    const before = sorted[at - 1];
    // All that is no better in either than the point before is beaten by it, up to where this one begins.
    if (before) corners.push({ x: place.x, y: before.y });
    corners.push(place);
  }
  return corners;
}
