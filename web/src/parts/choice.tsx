/** What a selection chose: groups or runs by rank with their numbers and intervals, and who was put aside. */

import { Fragment } from "preact";
import type { SelectedGroup, Verdict } from "../../contract/fleetlog/v1/selection_pb.ts";
import { hrefOf } from "../state.ts";
import { grouped, shortNumber, wholeNumber } from "../view/numbers.ts";
import { boundsOf } from "../view/scatter.ts";
import { Interval } from "./interval.tsx";

/** See the file. */
export function Choice({ namespace, groups, groupBy, objectives, lifted, onLift, onRegister, runsHref }: {
  namespace: string;
  groups: readonly SelectedGroup[];
  groupBy: readonly string[];
  objectives: readonly string[];
  lifted: string;
  onLift: (id: string) => void;
  /** Undefined for those who may not register. */
  onRegister: ((group: SelectedGroup) => void) | undefined;
  /** Address of the runs of a group; undefined where no filter says them. */
  runsHref: (group: SelectedGroup) => string | undefined;
}) {
  const bounds = objectives.map((_, at) =>
    boundsOf(groups.flatMap((group) => {
      const of = group.objectives[at]!;
      return [of.value, of.confidenceLow, of.confidenceHigh];
    }))
  );
  const has = {
    front: groups.some((group) => group.front > 0),
    score: groups.some((each) => each.score !== undefined),
  };
  return (
    <table class="list choice">
      <thead>
        <tr>
          <th class="right">Rank</th>
          {has.front && <th class="right">Front</th>}
          {has.score && <th class="right">Score</th>}
          {groupBy.map((key) => <th key={key} title={key}>{key.replace(/^(params|tags)\./, "")}</th>)}
          {groupBy.length > 0 && <th class="right">Runs</th>}
          {objectives.map((name, at) => (
            <Fragment key={at}>
              <th class="right" title={name}>{shortName(name)}</th>
              <th class="narrow" />
            </Fragment>
          ))}
          <th class="wide">{groupBy.length > 0 ? "Best run" : "Run"}</th>
          <th aria-label="actions" />
        </tr>
      </thead>
      <tbody>
        {groups.map((group) => {
          const best = group.runs[0];
          const href = runsHref(group);
          return (
            <tr
              key={group.rank}
              data-rank={group.rank}
              class={String(group.rank) === lifted ? "lifted" : ""}
              title={group.reason}
              onMouseEnter={() => onLift(String(group.rank))}
              onMouseLeave={() => onLift("")}
            >
              <td class="right">{group.rank}</td>
              {has.front && <td class="right">{group.front}</td>}
              {has.score && <td class="right">{shortNumber(group.score ?? NaN)}</td>}
              {group.values.map((value) => (
                <td key={value.key} data-group={value.key}>{value.value ?? <span class="none">–</span>}</td>
              ))}
              {groupBy.length > 0 && (
                <td class="right" data-count={String(group.count)}>
                  {href ? <a href={href}>{grouped(group.count)}</a> : grouped(group.count)}
                </td>
              )}
              {group.objectives.map((of, at) => {
                const told = Number.isFinite(of.confidenceLow)
                  ? `${wholeNumber(of.value)}, mean between ${shortNumber(of.confidenceLow)} and ${
                    shortNumber(of.confidenceHigh)
                  }, standard deviation ${shortNumber(of.std)}`
                  : wholeNumber(of.value);
                return (
                  <Fragment key={at}>
                    <td class="right number" title={told} data-value={wholeNumber(of.value)}>
                      {shortNumber(of.value)}
                      {groupBy.length > 0 && (
                        <small class="quiet">
                          {Number.isFinite(of.confidenceHigh)
                            ? ` ± ${shortNumber(Number(((of.confidenceHigh - of.confidenceLow) / 2).toPrecision(2)))}`
                            : ""}
                        </small>
                      )}
                    </td>
                    <td class="narrow" title={told}>
                      <Interval
                        value={of.value}
                        low={of.confidenceLow}
                        high={of.confidenceHigh}
                        bounds={bounds[at]}
                        name={told}
                      />
                    </td>
                  </Fragment>
                );
              })}
              <td class="wide">
                {best && (
                  <a href={hrefOf({ screen: "run", namespace, run: best.runId })} data-run={best.runId}>
                    {best.name || best.runId.slice(0, 12)}
                  </a>
                )}
              </td>
              <td class="right narrow">
                {best && onRegister && (
                  <button type="button" class="plain" onClick={() => onRegister(group)}>register</button>
                )}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** Who was put aside: question by question, of those that came to it. */
export function Funnel({ candidates, verdicts, compared, groups }: {
  candidates: bigint;
  verdicts: readonly Verdict[];
  compared: bigint;
  /** Groups that were compared; undefined without groups. */
  groups: bigint | undefined;
}) {
  const all = Math.max(1, Number(candidates));
  const row = (name: string, left: bigint, aside: bigint) => (
    <tr data-verdict={name}>
      <td class="wide" title={name}>
        <code>{name}</code>
      </td>
      <td class="right">{aside > 0n ? `− ${grouped(aside)}` : <span class="none">0</span>}</td>
      <td class="right">{grouped(left)}</td>
      <td class="narrow">
        <svg class="share" width={140} height={10} aria-hidden="true">
          <rect width={140 * Number(left) / all} height={10} />
        </svg>
      </td>
    </tr>
  );
  return (
    <table class="list funnel">
      <thead>
        <tr>
          <th>Question</th>
          <th class="right">Put aside</th>
          <th class="right">Left</th>
          <th aria-label="actions" />
        </tr>
      </thead>
      <tbody>
        {row("all runs", candidates, 0n)}
        {verdicts.map((each) => row(each.constraint, each.asked - each.putAside, each.putAside))}
        <tr>
          <td>Compared</td>
          <td />
          <td class="right">
            <b>{grouped(compared)}</b>
            {groups !== undefined && <span class="quiet">{` in ${grouped(groups)} groups`}</span>}
          </td>
          <td />
        </tr>
      </tbody>
    </table>
  );
}

function shortName(value: string): string {
  return value.replaceAll(/\bmetrics\./g, "");
}
