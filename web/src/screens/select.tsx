/** Select screen: what is good, which runs or groups are best by it, why, and a model registered from the choice. */

import { useMemo, useState } from "preact/hooks";
import { may } from "../api/caller.ts";
import { call } from "../api/calls.ts";
import { type Key, readKeys } from "../api/reads.ts";
import { select } from "../api/select.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import type { SelectedGroup } from "../../contract/fleetlog/v1/selection_pb.ts";
import { Toggle } from "../parts/cards.tsx";
import { Choice, Funnel } from "../parts/choice.tsx";
import { CodeMenu } from "../parts/code.tsx";
import { Section } from "../parts/facts.tsx";
import { FilterBar } from "../parts/filterbar.tsx";
import { useLoad } from "../parts/load.ts";
import { Objectives } from "../parts/objectives.tsx";
import { RegisterDialog } from "../parts/register.tsx";
import { type Dot, Scatter } from "../parts/scatter.tsx";
import { Empty, Failed, FirstRun, Skeleton } from "../parts/states.tsx";
import { change, hrefOf, view as viewSignal } from "../state.ts";
import { quotedKey } from "../view/filter.ts";
import { groupFilter } from "../view/groups.ts";
import { grouped } from "../view/numbers.ts";
import { formatObjective, parseObjective } from "../view/objectives.ts";
import { lowerIsBetter } from "../view/columns.ts";
import { selectCode } from "../view/select_code.ts";
import { emptyView, formatView } from "../view/url.ts";

/** See the file. */
export function SelectScreen({ namespace, experiment }: { namespace: string; experiment: number | undefined }) {
  const view = viewSignal.value;
  const [lifted, setLifted] = useState("");
  const [registering, setRegistering] = useState<SelectedGroup>();
  const named = useLoad(
    `${namespace} ${experiment}`,
    (signal) =>
      experiment === undefined ? Promise.resolve(undefined) : call(QueryService.method.getExperiment, {
        namespace,
        which: { case: "experimentId", value: experiment },
      }, signal).then((answer) => answer.experiment),
  );
  const found = useLoad<Key[]>(
    `${namespace} ${experiment} ${view.asof !== ""}`,
    (signal) => readKeys({ namespace, experiment, filter: "", asof: view.asof }, undefined, "", signal),
  );
  const keys = found.value;
  const objectives = useMemo(() => {
    const asked = view.o.map(parseObjective).filter((each) => each !== undefined);
    return asked.length > 0 ? asked : suggested(keys ?? []);
  }, [view.o.join("\0"), keys]);
  const asked = {
    namespace,
    experiment: experiment === undefined ? undefined : { name: named.value?.name ?? "", id: experiment },
    filter: view.q,
    objectives,
    groups: view.g,
    mode: view.mode,
    statistic: view.stat,
    minCount: view.g.length > 0 ? view.least : 1,
    confidence: view.conf / 100,
    limit: view.top,
    asof: view.asof,
  };
  const ready = keys !== undefined && objectives.length > 0;
  const selection = useLoad(
    JSON.stringify([ready, asked]),
    (signal) => (ready ? select(asked, signal) : Promise.resolve(undefined)),
  );
  const missing = named.failure ?? (keys ? undefined : found.failure);
  if (missing && !named.value) return <Failed failure={missing} retry={named.failure ? named.retry : found.retry} />;
  if (!keys) return <Skeleton rows={12} />;

  const answer = selection.value?.answer;
  const groups = answer?.groups ?? [];
  const runsAt = (q: string) => {
    const to = formatView({ ...emptyView(), q, asof: "" });
    return hrefOf({ screen: "runs", namespace, ...(experiment === undefined ? {} : { experiment }) }, to);
  };
  const names = answer ? selection.value!.request.objectives.map((each) => each.value) : [];
  const groupBy = answer ? selection.value!.request.groupBy : [];
  const compared = groups.slice(0, 50).flatMap((group) => group.runs.slice(0, 1).map((run) => run.runId));
  const best = registering?.runs[0];
  return (
    <div class="screen select-screen" data-screen="select">
      <div class="bar">
        <h1>
          <a href={hrefOf({ screen: "experiments", namespace })}>Experiments</a>
          <span class="slash">/</span>
          <a href={runsAt("")}>{experiment === undefined ? "All runs" : named.value?.name ?? "…"}</a>
          <span class="slash">/</span>Select
        </h1>
        <FilterBar namespace={namespace} experiment={experiment} filter={view.q} onFilter={(q) => change({ q })} />
      </div>
      <div class="toolbar">
        <span class="count" data-compared={answer ? String(answer.compared) : ""}>
          {answer && (
            <>
              <b>{grouped(answer.compared)}</b> of {grouped(answer.candidates)} runs compared
              {groupBy.length > 0 && <span class="quiet">{` in ${grouped(answer.groupsCompared)} groups`}</span>}
            </>
          )}
        </span>
        <span class="fill" />
        {compared.length > 1 && (
          <a class="button" href={hrefOf({ screen: "compare", namespace }, `?runs=${compared.join(",")}`)}>
            Compare {compared.length}
          </a>
        )}
        {compared.length > 0 && (
          <a
            class="button"
            href={runsAt(`run_id IN (${compared.map((id) => `'${id}'`).join(", ")})`)}
            title="the chosen runs in the table, with their curves"
          >
            Use as filter
          </a>
        )}
        {ready && <CodeMenu codes={selectCode({ ...asked, origin: location.origin })} />}
      </div>
      <div class="select-body">
        <aside>
          <Objectives
            objectives={objectives}
            keys={keys}
            view={view}
            // What is suggested becomes the reader's own with the first change.
            onChange={(changes) => change({ o: objectives.map(formatObjective), ...changes })}
          />
        </aside>
        <div class={`scroll answer ${selection.loading ? "waiting" : ""}`} data-state={stateOf(selection, ready)}>
          {selection.failure
            ? <Failed failure={selection.failure} retry={selection.retry} />
            : !ready
            ? (
              <Empty title={keys.length ? "No metrics to choose by" : "No runs yet"}>
                {keys.length === 0 && <FirstRun />}
              </Empty>
            )
            : !answer
            ? <Skeleton rows={8} />
            : (
              <>
                {names.length > 1 && groups.length > 0 && (
                  <div class="toolbar axes">
                    <Toggle
                      name="log x"
                      on={view.x.log}
                      onToggle={() => change({ x: { ...view.x, log: !view.x.log } })}
                    />
                    <Toggle
                      name="log y"
                      on={view.y.log}
                      onToggle={() => change({ y: { ...view.y, log: !view.y.log } })}
                    />
                  </div>
                )}
                {names.length > 1 && groups.length > 0 && (
                  <Scatter
                    log={{ x: view.x.log, y: view.y.log }}
                    dots={groups.map((group) => dotOf(group, groupBy.length > 0))}
                    names={{ x: names[0]!, y: names[1]! }}
                    up={{ x: objectives[0]?.maximize ?? false, y: objectives[1]?.maximize ?? false }}
                    lifted={lifted}
                    onLift={setLifted}
                  />
                )}
                {groups.length === 0 ? <Empty title="Nothing is left to choose from" /> : (
                  <Choice
                    namespace={namespace}
                    groups={groups}
                    groupBy={groupBy}
                    objectives={names}
                    lifted={lifted}
                    onLift={setLifted}
                    onRegister={may.value.write && !view.asof ? setRegistering : undefined}
                    runsHref={(group) => (group.values.length ? runsAt(groupFilter(view.q, group.values)) : undefined)}
                  />
                )}
                <div class="why">
                  <Section title="Why">
                    <Funnel
                      candidates={answer.candidates}
                      verdicts={answer.verdicts}
                      compared={answer.compared}
                      groups={groupBy.length > 0 ? answer.groupsCompared : undefined}
                    />
                    <ul class="reasons">
                      {groups.slice(0, 3).map((group) => (
                        <li key={group.rank}>
                          <b>{group.rank}.</b> {group.reason}
                        </li>
                      ))}
                    </ul>
                  </Section>
                </div>
              </>
            )}
        </div>
      </div>
      {best && (
        <RegisterDialog
          namespace={namespace}
          run={{ id: best.runId, name: best.name }}
          selection={selection.value}
          mayAlias={may.value.approve}
          onClose={() => setRegistering(undefined)}
        />
      )}
    </div>
  );
}

function stateOf(selection: { loading: boolean; failure: unknown }, ready: boolean): string {
  return selection.failure ? "failed" : selection.loading ? "loading" : ready ? "ready" : "empty";
}

function suggested(keys: readonly Key[]) {
  const metrics = keys.filter((each) => each.kind === "metrics" && !each.key.startsWith("system/"))
    .toSorted((left, right) => right.runs - left.runs);
  // A loss, where there is one: of that it is known which way is good.
  const one = metrics.find((each) => /val.*loss|loss.*val|loss/i.test(each.key)) ?? metrics[0];
  if (!one) return [];
  return [{ value: `metrics.${quotedKey(one.key)}`, maximize: !lowerIsBetter(one.key), weight: 1 }];
}

function dotOf(group: SelectedGroup, isGroup: boolean): Dot {
  const [first, second] = group.objectives;
  const run = group.runs[0];
  return {
    id: String(group.rank),
    label: isGroup
      ? group.values.map((each) => each.value ?? "—").join(" · ")
      : run?.name || run?.runId.slice(0, 12) || "",
    x: first!.value,
    y: second!.value,
    xs: [first!.confidenceLow, first!.confidenceHigh],
    ys: [second!.confidenceLow, second!.confidenceHigh],
    front: group.front,
  };
}
