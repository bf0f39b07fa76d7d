/** Objectives of a selection, in words: "metrics.val_loss ASC", and with a weight "metrics.accuracy DESC 2". */

/** Number of a run, and which way is good. */
export interface Objective {
  value: string;
  maximize: boolean;
  weight: number;
}

/** Returns the objective of a text; undefined when it says no direction. */
export function parseObjective(text: string): Objective | undefined {
  const match = /^(.*\S)\s+(ASC|DESC)(?:\s+(\d+(?:\.\d*)?|\.\d+))?$/is.exec(text.trim());
  if (!match) return undefined;
  const weight = Number(match[3] ?? 1);
  return { value: match[1]!.trim(), maximize: match[2]!.toUpperCase() === "DESC", weight: weight > 0 ? weight : 1 };
}

/** Returns the text of an objective. */
export function formatObjective({ value, maximize, weight }: Objective): string {
  return `${value} ${maximize ? "DESC" : "ASC"}${weight === 1 ? "" : ` ${weight}`}`;
}
