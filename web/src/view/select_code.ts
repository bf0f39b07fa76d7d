/** Code that asks a selection again: Python, the command line, and HTTP with curl. */

import { type Code, isoTime, pythonText, shellText } from "./code.ts";
import { formatObjective, type Objective } from "./objectives.ts";
import { DEFAULT_NAMESPACE } from "./route.ts";
import type { Mode, Statistic } from "./url.ts";

/** Selection to be told as code. */
export interface AskedSelection {
  /** Address of this server, without a slash at its end. */
  origin: string;
  namespace: string;
  experiment: { name: string; id: number } | undefined;
  filter: string;
  objectives: Objective[];
  groups: string[];
  mode: Mode;
  statistic: Statistic;
  minCount: number;
  /** Between 0 and 1. */
  confidence: number;
  limit: number;
  /** Unix milliseconds of a past moment; empty = now. */
  asof: string;
}

/** Returns the selection in each language. */
export function selectCode(asked: AskedSelection): Code[] {
  return [
    { language: "Python", text: python(asked) },
    { language: "Command line", text: commandLine(asked) },
    { language: "curl", text: curl(asked) },
  ];
}

function python(asked: AskedSelection): string {
  const list = (texts: string[]) => `[${texts.map(pythonText).join(", ")}]`;
  const items = [
    asked.filter && pythonText(asked.filter),
    asked.experiment && `experiments=${list([asked.experiment.name])}`,
    `objectives=${list(asked.objectives.map(formatObjective))}`,
    asked.mode !== "lexicographic" && `mode=${pythonText(asked.mode)}`,
    asked.groups.length > 0 && `group_by=${list(asked.groups)}`,
    asked.minCount > 1 && `min_count=${asked.minCount}`,
    asked.statistic !== "mean" && `statistic=${pythonText(asked.statistic)}`,
    asked.confidence !== 0.95 && `confidence=${asked.confidence}`,
    `limit=${asked.limit}`,
    asked.asof && `as_of=datetime.fromisoformat(${pythonText(isoTime(asked.asof))})`,
  ].filter(Boolean);
  const client = asked.namespace === DEFAULT_NAMESPACE ? "" : `namespace=${pythonText(asked.namespace)}`;
  const imports = asked.asof ? "from datetime import datetime\n\nimport fleetlog\n" : "import fleetlog\n";
  return `${imports}\nselection = fleetlog.Client(${client}).select(\n${
    items.map((each) => `    ${each},\n`).join("")
  })\n`;
}

function commandLine(asked: AskedSelection): string {
  const words = ["fleetlog", "select"];
  if (asked.experiment) words.push("--experiment", shellText(asked.experiment.name));
  for (const each of asked.objectives) words.push("--objective", shellText(formatObjective(each)));
  if (asked.mode !== "lexicographic") words.push("--mode", asked.mode);
  for (const each of asked.groups) words.push("--group-by", shellText(each));
  if (asked.minCount > 1) words.push("--min-count", String(asked.minCount));
  if (asked.statistic !== "mean") words.push("--statistic", asked.statistic);
  if (asked.confidence !== 0.95) words.push("--confidence", String(asked.confidence));
  words.push("--limit", String(asked.limit));
  if (asked.asof) words.push("--as-of", isoTime(asked.asof));
  if (asked.namespace !== DEFAULT_NAMESPACE) words.push("--namespace", shellText(asked.namespace));
  // Behind the end of options, since a filter may begin with a sign.
  if (asked.filter) words.push("--", shellText(asked.filter));
  return words.join(" ") + "\n";
}

function curl(asked: AskedSelection): string {
  const body = {
    scope: {
      namespace: asked.namespace,
      ...(asked.experiment ? { experimentIds: [asked.experiment.id] } : {}),
      ...(asked.filter ? { filter: asked.filter } : {}),
      ...(asked.asof ? { asOf: { timeMillis: asked.asof } } : {}),
    },
    objectives: asked.objectives.map((each) => ({
      value: each.value,
      direction: each.maximize ? "DIRECTION_MAXIMIZE" : "DIRECTION_MINIMIZE",
      ...(each.weight === 1 ? {} : { weight: each.weight }),
    })),
    mode: `OBJECTIVE_MODE_${asked.mode.toUpperCase()}`,
    ...(asked.groups.length ? { groupBy: asked.groups } : {}),
    minCount: asked.minCount,
    statistic: `GROUP_STATISTIC_${asked.statistic.toUpperCase()}`,
    confidence: asked.confidence,
    limit: asked.limit,
  };
  return `curl -s ${
    shellText(`${asked.origin}/fleetlog.v1.QueryService/SelectRuns`)
  } \\\n  -H 'content-type: application/json' \\\n  -d ${shellText(JSON.stringify(body))}\n`;
}
