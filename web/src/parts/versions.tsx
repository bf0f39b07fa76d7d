/** Versions of a model: stage, aliases, the run that each came from, and a way to compare those runs. */

import { useState } from "preact/hooks";
import type { ModelVersion } from "../../contract/fleetlog/v1/model_version_pb.ts";
import { ModelStage } from "../../contract/fleetlog/v1/registry_event_pb.ts";
import { go, hrefOf } from "../state.ts";
import { stageName } from "../view/registry.ts";
import { Time } from "./facts.tsx";
import { RunLink } from "./run_link.tsx";

/** See the file. The highest number comes first. */
export function Versions({ namespace, versions }: { namespace: string; versions: readonly ModelVersion[] }) {
  const [chosen, setChosen] = useState<ReadonlySet<bigint>>(new Set());
  const sorted = versions.toSorted((left, right) => (left.version < right.version ? 1 : -1));
  const runs = [
    ...new Set(sorted.filter((each) => chosen.has(each.version)).map((each) => each.lineage?.runId ?? "")),
  ].filter((run) => run !== "");
  const toggle = (version: bigint) => {
    const next = new Set(chosen);
    if (!next.delete(version)) next.add(version);
    setChosen(next);
  };
  return (
    <>
      <table class="list versions">
        <thead>
          <tr>
            <th class="pick">
              <button
                type="button"
                class="button"
                disabled={runs.length < 2}
                title="the runs of the chosen versions side by side"
                onClick={() => go(hrefOf({ screen: "compare", namespace }, `?runs=${runs.join(",")}`))}
              >
                Compare
              </button>
            </th>
            <th class="right">Version</th>
            <th>Stage</th>
            <th>Aliases</th>
            <th>Run</th>
            <th>Registered</th>
            <th>By</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((each) => (
            <tr key={String(each.version)} data-version={String(each.version)}>
              <td class="pick">
                <input
                  type="checkbox"
                  aria-label={`choose version ${each.version}`}
                  disabled={!each.lineage?.runId}
                  checked={chosen.has(each.version)}
                  onChange={() => toggle(each.version)}
                />
              </td>
              <td class="right">
                <a href={hrefOf({ screen: "version", namespace, model: each.name, version: each.version })}>
                  <b>{String(each.version)}</b>
                </a>
              </td>
              <td>
                <Stage stage={each.stage} />
              </td>
              <td>
                <Aliases names={each.aliases} />
              </td>
              <td class="wide">
                {each.lineage?.runId
                  ? <RunLink namespace={namespace} run={each.lineage.runId} />
                  : <span class="quiet">{each.source || "–"}</span>}
              </td>
              <td>
                <Time millis={each.createTimeMillis} />
              </td>
              <td>{each.createUser || <span class="none">–</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

/** Stage as a badge; nothing of a version that is in none. */
export function Stage({ stage }: { stage: ModelStage }) {
  if (stage === ModelStage.NONE || stage === ModelStage.UNSPECIFIED) return <span class="none">–</span>;
  const name = stageName(stage);
  return <span class={`stage ${name.toLowerCase()}`}>{name}</span>;
}

/** Aliases as chips. */
export function Aliases({ names }: { names: readonly string[] }) {
  if (names.length === 0) return <span class="none">–</span>;
  return <span class="aliases">{names.map((each) => <span key={each} class="alias">@{each}</span>)}</span>;
}
