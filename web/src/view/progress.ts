/** Progress of the tables behind the log, by partition. */

import type { Position } from "../../contract/fleetlog/v1/position_pb.ts";

/** How far one partition of the log is in the tables. */
export interface Progress {
  topic: string;
  partition: number;
  /** Records that the log has. */
  logged: bigint;
  /** Records of which the tables know. */
  applied: bigint;
  behind: bigint;
}

/** Returns the progress of each partition of either position, the control partition first. */
export function progressOf(log: Position | undefined, tables: Position | undefined): Progress[] {
  const rows = new Map<string, Progress>();
  const row = (topic: string, partition: number) => {
    const name = `${topic} ${partition}`;
    const found = rows.get(name) ?? { topic, partition, logged: 0n, applied: 0n, behind: 0n };
    rows.set(name, found);
    return found;
  };
  for (const each of log?.offsets ?? []) row(each.topic, each.partition).logged = each.nextOffset;
  for (const each of tables?.offsets ?? []) row(each.topic, each.partition).applied = each.nextOffset;
  for (const each of rows.values()) {
    // What was asked for first may have gone on by the time of the second.
    if (each.logged < each.applied) each.logged = each.applied;
    each.behind = each.logged - each.applied;
  }
  return [...rows.values()].sort((one, other) =>
    one.topic < other.topic ? -1 : one.topic > other.topic ? 1 : one.partition - other.partition
  );
}
