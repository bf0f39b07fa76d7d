/** Selections: the best runs or groups of them, and a version of a model that keeps the choice. */

import { call } from "./calls.ts";
import { asOf } from "./reads.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import { RegistryService } from "../../contract/fleetlog/v1/registry_pb.ts";
import {
  Direction,
  GroupStatistic,
  ObjectiveMode,
  type SelectRunsRequest,
  SelectRunsRequestSchema,
  type SelectRunsResponse,
} from "../../contract/fleetlog/v1/selection_pb.ts";
import { create } from "@bufbuild/protobuf";
import type { AskedSelection } from "../view/select_code.ts";

const MODES = {
  lexicographic: ObjectiveMode.LEXICOGRAPHIC,
  weighted: ObjectiveMode.WEIGHTED,
  pareto: ObjectiveMode.PARETO,
};
const STATISTICS = {
  mean: GroupStatistic.MEAN,
  median: GroupStatistic.MEDIAN,
  best: GroupStatistic.BEST,
  worst: GroupStatistic.WORST,
};

/** Answer with what was asked. */
export interface Selection {
  request: SelectRunsRequest;
  answer: SelectRunsResponse;
}

/** Returns what a selection chooses. */
export async function select(asked: Omit<AskedSelection, "origin">, signal?: AbortSignal): Promise<Selection> {
  const then = asOf(asked.asof);
  const request = create(SelectRunsRequestSchema, {
    scope: {
      namespace: asked.namespace,
      experimentIds: asked.experiment ? [asked.experiment.id] : [],
      filter: asked.filter,
      ...(then ? { asOf: then } : {}),
    },
    objectives: asked.objectives.map((each) => ({
      value: each.value,
      direction: each.maximize ? Direction.MAXIMIZE : Direction.MINIMIZE,
      weight: each.weight,
    })),
    mode: MODES[asked.mode],
    groupBy: asked.groups,
    minCount: asked.minCount,
    statistic: STATISTICS[asked.statistic],
    confidence: asked.confidence,
    limit: asked.limit,
  });
  return { request, answer: await call(QueryService.method.selectRuns, request, signal) };
}

/** New version of a model. */
export interface Registration {
  namespace: string;
  model: string;
  runId: string;
  artifactPath: string;
  aliases: string[];
  description: string;
  /** Choice that the version keeps, to be repeated. */
  selection?: Selection | undefined;
}

const COMMIT_TAGS = ["git_commit", "git.commit", "mlflow.source.git.commit"];

/** Registers a run as the next version of a model, which is made when it is not there; returns the number. */
export async function register(registration: Registration): Promise<bigint> {
  const { namespace, model, runId, artifactPath, aliases, description, selection } = registration;
  const run = (await call(QueryService.method.getRun, { namespace, runId })).run!;
  const tag = COMMIT_TAGS.find((each) => run.tags[each] !== undefined);
  const position = selection?.answer.position;
  const answer = await call(RegistryService.method.createModelVersion, {
    namespace,
    requestId: crypto.getRandomValues(new Uint8Array(16)),
    name: model,
    createModel: true,
    source: `runs:/${runId}${artifactPath ? `/${artifactPath}` : ""}`,
    description,
    aliases,
    lineage: {
      runId,
      artifactPath,
      gitCommit: tag ? run.tags[tag]! : "",
      datasets: run.datasets.map(({ name, digest, context }) => ({ name, digest, context })),
      ...(selection && position ? { selection: { request: selection.request, position } } : {}),
    },
  });
  return answer.version!.version;
}
