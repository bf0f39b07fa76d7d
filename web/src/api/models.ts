/** Registered models: reads at a moment, and changes, each of which is durable when it returns. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { call } from "./calls.ts";
import { asOf } from "./reads.ts";
import type { Approval } from "../../contract/fleetlog/v1/model_approval_pb.ts";
import type { ModelComment, ModelHistoryEntry } from "../../contract/fleetlog/v1/model_history_pb.ts";
import type { ModelVersion } from "../../contract/fleetlog/v1/model_version_pb.ts";
import type { Position } from "../../contract/fleetlog/v1/position_pb.ts";
import type { RegisteredModel } from "../../contract/fleetlog/v1/registered_model_pb.ts";
import { RegistryQueryService, RegistryService } from "../../contract/fleetlog/v1/registry_pb.ts";
import type { Move } from "../view/registry.ts";

const PAGE = 500;
const reads = RegistryQueryService.method;
const writes = RegistryService.method;

/** Moment that reads are of. */
export interface Moment {
  namespace: string;
  /** Unix milliseconds; empty = now. */
  asof: string;
  /** What the answer must hold. */
  atLeast: Position | undefined;
}

/** Page of something, and where the next one begins. */
export interface Page<T> {
  items: T[];
  next: string;
}

function at({ namespace, asof, atLeast }: Moment) {
  const then = asOf(asof);
  return { namespace, ...(then ? { asOf: then } : atLeast ? { atLeast } : {}) };
}

/** Returns models by name. */
export async function searchModels(moment: Moment, contains: string, pageToken: string, signal: AbortSignal) {
  const answer = await call(
    reads.searchRegisteredModels,
    { ...at(moment), nameContains: contains, pageSize: PAGE, pageToken },
    signal,
  );
  return { items: answer.models, next: answer.nextPageToken } satisfies Page<RegisteredModel>;
}

/** Returns one model. */
export async function getModel(moment: Moment, name: string, signal: AbortSignal): Promise<RegisteredModel> {
  return (await call(reads.getRegisteredModel, { ...at(moment), name }, signal)).model!;
}

/** Returns versions of a model, or those of some runs. */
export async function searchVersions(
  moment: Moment,
  of: { name: string } | { runIds: string[] },
  pageToken: string,
  signal: AbortSignal,
) {
  const answer = await call(reads.searchModelVersions, { ...at(moment), ...of, pageSize: PAGE, pageToken }, signal);
  return { items: answer.versions, next: answer.nextPageToken } satisfies Page<ModelVersion>;
}

/** Returns one version. */
export async function getVersion(moment: Moment, name: string, version: bigint, signal: AbortSignal) {
  const which = { case: "version" as const, value: version };
  return (await call(reads.getModelVersion, { ...at(moment), name, which }, signal)).version!;
}

/** Returns comments, the oldest first; of a version, or of the model and all of them. */
export async function listComments(
  moment: Moment,
  name: string,
  version: bigint | undefined,
  pageToken: string,
  signal: AbortSignal,
) {
  const answer = await call(
    reads.listComments,
    { ...at(moment), name, ...of(version), pageSize: PAGE, pageToken },
    signal,
  );
  return { items: answer.comments, next: answer.nextPageToken } satisfies Page<ModelComment>;
}

/** Returns what happened, the latest first; to a version, or to the model and all of them. */
export async function listHistory(
  moment: Moment,
  name: string,
  version: bigint | undefined,
  pageToken: string,
  signal: AbortSignal,
) {
  const answer = await call(
    reads.listModelHistory,
    { ...at(moment), name, ...of(version), pageSize: PAGE, pageToken },
    signal,
  );
  return { items: answer.entries, next: answer.nextPageToken } satisfies Page<ModelHistoryEntry>;
}

/** Returns requests for approvals, the oldest first. */
export async function listApprovals(moment: Moment, name: string, pageToken: string, signal: AbortSignal) {
  const answer = await call(reads.listApprovals, { ...at(moment), name, pageSize: PAGE, pageToken }, signal);
  return { items: answer.approvals, next: answer.nextPageToken } satisfies Page<Approval>;
}

function of(version: bigint | undefined) {
  return version === undefined ? {} : { version };
}

/** Changes of one model; each returns where it is in the log. A request is told by its id, so a retry changes nothing. */
export class ModelChanges {
  readonly #namespace: string;
  readonly #name: string;

  constructor(namespace: string, name: string) {
    this.#namespace = namespace;
    this.#name = name;
  }

  /** Changes description, tags or policy of the model. */
  async update(changes: Omit<MessageInitShape<typeof writes.updateRegisteredModel.input>, "$typeName">) {
    return (await call(writes.updateRegisteredModel, { ...this.#head(), ...changes })).position;
  }

  /** Renames the model. */
  async rename(newName: string) {
    return (await call(writes.renameRegisteredModel, { ...this.#head(), newName })).position;
  }

  /** Deletes the model with its versions. */
  async remove() {
    return (await call(writes.deleteRegisteredModel, this.#head())).position;
  }

  /** Changes description or tags of a version. */
  async updateVersion(
    version: bigint,
    changes: { description?: string; tags?: Record<string, string>; deletedTags?: string[] },
  ) {
    return (await call(writes.updateModelVersion, { ...this.#head(), version, ...changes })).position;
  }

  /** Deletes a version. */
  async removeVersion(version: bigint) {
    return (await call(writes.deleteModelVersion, { ...this.#head(), version })).position;
  }

  /** Moves a version to a stage, or an alias to a version. */
  async move(version: bigint, move: Move, archiveExisting: boolean) {
    if (move.case === "alias") {
      return (await call(writes.setAlias, { ...this.#head(), version, alias: move.value })).position;
    }
    const asked = { ...this.#head(), version, stage: move.value, archiveExisting };
    return (await call(writes.transitionModelVersion, asked)).position;
  }

  /** Asks for a move. */
  async request(version: bigint, change: Move, archiveExisting: boolean, comment: string) {
    return (await call(writes.requestApproval, { ...this.#head(), version, change, archiveExisting, comment }))
      .position;
  }

  /** Approves or rejects. */
  async decide(number: bigint, approved: boolean, comment: string) {
    return (await call(writes.decideApproval, { ...this.#head(), number, approved, comment })).position;
  }

  /** Removes an alias. */
  async removeAlias(alias: string) {
    return (await call(writes.deleteAlias, { ...this.#head(), alias })).position;
  }

  /** Comments on a version; 0 = on the model. */
  async comment(version: bigint, text: string) {
    return (await call(writes.addComment, { ...this.#head(), version, text })).position;
  }

  #head() {
    return { namespace: this.#namespace, name: this.#name, requestId: crypto.getRandomValues(new Uint8Array(16)) };
  }
}
