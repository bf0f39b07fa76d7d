/** Run screen: overview, charts and artifacts of one run; its name, tags and note can be edited. */

import { useEffect, useState } from "preact/hooks";
import { call } from "../api/calls.ts";
import { may } from "../api/caller.ts";
import { asFailure } from "../api/failure.ts";
import { type Changes, updateRun } from "../api/edits.ts";
import { connection } from "../api/live.ts";
import { asOf, type Key, type Question } from "../api/reads.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import { RunState } from "../../contract/fleetlog/v1/event_pb.ts";
import type { Run } from "../../contract/fleetlog/v1/run_pb.ts";
import { Artifacts } from "../parts/artifacts.tsx";
import { CodeMenu } from "../parts/code.tsx";
import { Cards } from "../parts/cards.tsx";
import { usePaced, useWatch } from "../parts/live.ts";
import { useLoad } from "../parts/load.ts";
import { Overview } from "../parts/overview.tsx";
import { Refused } from "../parts/changing.tsx";
import { Records } from "../parts/records.tsx";
import { RegisterDialog } from "../parts/register.tsx";
import { Failed, Skeleton } from "../parts/states.tsx";
import { Tabs } from "../parts/tabs.tsx";
import { change, ground, hrefOf, view as viewSignal } from "../state.ts";
import { PALETTES } from "../view/colours.ts";
import { runCode } from "../view/subject_code.ts";
import { stateWord } from "../view/run_words.ts";
import { typing } from "../view/typing.ts";

const PACE_MILLIS = 1000;
// A watch tells of what its mask names; an empty one names all.
const WHOLE: string[] = [];

function questionOf(namespace: string, id: string): Question {
  return { namespace, experiment: undefined, filter: `run_id = '${id}'`, orders: [] };
}

const TABS = ["overview", "charts", "artifacts", "history"] as const;

/** See the file. */
export function RunScreen({ namespace, id }: { namespace: string; id: string }) {
  const view = viewSignal.value;
  const [edited, setEdited] = useState<Run>();
  const [refused, setRefused] = useState("");
  const [registering, setRegistering] = useState(false);
  const loaded = useLoad(
    `${namespace} ${id} ${view.asof}`,
    (signal) => call(QueryService.method.getRun, { namespace, runId: id, asOf: asOf(view.asof) }, signal),
  );
  useEffect(() => setEdited(undefined), [namespace, id, view.asof]);
  const run = edited ?? loaded.value?.run;
  const running = run?.state === RunState.RUNNING && !view.asof;
  const live = useWatch(running ? questionOf(namespace, id) : undefined, WHOLE, 1);
  const told = usePaced(live.answers, PACE_MILLIS);
  useEffect(() => {
    if (told < 2) return;
    setEdited(undefined);
    loaded.retry();
  }, [told]);
  const tabs = TABS.filter((each) => each !== "history" || may.value.read);
  const tab = tabs.find((each) => each === view.tab) ?? "overview";
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (typing(event)) return;
      if (event.key === "l") change({ y: { ...viewSignal.value.y, log: !viewSignal.value.y.log } });
      else if (event.key === "z") change({ x: { kind: viewSignal.value.x.kind, log: viewSignal.value.x.log } });
      else if (event.key === "e") document.querySelector<HTMLElement>("[data-edit=tag]")?.click();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  if (loaded.failure && !run) return <Failed failure={loaded.failure} retry={loaded.retry} />;
  if (!run) return <Skeleton rows={12} />;

  const edit = async (changes: Changes) => {
    const before = run;
    setRefused("");
    setEdited(optimistic(run, changes));
    try {
      setEdited(await updateRun(namespace, id, changes));
    } catch (error) {
      setEdited(before);
      setRefused(asFailure(error).message);
    }
  };
  const keys: Key[] = run.metrics.map((each) => ({ kind: "metrics", key: each.key, runs: 1 }));
  return (
    <div class="screen run-screen" data-screen="run" data-run={id}>
      <div class="bar">
        <fieldset class="edits" disabled={Boolean(view.asof) || !may.value.write}>
          <h1>
            <a href={hrefOf({ screen: "experiments", namespace })}>Experiments</a>
            <span class="slash">/</span>
            <a href={hrefOf({ screen: "runs", namespace, experiment: run.experimentId })}>
              <ExperimentName namespace={namespace} id={run.experimentId} />
            </a>
            <span class="slash">/</span>
            <Name name={run.name || id.slice(0, 12)} onName={(name) => edit({ name })} />
            <span class={`badge ${stateWord(run.state)}`}>{stateWord(run.state)}</span>
            {live.answers > 0 && connection.value === "open" && <span class="live-state">live</span>}
            {running && connection.value === "waiting" && <span class="live-state away">reconnecting</span>}
            {run.deleted && <span class="badge failed">deleted</span>}
          </h1>
        </fieldset>
        <span class="fill" />
        <CodeMenu codes={runCode({ origin: location.origin, namespace, asof: view.asof }, id)} />
        <fieldset class="edits" disabled={Boolean(view.asof) || !may.value.write}>
          {!run.deleted && !view.asof && may.value.write && (
            <button
              type="button"
              class="button"
              onClick={() => setRegistering(true)}
            >
              Register
            </button>
          )}
          {run.deleted
            ? <button type="button" class="button" onClick={() => edit({ deleted: false })}>Restore</button>
            : <button type="button" class="button" onClick={() => edit({ deleted: true })}>Delete</button>}
        </fieldset>
      </div>
      <Refused message={refused} onClose={() => setRefused("")} />
      {run.deleted && (
        <div class="strip">
          This run is deleted: searches leave it out, and everything of it is kept.{" "}
          {!view.asof && may.value.write && (
            <button
              type="button"
              class="plain"
              onClick={() => edit({ deleted: false })}
            >
              Undo
            </button>
          )}
        </div>
      )}
      <Tabs tabs={tabs} tab={tab} />
      <div class="scroll">
        {tab === "overview" && (
          <fieldset class="edits" disabled={Boolean(view.asof) || !may.value.write}>
            <Overview namespace={namespace} run={run} version={String(told)} onEdit={edit} />
          </fieldset>
        )}
        {tab === "charts" && (
          <Cards
            keys={keys}
            view={view.c.length ? view : {
              ...view,
              c: keys.filter((each) => !each.key.startsWith("system/")).slice(0, 12).map((each) => each.key),
            }}
            namespace={namespace}
            runs={[id]}
            labelOf={(each) => (each.includes("#")
              ? `rank ${each.split("#")[1] === "-1" ? "—" : each.split("#")[1]}`
              : run.name || id.slice(0, 12))}
            colourOf={(each) => PALETTES[ground.value][Math.max(0, Number(each.split("#")[1] ?? 0)) % 20]!}
            groupOf={undefined}
            together={undefined}
            lifted=""
            onLift={() => {}}
            onPick={() => {}}
            onChange={(changes) => change(changes, "s" in changes ? "replace" : "push")}
            groupable={false}
            perRank
            versionOf={() => String(told)}
          />
        )}
        {tab === "artifacts" && <Artifacts namespace={namespace} run={id} asof={view.asof} />}
        {tab === "history" && <Records namespace={namespace} run={id} version={String(told)} />}
      </div>
      {registering && (
        <RegisterDialog
          namespace={namespace}
          run={{ id, name: run.name }}
          mayAlias={may.value.approve}
          onClose={() => setRegistering(false)}
        />
      )}
    </div>
  );
}

function ExperimentName({ namespace, id }: { namespace: string; id: number }) {
  const found = useLoad(
    `${namespace} ${id} ${viewSignal.value.asof}`,
    (signal) =>
      call(QueryService.method.getExperiment, {
        namespace,
        which: { case: "experimentId", value: id },
        asOf: asOf(viewSignal.value.asof),
      }, signal),
  );
  return <>{found.value?.experiment?.name ?? `experiment ${id}`}</>;
}

function Name({ name, onName }: { name: string; onName: (name: string) => void }) {
  const [editing, setEditing] = useState(false);
  if (!editing) {
    return (
      <button
        type="button"
        class="name"
        title="click to rename"
        data-edit="name"
        onClick={() => setEditing(true)}
      >
        {name}
      </button>
    );
  }
  const done = (value: string) => {
    setEditing(false);
    if (value.trim() && value !== name) onName(value.trim());
  };
  return (
    <input
      class="field name"
      aria-label="Name of the run"
      autofocus
      defaultValue={name}
      onKeyDown={(event) => {
        if (event.key === "Enter") done(event.currentTarget.value);
        if (event.key === "Escape") setEditing(false);
      }}
      onBlur={(event) => done(event.currentTarget.value)}
    />
  );
}

function optimistic(run: Run, changes: Changes): Run {
  const tags = { ...run.tags };
  for (const key of changes.deletedTags ?? []) delete tags[key];
  return {
    ...run,
    name: changes.name ?? run.name,
    tags: { ...tags, ...changes.tags },
    deleted: changes.deleted ?? run.deleted,
  };
}
