/** Chooser of columns: every key that the runs have, searched, ticked, and put in order. */

import { useState } from "preact/hooks";
import type { Key, Question } from "../api/reads.ts";
import { ATTRIBUTES, type Column, columnId, columnTitle, parseColumn, STATISTICS } from "../view/columns.ts";
import { grouped } from "../view/numbers.ts";
import { useFoundKeys } from "./found_keys.ts";

const SHOWN = 200;

/** See the file. */
export function Chooser({ question, keys: held, columns, onColumns, onDefault }: {
  question: Omit<Question, "orders">;
  keys: Key[];
  columns: Column[];
  onColumns: (ids: string[]) => void;
  onDefault: () => void;
}) {
  const [text, setText] = useState("");
  const keys = useFoundKeys(question, held, text);
  const ids = columns.map((column) => column.id);
  const toggle = (id: string) => onColumns(ids.includes(id) ? ids.filter((each) => each !== id) : [...ids, id]);
  const move = (id: string, by: number) => {
    const next = ids.filter((each) => each !== id);
    next.splice(Math.max(0, ids.indexOf(id) + by), 0, id);
    onColumns(next);
  };
  const matches = (words: string) =>
    text.toLowerCase().split(/\s+/).every((word) => words.toLowerCase().includes(word));
  const offered: { column: Column; runs: number | undefined }[] = [
    ...ATTRIBUTES.map((key) => ({ column: parseColumn(key)!, runs: undefined })),
    ...keys.map((each) => ({ column: parseColumn(columnId(each.kind, each.key))!, runs: each.runs })),
  ].filter(({ column }) => matches(`${column.id} ${columnTitle(column)}`));
  return (
    <div class="chooser">
      <input
        class="field"
        value={text}
        placeholder="Search columns"
        aria-label="Search columns"
        autofocus
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <div class="lists">
        {text === "" && (
          <>
            <h4>
              Shown <button type="button" class="plain" onClick={onDefault}>suggested</button>
            </h4>
            <ul>
              {columns.map((column, at) => (
                <li key={column.id} data-shown={column.id}>
                  <label>
                    <input type="checkbox" checked onChange={() => toggle(column.id)} />
                    {column.kind !== "attributes" && <i class={`kind ${column.kind.slice(0, -1)}`}>{column.kind[0]}</i>}
                    <span>{columnTitle(column)}</span>
                  </label>
                  {column.kind === "metrics" && (
                    <select
                      aria-label={`value of ${column.key}`}
                      value={column.statistic}
                      onChange={(event) => {
                        const id = columnId(
                          "metrics",
                          column.key,
                          event.currentTarget.value as Column["statistic"],
                        );
                        onColumns(ids.map((each) => (each === column.id ? id : each)));
                      }}
                    >
                      {STATISTICS.map((each) => <option key={each}>{each}</option>)}
                    </select>
                  )}
                  <button
                    type="button"
                    class="plain"
                    aria-label={`move ${column.id} left`}
                    disabled={at === 0}
                    onClick={() => move(column.id, -1)}
                  >
                    ↑
                  </button>
                  <button
                    type="button"
                    class="plain"
                    aria-label={`move ${column.id} right`}
                    disabled={at === columns.length - 1}
                    onClick={() => move(column.id, 1)}
                  >
                    ↓
                  </button>
                </li>
              ))}
            </ul>
            <h4>All</h4>
          </>
        )}
        <ul>
          {offered.slice(0, SHOWN).map(({ column, runs }) => (
            <li key={column.id}>
              <label>
                <input
                  type="checkbox"
                  checked={columns.some((each) => each.kind === column.kind && each.key === column.key)}
                  onChange={() =>
                    toggle(
                      ids.find((id) =>
                        parseColumn(id)?.kind === column.kind &&
                        parseColumn(id)?.key === column.key
                      ) ?? column.id,
                    )}
                />
                {column.kind !== "attributes" && <i class={`kind ${column.kind.slice(0, -1)}`}>{column.kind[0]}</i>}
                <span>{columnTitle(column)}</span>
              </label>
              {runs !== undefined && <small>{grouped(runs)}</small>}
            </li>
          ))}
        </ul>
        {offered.length > SHOWN && <p class="quiet">{grouped(offered.length - SHOWN)} more: search for them</p>}
        {offered.length === 0 && <p class="quiet">No column has that name.</p>}
      </div>
    </div>
  );
}
