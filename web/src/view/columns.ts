/** Columns of the table: their names in addresses, what they show of a run, and how they are asked for. */

import { quotedKey } from "./filter.ts";

export const STATISTICS = ["last", "min", "max", "first", "mean", "std", "count"] as const;
export type Statistic = (typeof STATISTICS)[number];

export const ATTRIBUTES = [
  "name",
  "state",
  "start_time",
  "end_time",
  "duration",
  "user",
  "experiment_id",
  "run_id",
] as const;

/** Column of the table. */
export interface Column {
  /** Name in addresses: "state", "params.lr", "metrics.val_loss@min". */
  id: string;
  kind: "attributes" | "params" | "tags" | "metrics";
  key: string;
  /** What is shown of a metric. */
  statistic: Statistic;
}

/** Returns the column of a name; undefined when it is none. */
export function parseColumn(id: string): Column | undefined {
  if ((ATTRIBUTES as readonly string[]).includes(id)) return { id, kind: "attributes", key: id, statistic: "last" };
  const match = /^(params|tags|metrics)\.(.+)$/s.exec(id);
  if (!match) return undefined;
  const [, kind, rest] = match;
  if (kind !== "metrics") return { id, kind: kind as Column["kind"], key: rest!, statistic: "last" };
  const at = rest!.lastIndexOf("@");
  const statistic = STATISTICS.find((each) => at > 0 && rest!.slice(at + 1) === each);
  return { id, kind: "metrics", key: statistic ? rest!.slice(0, at) : rest!, statistic: statistic ?? "last" };
}

/** Returns the name of a column of a kind and a key. */
export function columnId(kind: Column["kind"], key: string, statistic: Statistic = "last"): string {
  if (kind === "attributes") return key;
  // A key that ends as a statistic does is told apart by naming the statistic.
  const ambiguous = STATISTICS.some((each) => key.endsWith(`@${each}`));
  return kind === "metrics" && (statistic !== "last" || ambiguous) ? `metrics.${key}@${statistic}` : `${kind}.${key}`;
}

/** Returns what the head of a column says. */
export function columnTitle(column: Column): string {
  const names: Record<string, string> = {
    name: "Run",
    state: "State",
    start_time: "Started",
    end_time: "Ended",
    duration: "Duration",
    user: "User",
    experiment_id: "Experiment",
    run_id: "Run id",
  };
  if (column.kind === "attributes") return names[column.key] ?? column.key;
  return column.key;
}

/** Returns the term of order_by; undefined for a column that no order is of. */
export function orderTerm(column: Column): string | undefined {
  const field = `${column.kind}.${quotedKey(column.key)}`;
  if (column.kind === "attributes") return column.key === "duration" ? "end_time - start_time" : column.key;
  if (column.kind !== "metrics" || column.statistic === "last") return field;
  return column.statistic === "std" ? undefined : `${column.statistic}(${field})`;
}

/** Returns the read mask of columns. The name and the times of a run always come. */
export function readMask(columns: readonly Column[]): string[] {
  const fields = columns.filter((column) => column.kind !== "attributes")
    .map((column) => `${column.kind}.${quotedKey(column.key)}`);
  return ["attributes", ...new Set(fields)];
}

/** True if small values of a metric are good, by its name. */
export function lowerIsBetter(key: string): boolean {
  return /loss|error|err\b|perplexity|ppl|time|latency|rmse|mae\b|mse/i.test(key);
}

const HIGHER = /acc|f1|auc|precision|recall|score|reward|bleu|rouge|map\b|r2\b|throughput|mfu|per_sec/i;

/** Returns whether a difference is good, by the name of its metric; undefined where no name says so, and of none. */
export function isBetter(key: string, difference: number): boolean | undefined {
  if (difference === 0 || Number.isNaN(difference)) return undefined;
  if (lowerIsBetter(key)) return difference < 0;
  return HIGHER.test(key) ? difference > 0 : undefined;
}

/** Classes of differences that are good and bad; those of which nothing is known have none. */
export const GOODNESS: ReadonlyMap<boolean | undefined, string> = new Map([[true, "good"], [false, "bad"]]);

/** Returns widths in pixels: what numbers, times and names need. */
export function columnWidth(column: Column): number {
  if (column.kind === "attributes") {
    const widths: Record<string, number> = { name: 230, state: 92, start_time: 146, end_time: 146, run_id: 250 };
    return widths[column.key] ?? 90;
  }
  return Math.min(180, Math.max(column.kind === "metrics" ? 92 : 84, 28 + 7 * columnTitle(column).length));
}

/** Returns the columns that a table begins with: what most runs have, a few of each kind. */
export function suggestedColumns(keys: readonly { kind: Column["kind"]; key: string; runs: number }[]): string[] {
  const most = (kind: Column["kind"], count: number) =>
    keys.filter((each) => each.kind === kind && !each.key.startsWith("system/") && !each.key.startsWith("mlflow."))
      .toSorted((left, right) => right.runs - left.runs || (left.key < right.key ? -1 : 1))
      .slice(0, count)
      .map((each) => columnId(kind, each.key));
  return ["name", "state", ...most("metrics", 4), ...most("params", 4), "duration", "start_time"];
}

/** Direction in which a table is ordered by a column, if it is. */
export function orderOf(column: Column, orders: readonly string[]): { place: number; descending: boolean } | undefined {
  const term = orderTerm(column);
  const place = orders.findIndex((order) => order.replace(/\s+(asc|desc)$/i, "") === term);
  return place < 0 ? undefined : { place, descending: /\sdesc$/i.test(orders[place]!) };
}

/** Returns the orders after a click on a column's head: ascending, descending, none. `more` keeps the others. */
export function nextOrders(column: Column, orders: readonly string[], more: boolean): string[] {
  const term = orderTerm(column);
  if (term === undefined) return [...orders];
  const now = orderOf(column, orders);
  const next = now === undefined ? [term] : now.descending ? [] : [`${term} DESC`];
  if (!more) return next;
  const kept = orders.filter((_, at) => at !== now?.place);
  if (now && next.length) return orders.map((order, at) => at === now.place ? next[0]! : order);
  return [...kept, ...next].slice(0, 8);
}
