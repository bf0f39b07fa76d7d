/** Code that asks what a view shows: Python, the command line, and HTTP with curl. */

import { DEFAULT_NAMESPACE } from "./route.ts";

/** Search to be told as code. */
export interface Asked {
  /** Address of this server, without a slash at its end. */
  origin: string;
  namespace: string;
  /** Name and number of the experiment; undefined for all. */
  experiment: { name: string; id: number } | undefined;
  filter: string;
  orders: string[];
  /** Unix milliseconds of a past moment; empty = now. */
  asof?: string;
  /** True: the runs that are deleted. */
  deleted?: boolean;
}

/** Code in one language. */
export interface Code {
  language: "Python" | "Command line" | "curl";
  text: string;
}

/** Returns the search in each language. */
export function codeOf(asked: Asked): Code[] {
  return [
    { language: "Python", text: python(asked) },
    { language: "Command line", text: commandLine(asked) },
    { language: "curl", text: curl(asked) },
  ];
}

function python({ namespace, experiment, filter, orders, asof, deleted }: Asked): string {
  const items = [
    filter && pythonText(filter),
    experiment && `experiments=[${pythonText(experiment.name)}]`,
    orders.length > 0 && `order_by=[${orders.map(pythonText).join(", ")}]`,
    asof && `as_of=datetime.fromisoformat(${pythonText(isoTime(asof))})`,
    deleted && 'deleted="deleted"',
  ].filter(Boolean);
  const client = namespace === DEFAULT_NAMESPACE ? "" : `namespace=${pythonText(namespace)}`;
  const imports = asof ? "from datetime import datetime\n\nimport fleetlog\n" : "import fleetlog\n";
  return `${imports}\nruns = fleetlog.Client(${client}).search_runs(${items.join(", ")})\n`;
}

function commandLine({ namespace, experiment, filter, orders, asof, deleted }: Asked): string {
  const words = ["fleetlog", "runs", "search"];
  if (experiment) words.push("--experiment", shellText(experiment.name));
  for (const order of orders) words.push("--order-by", shellText(order));
  if (asof) words.push("--as-of", isoTime(asof));
  if (deleted) words.push("--deleted");
  if (namespace !== DEFAULT_NAMESPACE) words.push("--namespace", shellText(namespace));
  // Behind the end of options, since a filter may begin with a sign.
  if (filter) words.push("--", shellText(filter));
  return words.join(" ") + "\n";
}

function curl({ origin, namespace, experiment, filter, orders, asof, deleted }: Asked): string {
  const body = {
    namespace,
    ...(experiment ? { experimentIds: [experiment.id] } : {}),
    ...(filter ? { filter } : {}),
    ...(orders.length ? { orderBy: orders } : {}),
    ...(asof ? { asOf: { timeMillis: asof } } : {}),
    ...(deleted ? { deletedView: "DELETED_VIEW_DELETED" } : {}),
  };
  return `curl -s ${
    shellText(`${origin}/fleetlog.v1.QueryService/SearchRuns`)
  } \\\n  -H 'content-type: application/json' \\\n  -d ${shellText(JSON.stringify(body))}\n`;
}

/** Returns Unix milliseconds as Python and the command take a time. */
export function isoTime(millis: string): string {
  return new Date(Number(millis)).toISOString().replace("Z", "+00:00");
}

/** Returns a text as Python writes it. */
// JSON's texts are Python's but for signs beyond 16 bits, which JSON.stringify leaves as they are.
export function pythonText(text: string): string {
  return JSON.stringify(text);
}

/** Returns a text as a word of a shell. */
export function shellText(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) && !text.startsWith("-") ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
