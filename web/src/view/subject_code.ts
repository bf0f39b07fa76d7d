/** Code that reads one thing, or some, as a page shows them: Python, the command line, and HTTP with curl. */

import { type Code, isoTime, pythonText, shellText } from "./code.ts";
import { DEFAULT_NAMESPACE } from "./route.ts";

/** Where and when something is read. */
export interface Place {
  /** Address of this server, without a slash at its end. */
  origin: string;
  namespace: string;
  /** Unix milliseconds of a past moment; empty = now. */
  asof: string;
}

interface Read {
  name: string;
  /** Call of the client up to its first argument, and the arguments. */
  python: [method: string, ...args: string[]];
  command: string[];
  /** False of what the command and the client read as of now alone. */
  hasPast: boolean;
  path: string;
  body: Record<string, unknown>;
}

/** Returns code that reads a run. */
export function runCode(place: Place, run: string): Code[] {
  return code(place, {
    name: "run",
    python: ["get_run", pythonText(run)],
    command: ["runs", "get", run],
    hasPast: true,
    path: "QueryService/GetRun",
    body: { runId: run },
  });
}

/** Returns code that compares runs. */
export function compareCode(place: Place, runs: string[]): Code[] {
  return code(place, {
    name: "comparison",
    python: ["compare", `[${runs.map(pythonText).join(", ")}]`],
    command: ["runs", "diff", ...runs],
    hasPast: false,
    path: "QueryService/GetRuns",
    body: { runIds: runs, summaries: true },
  });
}

/** Returns code that reads a registered model. */
export function modelCode(place: Place, model: string): Code[] {
  return code(place, {
    name: "model",
    python: ["get_model", pythonText(model)],
    command: ["models", "show", shellText(model)],
    hasPast: true,
    path: "RegistryQueryService/GetRegisteredModel",
    body: { name: model },
  });
}

/** Returns code that reads a version of a model. */
export function versionCode(place: Place, model: string, version: bigint): Code[] {
  return code(place, {
    name: "version",
    python: ["get_version", pythonText(model), String(version)],
    command: ["models", "show", shellText(model), String(version)],
    hasPast: true,
    path: "RegistryQueryService/GetModelVersion",
    body: { name: model, version: String(version) },
  });
}

function code({ origin, namespace, asof }: Place, read: Read): Code[] {
  const past = asof !== "" && read.hasPast;
  const [method, ...args] = read.python;
  if (past) args.push(`as_of=datetime.fromisoformat(${pythonText(isoTime(asof))})`);
  const client = namespace === DEFAULT_NAMESPACE ? "" : `namespace=${pythonText(namespace)}`;
  const imports = past ? "from datetime import datetime\n\nimport fleetlog\n" : "import fleetlog\n";
  const words = ["fleetlog", ...read.command];
  if (past) words.push("--as-of", isoTime(asof));
  if (namespace !== DEFAULT_NAMESPACE) words.push("--namespace", shellText(namespace));
  const body = JSON.stringify({ namespace, ...read.body, ...(asof ? { asOf: { timeMillis: asof } } : {}) });
  return [
    {
      language: "Python",
      text: `${imports}\n${read.name} = fleetlog.Client(${client}).${method}(${args.join(", ")})\n`,
    },
    { language: "Command line", text: words.join(" ") + "\n" },
    {
      language: "curl",
      text: `curl -s ${shellText(`${origin}/fleetlog.v1.${read.path}`)} \\\n` +
        `  -H 'content-type: application/json' \\\n  -d ${shellText(body)}\n`,
    },
  ];
}
