/** Words for what a run carries in numbers. */

import { RunState } from "../../contract/fleetlog/v1/event_pb.ts";

const WORDS: Record<RunState, string> = {
  [RunState.UNSPECIFIED]: "unknown",
  [RunState.RUNNING]: "running",
  [RunState.FINISHED]: "finished",
  [RunState.FAILED]: "failed",
  [RunState.KILLED]: "killed",
  [RunState.LOST]: "lost",
  [RunState.SCHEDULED]: "scheduled",
};

/** Returns the word of a state. */
export function stateWord(state: RunState): string {
  return WORDS[state] ?? "unknown";
}
