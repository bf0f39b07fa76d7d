/** Words and rules of registered models: stages, what happened, and which changes take an approval. */

import { type Approval, ApprovalState } from "../../contract/fleetlog/v1/model_approval_pb.ts";
import { ModelAction, type ModelHistoryEntry } from "../../contract/fleetlog/v1/model_history_pb.ts";
import { type ApprovalPolicy, ModelStage } from "../../contract/fleetlog/v1/registry_event_pb.ts";

/** Stages in the order of a life. */
export const STAGES = [ModelStage.NONE, ModelStage.STAGING, ModelStage.PRODUCTION, ModelStage.ARCHIVED] as const;

const STAGE_WORDS: Record<ModelStage, string> = {
  [ModelStage.UNSPECIFIED]: "",
  [ModelStage.NONE]: "None",
  [ModelStage.STAGING]: "Staging",
  [ModelStage.PRODUCTION]: "Production",
  [ModelStage.ARCHIVED]: "Archived",
};

/** Returns the word of a stage. */
export function stageName(stage: ModelStage): string {
  return STAGE_WORDS[stage] ?? "unknown";
}

/** True if others of the stage may be archived in the same step. */
export function archivesOthers(stage: ModelStage): boolean {
  return stage === ModelStage.STAGING || stage === ModelStage.PRODUCTION;
}

const APPROVAL_WORDS: Record<ApprovalState, string> = {
  [ApprovalState.UNSPECIFIED]: "unknown",
  [ApprovalState.PENDING]: "pending",
  [ApprovalState.APPROVED]: "approved",
  [ApprovalState.REJECTED]: "rejected",
};

/** Returns the word of what became of a request. */
export function approvalWord(state: ApprovalState): string {
  return APPROVAL_WORDS[state] ?? "unknown";
}

/** Change of a version that may take an approval. */
export type Move = { case: "stage"; value: ModelStage } | { case: "alias"; value: string };

/** Returns what a request asks for: "version 3 to Production", "alias champion to version 3". */
export function requestWords(approval: Pick<Approval, "version" | "change">): string {
  const { change, version } = approval;
  if (change.case === "stage") return `version ${version} to ${stageName(change.value)}`;
  if (change.case === "alias") return `alias ${change.value} to version ${version}`;
  return `version ${version}`;
}

/** True if the change takes an approval, whoever makes it. */
export function needsApproval(policy: ApprovalPolicy | undefined, move: Move): boolean {
  if (!policy) return false;
  return move.case === "stage" ? policy.stages.includes(move.value) : policy.aliases.includes(move.value);
}

/** True if a text can be the alias of a version. */
export function isAlias(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,250}$/.test(text) && !/^(latest|v\d+)$/i.test(text);
}

/** Returns what happened as a sentence without who and when; the version is told only beside others. */
export function historyWords(entry: ModelHistoryEntry): string {
  const words = actionWords(entry);
  const request = `request ${entry.approval}`;
  return entry.approval === 0n || words.includes(request) ? words : `${words} (${request})`;
}

function actionWords(entry: ModelHistoryEntry): string {
  const { oldValue, newValue, subject, version } = entry;
  const of = version ? `version ${version}` : "the model";
  switch (entry.action) {
    case ModelAction.MODEL_CREATED:
      return "made the model";
    case ModelAction.MODEL_UPDATED:
    case ModelAction.VERSION_UPDATED:
      return `changed ${(subject || "something").replace("approval_policy", "the policy of approvals")} of ${of}`;
    case ModelAction.MODEL_RENAMED:
      return `renamed the model from ${oldValue} to ${newValue}`;
    case ModelAction.MODEL_DELETED:
      return "deleted the model";
    case ModelAction.VERSION_CREATED:
      return `registered ${of}`;
    case ModelAction.VERSION_TRANSITIONED:
      return `moved ${of} from ${stageText(oldValue)} to ${stageText(newValue)}`;
    case ModelAction.VERSION_DELETED:
      return `deleted ${of}`;
    case ModelAction.ALIAS_SET:
      return `set alias ${subject} to version ${newValue || version}${oldValue ? `, before version ${oldValue}` : ""}`;
    case ModelAction.ALIAS_DELETED:
      return `removed alias ${subject}${oldValue ? `, which named version ${oldValue}` : ""}`;
    case ModelAction.COMMENTED:
      return `commented on ${of}`;
    case ModelAction.APPROVAL_REQUESTED:
      return `asked for an approval: request ${entry.approval}${requested(subject, of, newValue)}`;
    case ModelAction.APPROVED:
      return `approved request ${entry.approval}`;
    case ModelAction.REJECTED:
      return `rejected request ${entry.approval}`;
    default:
      return "did something that this version of the page does not know";
  }
}

function requested(subject: string, of: string, value: string): string {
  if (!subject) return "";
  return subject === "stage" ? `, ${of} to ${stageText(value)}` : `, alias ${subject} to ${of}`;
}

function stageText(text: string): string {
  return text || "None";
}
