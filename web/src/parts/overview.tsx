/** Overview of a run: what it was told, what it is, what it reached, and what went wrong. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Run } from "../../contract/fleetlog/v1/run_pb.ts";
import type { Changes } from "../api/edits.ts";
import { call } from "../api/calls.ts";
import { search } from "../api/reads.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import { hrefOf, view } from "../state.ts";
import { paramCell } from "../view/cells.ts";
import { duration, grouped, localTime, shortNumber, utcTime, wholeNumber } from "../view/numbers.ts";
import { stateWord } from "../view/run_words.ts";
import { useLoad } from "./load.ts";
import { Note } from "./note.tsx";

const NOTES = ["note", "mlflow.note.content"];

/** See the file. */
export function Overview(
  { namespace, run, onEdit }: { namespace: string; run: Run; onEdit: (changes: Changes) => void },
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
          <Section title="Tags" count={tags.length}>
            <table class="pairs">
              <tbody>
                {tags.map((key) => (
                  <tr key={key} data-tag={key}>
                    <th title={key}>{key}</th>
                    <td>
                      <Editable
                        value={run.tags[key]!}
                        name={key}
                        onValue={(value) => onEdit({ tags: { [key]: value } })}
                      />
                    </td>
                    <td class="right">
                      <button
                        type="button"
                        class="plain"
                        aria-label={`remove tag ${key}`}
                        onClick={() => onEdit({ deletedTags: [key] })}
                      >
                        ✕
                      </button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
            <NewTag onTag={(key, value) => onEdit({ tags: { [key]: value } })} />
          </Section>
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

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Section(
  { title, count, children, bad }: { title: string; count: number; children: ComponentChildren; bad?: boolean },
) {
  return (
    <section class={`section ${bad ? "bad" : ""}`} data-section={title.toLowerCase()}>
      <h2>
        {title} <small>{grouped(count)}</small>
      </h2>
      {count === 0 ? <p class="quiet none">none</p> : null}
      {children}
    </section>
  );
}

function Editable({ value, name, onValue }: { value: string; name: string; onValue: (value: string) => void }) {
  const [editing, setEditing] = useState(false);
  if (!editing) {
    return (
      <button type="button" class="editable" title={value} onClick={() => setEditing(true)}>
        {value || <i class="quiet">empty</i>}
      </button>
    );
  }
  const done = (next: string) => {
    setEditing(false);
    if (next !== value) onValue(next);
  };
  return (
    <input
      class="field"
      aria-label={`value of tag ${name}`}
      autofocus
      defaultValue={value}
      onKeyDown={(event) => {
        if (event.key === "Enter") done(event.currentTarget.value);
        if (event.key === "Escape") setEditing(false);
      }}
      onBlur={(event) => done(event.currentTarget.value)}
    />
  );
}

function NewTag({ onTag }: { onTag: (key: string, value: string) => void }) {
  const [open, setOpen] = useState(false);
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  if (!open) return <button type="button" class="plain" data-edit="tag" onClick={() => setOpen(true)}>+ tag</button>;
  const add = () => {
    if (!key.trim()) return;
    onTag(key.trim(), value);
    setKey("");
    setValue("");
    setOpen(false);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter") add();
    if (event.key === "Escape") setOpen(false);
  };
  return (
    <div class="new-tag">
      <input
        class="field"
        placeholder="key"
        aria-label="key of the new tag"
        autofocus
        value={key}
        onInput={(event) => setKey(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <input
        class="field"
        placeholder="value"
        aria-label="value of the new tag"
        value={value}
        onInput={(event) => setValue(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <button type="button" class="button" disabled={!key.trim()} onClick={add}>Add</button>
    </div>
  );
}
