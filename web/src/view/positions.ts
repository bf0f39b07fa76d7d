/** Positions of the log: joined, so that a read behind several writes sees them all. */

/** Place in the log: next offset by partition. */
export interface Offsets {
  offsets: readonly { topic: string; partition: number; nextOffset: bigint }[];
}

/** Returns a position behind both. */
export function joined<P extends Offsets>(one: P | undefined, other: P | undefined): P | undefined {
  if (!one || !other) return one ?? other;
  const found = new Map<string, Offsets["offsets"][number]>();
  for (const each of [...one.offsets, ...other.offsets]) {
    const name = `${each.topic} ${each.partition}`;
    const before = found.get(name);
    if (!before || before.nextOffset < each.nextOffset) found.set(name, each);
  }
  return { ...one, offsets: [...found.values()] };
}
