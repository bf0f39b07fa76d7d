/** Reads of the screens, each a call or two of the contract. */

import { call, stream } from "./calls.ts";
import { KeyKind } from "../../contract/fleetlog/v1/facets_pb.ts";
import { MetricAxis, type MetricPart } from "../../contract/fleetlog/v1/metric_pb.ts";
import { QueryService, TotalCount } from "../../contract/fleetlog/v1/query_pb.ts";
import { float64s, int64s, joined, onePointEach, type Series } from "../view/series.ts";
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
    asOf: asOf(question.asof),
  };
}

/** Returns a page of runs, and with the first one how many match. */
export function readPage(question: Question, mask: string[], summaries: boolean, token: string, signal?: AbortSignal) {
  return call(QueryService.method.searchRuns, {
    ...search(question),
    readMask: mask,
    summaries,
    pageSize: PAGE,
    pageToken: token,
    totalCount: TotalCount.EXACT,
  }, signal);
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

/** Returns up to 1,000 keys that the runs of an experiment have, of one kind or of all. */
export async function readKeys(
  question: Omit<Question, "orders">,
  kind?: Key["kind"],
  contains = "",
  signal?: AbortSignal,
): Promise<Key[]> {
  const answer = await call(QueryService.method.listKeys, {
    scope: scope(question),
    kind: kind ? KINDS[kind] : KeyKind.UNSPECIFIED,
    contains,
    pageSize: 1000,
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
    asOf: asOf(question.asof),
  };
}
