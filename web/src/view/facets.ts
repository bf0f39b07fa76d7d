/** Facets of a filter: histograms of numbers, and the terms that a bin, a stretch of bins or a value stands for. */

import { chips, quotedKey, quotedValue, tokens, withTerm } from "./filter.ts";
import { shortNumber, wholeNumber } from "./numbers.ts";

/** Numbers from `low` to before `high`; the last bin of a histogram has `high`, too. */
export interface Bin {
  low: number;
  high: number;
  runs: number;
}

/** Returns a key as a filter names it. */
export function fieldOf(kind: string, key: string): string {
  return `${kind}.${quotedKey(key)}`;
}

/** Returns heights of bars from 0 to 1; a bin that has a run is always seen. */
export function heights(bins: readonly Bin[]): number[] {
  const most = Math.max(1, ...bins.map((bin) => bin.runs));
  return bins.map((bin) => (bin.runs === 0 ? 0 : Math.max(0.04, bin.runs / most)));
}

/** Returns the term of the numbers from one bin to another of the same histogram: what it finds are their runs. */
export function rangeTerm(field: string, bins: readonly Bin[], from: number, to: number): string {
  const [first, last] = [bins[Math.min(from, to)]!, bins[Math.max(from, to)]!];
  const [low, high] = [wholeNumber(first.low), wholeNumber(last.high)];
  if (first.low === last.high) return `${field} = ${low}`;
  if (Math.max(from, to) === bins.length - 1) return `${field} BETWEEN ${low} AND ${high}`;
  return `${field} >= ${low} AND ${field} < ${high}`;
}

/** Returns the term of a value; numbers that params are written as are compared as such. */
export function valueTerm(field: string, value: string, text: boolean): string {
  return `${field} = ${text ? `'${value.replaceAll("'", "''")}'` : quotedValue(value)}`;
}

/** Returns the filter with a term in the place of what it says of the same field by comparisons with a number. */
export function withRange(filter: string, field: string, term: string): string {
  const left = chips(filter).filter((chip) => !comparesNumber(chip.text, field)).map((chip) => chip.text);
  return withTerm(left.join(" AND "), term);
}

function comparesNumber(term: string, field: string): boolean {
  const [name, sign, ...rest] = tokens(term);
  if (name?.text !== field) return false;
  if (sign?.kind === "sign") return rest.length === 1 && rest[0]!.kind === "number";
  return sign?.text.toUpperCase() === "BETWEEN";
}

/** Returns what a bin says when it is pointed at. */
export function binWords(bin: Bin, isLast: boolean): string {
  const runs = `${bin.runs} ${bin.runs === 1 ? "run" : "runs"}`;
  if (bin.low === bin.high) return `${shortNumber(bin.low)}: ${runs}`;
  return `${shortNumber(bin.low)} to ${isLast ? "" : "below "}${shortNumber(bin.high)}: ${runs}`;
}
