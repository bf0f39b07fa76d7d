/**
 * View and address: what the query string of an address says, and back. The same address is the same view.
 *
 * Fields stand in one order, defaults are left out, and names that this version does not know are kept as they are.
 */

/** View of a screen. */
export interface View {
  /** Filter. */
  q: string;
  /** Orders, as SearchRuns takes them. */
  o: string[];
  /** Columns of the table; empty = those that the data suggest. */
  cols: string[];
  /** Runs whose curves are drawn: "first:20", "all", "none", or ids with commas. */
  runs: string;
  /** Id of the run that others are compared with. */
  base: string;
  /** Keys that curves are grouped by. */
  g: string[];
  /** Cards, one metric each; empty = those that the data suggest. */
  c: string[];
  /** Horizontal axis. */
  x: Axis;
  /** Vertical axis. */
  y: Axis;
  /** Smoothing, in units of the axis; 0 = none. */
  s: number;
  /** How several objectives of a selection become one order: "lexicographic", "weighted" or "pareto". */
  mode: Mode;
  /** What stands for a group of a selection. */
  stat: Statistic;
  /** Runs that a group of a selection has at least. */
  least: number;
  /** Confidence of intervals, in percent. */
  conf: number;
  /** Groups of a selection at most. */
  top: number;
  /** Unix milliseconds of a past moment, or empty = now. */
  asof: string;
  /** True if cells of a past moment are marked where they are another now. */
  diff: boolean;
  /** True if changes are shown as they come. */
  live: boolean;
  /** True if the runs are shown that are deleted. */
  deleted: boolean;
  /** Tab of a screen that has some. */
  tab: string;
  /** True if a run's history tells of points too. */
  points: boolean;
  /** Names that this version does not know, in their order. */
  rest: [string, string][];
}

export const MODES = ["lexicographic", "weighted", "pareto"] as const;
export type Mode = (typeof MODES)[number];
export const GROUP_STATISTICS = ["mean", "median", "best", "worst"] as const;
export type Statistic = (typeof GROUP_STATISTICS)[number];

/** Axis of a chart. */
export interface Axis {
  /** Quantity: "step", "time" or "relative" along x, and empty along y. */
  kind: string;
  log: boolean;
  /** Lowest and highest value; absent = all there are. */
  range?: [number, number];
}

const LISTS = new Set(["cols", "g"]);
const DEFAULT_RUNS = "first:20";
const DEFAULT_CONFIDENCE = 95;
const DEFAULT_TOP = 50;
const MOST_TOP = 1000;

/** Returns the view of an address without a query string. */
export function emptyView(): View {
  return {
    q: "",
    o: [],
    cols: [],
    runs: DEFAULT_RUNS,
    base: "",
    g: [],
    c: [],
    x: { kind: "step", log: false },
    y: { kind: "", log: false },
    s: 0,
    mode: "lexicographic",
    stat: "mean",
    least: 1,
    conf: DEFAULT_CONFIDENCE,
    top: DEFAULT_TOP,
    asof: "",
    diff: false,
    live: false,
    deleted: false,
    tab: "",
    points: false,
    rest: [],
  };
}

/** Returns the view of a query string, with or without its question mark. */
export function parseView(search: string): View {
  const view = emptyView();
  for (const [name, value] of new URLSearchParams(search)) {
    if (name === "q") view.q = value;
    else if (name === "o" || name === "c") view[name].push(value);
    else if (name === "cols" || name === "g") view[name] = splitList(value);
    else if (name === "runs") view.runs = value || DEFAULT_RUNS;
    else if (name === "base") view.base = value;
    else if (name === "x") view.x = parseAxis(value, "step");
    else if (name === "y") view.y = parseAxis(value, "");
    else if (name === "s") view.s = positive(value);
    else if (name === "mode") view.mode = MODES.find((each) => each === value) ?? "lexicographic";
    else if (name === "stat") view.stat = GROUP_STATISTICS.find((each) => each === value) ?? "mean";
    else if (name === "least") view.least = Math.max(1, Math.round(positive(value)));
    else if (name === "conf") {
      view.conf = positive(value) < 100 ? positive(value) || DEFAULT_CONFIDENCE : DEFAULT_CONFIDENCE;
    } else if (name === "top") view.top = Math.min(MOST_TOP, Math.round(positive(value)) || DEFAULT_TOP);
    else if (name === "asof") view.asof = value;
    else if (name === "diff") view.diff = value === "1";
    else if (name === "live") view.live = value === "1";
    else if (name === "deleted") view.deleted = value === "1";
    else if (name === "tab") view.tab = value;
    else if (name === "points") view.points = value === "1";
    else view.rest.push([name, value]);
  }
  return view;
}

/** Returns the query string of a view: empty, or with its question mark. */
export function formatView(view: View): string {
  const pairs: [string, string][] = [];
  const add = (name: string, value: string) => value && pairs.push([name, value]);
  add("q", view.q);
  view.o.forEach((order) => add("o", order));
  add("cols", joinList(view.cols));
  add("runs", view.runs === DEFAULT_RUNS ? "" : view.runs);
  add("base", view.base);
  add("g", joinList(view.g));
  view.c.forEach((card) => add("c", card));
  add("x", formatAxis(view.x, "step"));
  add("y", formatAxis(view.y, ""));
  add("s", view.s > 0 ? String(view.s) : "");
  add("mode", view.mode === "lexicographic" ? "" : view.mode);
  add("stat", view.stat === "mean" ? "" : view.stat);
  add("least", view.least === 1 ? "" : String(view.least));
  add("conf", view.conf === DEFAULT_CONFIDENCE ? "" : String(view.conf));
  add("top", view.top === DEFAULT_TOP ? "" : String(view.top));
  add("asof", view.asof);
  add("diff", view.diff ? "1" : "");
  add("live", view.live ? "1" : "");
  add("deleted", view.deleted ? "1" : "");
  add("tab", view.tab);
  add("points", view.points ? "1" : "");
  pairs.push(...view.rest);
  return pairs.length ? "?" + pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&") : "";
}

/** Returns the text of a list: items with commas between, and commas within them escaped. */
export function joinList(items: string[]): string {
  return items.map((item) => item.replaceAll("\\", "\\\\").replaceAll(",", "\\,")).join(",");
}

/** Returns the items that joinList joined; empty ones are left out. */
export function splitList(text: string): string[] {
  const items: string[] = [];
  let item = "";
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "\\" && at + 1 < text.length) item += text[++at];
    else if (text[at] === ",") {
      items.push(item);
      item = "";
    } else item += text[at];
  }
  return [...items, item].filter((each) => each !== "");
}

/** True if the name is of a list that one value holds. */
export function isList(name: string): boolean {
  return LISTS.has(name);
}

// "time,log,0..100": the parts that are not told have their defaults.
function parseAxis(text: string, kind: string): Axis {
  const axis: Axis = { kind, log: false };
  for (const part of text.split(",")) {
    const range = /^(-?[\d.e+-]+)\.\.(-?[\d.e+-]+)$/i.exec(part);
    if (part === "log") axis.log = true;
    else if (range) {
      const [low, high] = [Number(range[1]), Number(range[2])];
      if (Number.isFinite(low) && Number.isFinite(high) && low < high) axis.range = [low, high];
    } else if (part === "time" || part === "relative" || part === "step") axis.kind = part;
  }
  return axis;
}

function formatAxis(axis: Axis, kind: string): string {
  const parts = [axis.kind === kind ? "" : axis.kind, axis.log ? "log" : ""];
  if (axis.range) parts.push(`${axis.range[0]}..${axis.range[1]}`);
  return parts.filter((part) => part).join(",");
}

function positive(text: string): number {
  const number = Number(text);
  return Number.isFinite(number) && number > 0 ? number : 0;
}

// Signs that a query string may hold stay readable, since people read addresses.
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /%(2C|3A|40|2F|20|60|27|28|29|3D)/g,
    (_, code) => code === "20" ? "+" : String.fromCharCode(parseInt(code, 16)),
  );
}
