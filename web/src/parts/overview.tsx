/** Overview of a run: what it was told, what it is, what it reached, and what went wrong. */

import type { Run } from "../../contract/fleetlog/v1/run_pb.ts";
import type { Changes } from "../api/edits.ts";
import { call } from "../api/calls.ts";
import { searchVersions } from "../api/models.ts";
import { search } from "../api/reads.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import { hrefOf, view } from "../state.ts";
import { paramCell } from "../view/cells.ts";
import { duration, grouped, localTime, shortNumber, utcTime, wholeNumber } from "../view/numbers.ts";
import { stateWord } from "../view/run_words.ts";
import { Fact, Section } from "./facts.tsx";
import { useLoad } from "./load.ts";
import { Note } from "./note.tsx";
import { Tags } from "./tags.tsx";
import { Stage } from "./versions.tsx";
import { Writers } from "./writers.tsx";

const NOTES = ["note", "mlflow.note.content"];

/** See the file. */
export function Overview(
  { namespace, run, version, onEdit }: {
    namespace: string;
    run: Run;
    /** Version of what a watch told of the run. */
    version: string;
    onEdit: (changes: Changes) => void;
  },
) {
  const start = Number(run.startTimeMillis);
  const end = run.endTimeMillis === undefined ? undefined : Number(run.endTimeMillis);
  const children = useLoad(
    `${namespace} ${run.runId} ${view.value.asof}`,
    (signal) =>
      call(QueryService.method.searchRuns, {
        ...search({
          namespace,
          experiment: undefined,
          filter: `parent_run_id = '${run.runId}'`,
          orders: [],
          asof: view.value.asof,
        }),
        readMask: ["attributes"],
      }, signal),
  );
  const registered = useLoad(
    `${namespace} ${run.runId} ${view.value.asof}`,
    (signal) =>
      searchVersions({ namespace, asof: view.value.asof, atLeast: undefined }, { runIds: [run.runId] }, "", signal),
  );
  const versions = registered.value?.items ?? [];
  const noteKey = NOTES.find((key) => run.tags[key] !== undefined) ?? "note";
  const tags = Object.keys(run.tags).filter((key) => !NOTES.includes(key)).sort();
  return (
    <div class="overview">
      <div class="facts">
        <Fact name="Started">
          <span title={utcTime(start)}>{localTime(start)}</span>
        </Fact>
        <Fact name={end === undefined ? "Running for" : "Took"}>{duration((end ?? Date.now()) - start)}</Fact>
        {end !== undefined && (
          <Fact name="Ended">
            <span title={utcTime(end)}>{localTime(end)}</span>
          </Fact>
        )}
        {run.user && <Fact name="User">{run.user}</Fact>}
        <Fact name="Run id">
          <code>{run.runId}</code>
        </Fact>
        {run.parentRunId && (
          <Fact name="Part of">
            <a href={hrefOf({ screen: "run", namespace, run: run.parentRunId })}>
              {run.parentRunId.slice(0, 12)}…
            </a>
          </Fact>
        )}
      </div>
      <Note
        text={run.tags[noteKey] ?? ""}
        onText={(text) => onEdit(text ? { tags: { [noteKey]: text } } : { deletedTags: [noteKey] })}
      />
      {run.problems.length > 0 && (
        <Section title="Problems" count={run.problems.length} bad>
          <table class="pairs">
            <tbody>
              {run.problems.map((each, at) => (
                <tr key={at}>
                  <th>
                    <code>{each.reason}</code>
                  </th>
                  <td>
                    {each.message}
                    {each.points > 0n && <b>{` ${grouped(each.points)} points lost`}</b>}
                  </td>
                  <td class="right quiet" title={utcTime(Number(each.ingestTimeMillis))}>
                    {localTime(Number(each.ingestTimeMillis))}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Section>
      )}
      <div class="columns">
        <Section title="Metrics" count={run.metrics.length}>
          <table class="pairs numbers">
            <thead>
              <tr>
                <th>Key</th>
                <th class="right">Last</th>
                <th class="right">Min</th>
                <th class="right">Max</th>
                <th class="right">Step</th>
                <th class="right">Points</th>
              </tr>
            </thead>
            <tbody>
              {run.metrics.map((each) => (
                <tr key={each.key} data-metric={each.key}>
                  <th title={each.key}>{each.key}</th>
                  <td
                    class="right"
                    title={wholeNumber(each.last)}
                    data-value={wholeNumber(each.last)}
                  >
                    {shortNumber(each.last)}
                  </td>
                  <td
                    class="right"
                    title={each.range &&
                      `${wholeNumber(each.range.min)} at step ${each.range.minStep}`}
                  >
                    {each.range ? shortNumber(each.range.min) : "–"}
                  </td>
                  <td
                    class="right"
                    title={each.range &&
                      `${wholeNumber(each.range.max)} at step ${each.range.maxStep}`}
                  >
                    {each.range ? shortNumber(each.range.max) : "–"}
                  </td>
                  <td class="right quiet">{grouped(each.lastStep)}</td>
                  <td class="right quiet">{each.range ? grouped(each.range.count) : "–"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Section>
        <div>
          <Section title="Params" count={run.params.length}>
            <table class="pairs">
              <tbody>
                {run.params.map((each) => {
                  const cell = paramCell(each);
                  return (
                    <tr key={each.key}>
                      <th title={each.key}>{each.key}</th>
                      <td title={cell.whole}>
                        {cell.look === "number" || cell.look === "odd" ? cell.whole : cell.text}
                      </td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </Section>
          <Tags tags={run.tags} keys={tags} onEdit={onEdit} />
          {run.datasets.length > 0 && (
            <Section title="Datasets" count={run.datasets.length}>
              <table class="pairs">
                <tbody>
                  {run.datasets.map((each, at) => (
                    <tr key={at}>
                      <th>{each.name}</th>
                      <td>
                        <code>{each.digest || "–"}</code>
                      </td>
                      <td class="quiet">{each.context}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </Section>
          )}
          {versions.length > 0 && (
            <Section title="Models" count={versions.length}>
              <table class="pairs">
                <tbody>
                  {versions.map((each) => (
                    <tr key={`${each.name} ${each.version}`} data-registered={each.name}>
                      <th>
                        <a href={hrefOf({ screen: "version", namespace, model: each.name, version: each.version })}>
                          {each.name}, version {String(each.version)}
                        </a>
                      </th>
                      <td>
                        <Stage stage={each.stage} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </Section>
          )}
          {!view.value.asof && <Writers namespace={namespace} run={run.runId} version={version} />}
          {children.value && children.value.runs.length > 0 && (
            <Section title="Children" count={children.value.runs.length}>
              <table class="pairs">
                <tbody>
                  {children.value.runs.map((each) => (
                    <tr key={each.runId}>
                      <th>
                        <a href={hrefOf({ screen: "run", namespace, run: each.runId })}>
                          {each.name || each.runId.slice(0, 12)}
                        </a>
                      </th>
                      <td>
                        <span class={`badge ${stateWord(each.state)}`}>
                          {stateWord(each.state)}
                        </span>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </Section>
          )}
        </div>
      </div>
    </div>
  );
}
