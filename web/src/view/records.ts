/** Records of the log: which of them a history shows, and their kinds as people say them. */

import { EventSchema } from "../../contract/fleetlog/v1/event_pb.ts";

const POINTS = "metrics_logged";
const KINDS = EventSchema.oneofs.find((each) => each.name === "payload")!.fields.map((field) => field.name);

/** Returns the kinds to ask for: all, or all but points, which are most of a run's records. None = all. */
export function kindsAsked(points: boolean): string[] {
  return points ? [] : KINDS.filter((kind) => kind !== POINTS);
}

/** Returns the kinds of a record in words: "tags set, run finished". */
export function kindWords(kinds: readonly string[]): string {
  return kinds.map((kind) => kind.replaceAll("_", " ")).join(", ");
}
