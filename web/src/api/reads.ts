/** Reads of the screens, each a call or two of the contract. */

import { call, stream } from "./calls.ts";
import { HistogramScale, KeyKind } from "../../contract/fleetlog/v1/facets_pb.ts";
import type { Position } from "../../contract/fleetlog/v1/position_pb.ts";
import { DeletedView } from "../../contract/fleetlog/v1/scope_pb.ts";
import { MetricAxis, type MetricPart } from "../../contract/fleetlog/v1/metric_pb.ts";
import { QueryService, RunFormat, TotalCount } from "../../contract/fleetlog/v1/query_pb.ts";
import { float64s, int64s, joined, onePointEach, type Series } from "../view/series.ts";
import { curveOfGroup, type Group } from "../view/grouping.ts";
import type { Run } from "../../contract/fleetlog/v1/run_pb.ts";
import type { Column } from "../view/columns.ts";

/** Page of runs at most. */
export const PAGE = 200;

/** Search as the screens ask it. */
export interface Question {
  namespace: string;
  experiment: number | undefined;
  filter: string;
  orders: string[];
  /** Unix milliseconds of a past moment; empty = now. */
  asof?: string;
  /** True: the runs that are deleted. */
  deleted?: boolean;
}

/** Returns the moment of a view as a request names it; undefined = now. */
export function asOf(asof: string | undefined) {
  if (!asof || !/^\d{1,15}$/.test(asof)) return undefined;
  return { when: { case: "timeMillis" as const, value: BigInt(asof) } };
}

/** Returns the search of a question, as of a moment when one is named. */
export function search(question: Question) {
  return {
    namespace: question.namespace,
    experimentIds: question.experiment === undefined ? [] : [question.experiment],
    filter: question.filter,
    orderBy: question.orders,
    deletedView: viewOf(question),
    asOf: asOf(question.asof),
  };
}

/** Returns which runs a question is about. */
export function viewOf(question: { deleted?: boolean }): DeletedView {
  return question.deleted ? DeletedView.DELETED : DeletedView.ACTIVE;
}

/** Returns a page of runs, and with the first one how many match. */
export function readPage(
  question: Question,
  mask: string[],
  summaries: boolean,
  token: string,
  atLeast?: Position,
  signal?: AbortSignal,
) {
  return call(QueryService.method.searchRuns, {
    ...search(question),
    ...(atLeast ? { atLeast } : {}),
    readMask: mask,
    summaries,
    pageSize: PAGE,
    pageToken: token,
    totalCount: TotalCount.EXACT,
  }, signal);
}

/** Returns the ids of all runs of a question, in its order. */
export async function readIds(question: Question, signal?: AbortSignal): Promise<string[]> {
  const ids: string[] = [];
  const asked = { search: search(question), format: RunFormat.IDS };
  for await (const answer of stream(QueryService.method.streamRuns, asked, signal)) {
    for (let at = 0; at < answer.runIds.length; at += 16) ids.push(hexOf(answer.runIds.subarray(at, at + 16)));
  }
  return ids;
}

function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** Returns some runs with the summaries of their metrics. */
export async function readSummaries(namespace: string, runIds: readonly string[], mask: string[]) {
  const asked = { namespace, runIds: [...runIds], readMask: mask, summaries: true };
  return (await call(QueryService.method.getRuns, asked)).runs;
}

/** Returns some runs as they are now, by id; those that were deleted since are left out. */
export async function readNow(
  namespace: string,
  runIds: readonly string[],
  readMask: string[],
  summaries: boolean,
  signal?: AbortSignal,
): Promise<Map<string, Run>> {
  const answer = await call(
    QueryService.method.getRuns,
    { namespace, runIds: [...runIds], readMask, summaries },
    signal,
  );
  return new Map(answer.runs.filter((run) => !run.deleted).map((run) => [run.runId, run]));
}

/** Key that runs have. */
export interface Key {
  kind: "metrics" | "params" | "tags";
  key: string;
  runs: number;
}

const KINDS = { metrics: KeyKind.METRIC, params: KeyKind.PARAM, tags: KeyKind.TAG } as const;
const NAMES = new Map<KeyKind, Key["kind"]>([[KeyKind.METRIC, "metrics"], [KeyKind.PARAM, "params"], [
  KeyKind.TAG,
  "tags",
]]);

/** Maximum of keys that are read by one call. */
export const KEYS_AT_ONCE = 1000;

/** Returns up to KEYS_AT_ONCE keys that the runs of an experiment have, of one kind or of all. */
export async function readKeys(
  question: Omit<Question, "orders">,
  kind?: Key["kind"],
  contains = "",
  signal?: AbortSignal,
  atLeast?: Position,
): Promise<Key[]> {
  const answer = await call(QueryService.method.listKeys, {
    scope: { ...scope(question), ...(atLeast ? { atLeast } : {}) },
    kind: kind ? KINDS[kind] : KeyKind.UNSPECIFIED,
    contains,
    pageSize: KEYS_AT_ONCE,
  }, signal);
  return answer.keys.map((each) => ({ kind: NAMES.get(each.kind) ?? "tags", key: each.key, runs: Number(each.runs) }));
}

/** Returns the most frequent values of a key. */
export async function readValues(
  question: Omit<Question, "orders">,
  kind: Column["kind"],
  key: string,
  contains: string,
  signal?: AbortSignal,
): Promise<{ value: string; runs: number }[]> {
  const answer = await call(QueryService.method.listValues, {
    scope: scope(question),
    kind: kind === "attributes" ? KeyKind.ATTRIBUTE : KINDS[kind],
    key,
    contains,
    pageSize: 50,
  }, signal);
  return answer.values.map((each) => ({ value: each.value, runs: Number(each.runs) }));
}

/** What the values of a key are like. */
export interface Description {
  runs: number;
  numericRuns: number;
  /** Number of different values. */
  distinct: number;
  bins: { low: number; high: number; runs: number }[];
  /** True if bins have one ratio, false if one width. */
  isLog: boolean;
  /** Runs whose number is in no bin. */
  outside: number;
}

/** Returns what the values of a key of the runs of a question are like. */
export async function describeKey(
  question: Omit<Question, "orders">,
  { kind, key }: Pick<Key, "kind" | "key">,
  bins: number,
  signal?: AbortSignal,
): Promise<Description> {
  const asked = { scope: scope(question), kind: KINDS[kind], key, bins };
  const answer = await call(QueryService.method.describeKey, asked, signal);
  return {
    runs: Number(answer.runs),
    numericRuns: Number(answer.numericRuns),
    distinct: Number(answer.distinctValues),
    bins: answer.bins.map(({ low, high, runs }) => ({ low, high, runs: Number(runs) })),
    isLog: answer.scale === HistogramScale.LOG,
    outside: Number(answer.outsideRuns),
  };
}

/** Curves to read. */
export interface CurvesQuestion {
  namespace: string;
  runs: string[];
  key: string;
  /** "step", "time" or "relative". */
  axis: string;
  range: [number, number] | undefined;
  buckets: number;
  perRank?: boolean;
  /** As in Question. */
  asof?: string;
}

const AXES: Record<string, MetricAxis> = {
  step: MetricAxis.STEP,
  time: MetricAxis.TIME,
  relative: MetricAxis.RELATIVE_TIME,
};

/**
 * Returns the curves of a metric, run by run, in as many buckets as asked for. Where no bucket has more than a point
 * the points themselves are read, so that what is drawn stands at its own place.
 */
export async function readCurves(question: CurvesQuestion, signal?: AbortSignal): Promise<Series[]> {
  if (question.runs.length === 0) return [];
  const buckets = await read(question, question.buckets, signal);
  if (buckets.length === 0 || !onePointEach(buckets)) return buckets;
  return await read(question, 0, signal);
}

async function read(question: CurvesQuestion, buckets: number, signal?: AbortSignal): Promise<Series[]> {
  const [low, high] = question.range ?? [];
  const bounds = low === undefined || high === undefined
    ? {}
    : question.axis === "step"
    ? { minStep: BigInt(Math.ceil(low)), maxStep: BigInt(Math.floor(high)) }
    : { minTimeMillis: BigInt(Math.ceil(low)), maxTimeMillis: BigInt(Math.floor(high)) };
  const answers = stream(QueryService.method.readMetric, {
    namespace: question.namespace,
    runIds: question.runs,
    keys: [question.key],
    buckets,
    axis: AXES[question.axis] ?? MetricAxis.STEP,
    perRank: question.perRank ?? false,
    asOf: asOf(question.asof),
    ...bounds,
  }, signal);
  const parts = new Map<string, Series[]>();
  for await (const answer of answers) {
    for (const part of answer.parts) {
      const name = part.rank === undefined ? part.runId : `${part.runId}#${part.rank}`;
      const series = seriesOf(part, name, question.axis);
      const before = parts.get(name);
      if (before) before.push(series);
      else parts.set(name, [series]);
    }
  }
  return [...parts.values()].map(joined);
}

/** Groups of the runs of a question, whose curves the server puts together. */
export interface GroupsQuestion {
  question: Omit<Question, "orders">;
  /** Keys whose values make a group, as filters name them. */
  groupBy: readonly string[];
}

/** Returns the curve of each group of the runs of a question, and how many runs are in none of them. */
export async function readGroups(
  { question, groupBy }: GroupsQuestion,
  curve: Pick<CurvesQuestion, "key" | "axis" | "range" | "buckets">,
  signal?: AbortSignal,
): Promise<{ groups: Group[]; leftOut: number }> {
  const [low, high] = curve.range ?? [];
  const answer = await call(QueryService.method.aggregateMetric, {
    scope: scope(question),
    key: curve.key,
    groupBy: [...groupBy],
    buckets: curve.buckets,
    axis: AXES[curve.axis] ?? MetricAxis.STEP,
    ...(low === undefined || high === undefined
      ? {}
      : { minX: BigInt(Math.ceil(low)), maxX: BigInt(Math.floor(high)) }),
  }, signal);
  const groups = answer.groups.filter((each) => each.xs.length > 0).map((each) => ({
    name: each.values.map(({ value }) => value || "—").join(" · ") || "all",
    runs: Number(each.runs),
    curve: curveOfGroup({
      xs: int64s(each.xs),
      means: float64s(each.means),
      stds: float64s(each.stds),
      mins: float64s(each.mins),
      maxs: float64s(each.maxs),
      counts: int64s(each.counts),
    }),
  }));
  return { groups, leftOut: Number(answer.leftOutRuns) };
}

function seriesOf(part: MetricPart, run: string, axis: string): Series {
  if (part.data.case === "buckets") {
    const chunk = part.data.value;
    return {
      run,
      key: part.key,
      xs: int64s(chunk.steps),
      ys: float64s(chunk.means),
      mins: float64s(chunk.mins),
      maxs: float64s(chunk.maxs),
      counts: int64s(chunk.counts),
      raw: false,
    };
  }
  const chunk = part.data.case === "points" ? part.data.value : undefined;
  const ys = float64s(chunk?.values ?? new Uint8Array());
  const xs = int64s((axis === "step" ? chunk?.steps : chunk?.timesMillis) ?? new Uint8Array());
  return { run, key: part.key, xs, ys, mins: ys, maxs: ys, counts: new Float64Array(ys.length).fill(1), raw: true };
}

function scope(question: Omit<Question, "orders">) {
  return {
    namespace: question.namespace,
    experimentIds: question.experiment === undefined ? [] : [question.experiment],
    filter: question.filter,
    deletedView: viewOf(question),
    asOf: asOf(question.asof),
  };
}
