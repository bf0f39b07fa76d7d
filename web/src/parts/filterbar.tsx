/** Filter bar: one text, shown as chips while it rests, with completion, and the server's word on what is wrong. */

import { useEffect, useRef, useState } from "preact/hooks";
import { call } from "../api/calls.ts";
import { asFailure, type Failure } from "../api/failure.ts";
import { type Key, readKeys, readValues, search } from "../api/reads.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import {
  chips,
  type Completion,
  completionAt,
  parsedField,
  quotedKey,
  quotedValue,
  withoutChip,
} from "../view/filter.ts";
import { view } from "../state.ts";
import { grouped } from "../view/numbers.ts";
import { useRested } from "./load.ts";

const TYPING_MILLIS = 150;
const HISTORY = 50;
const NAMES = [
  "metrics.",
  "params.",
  "tags.",
  "datasets.name",
  "state",
  "name",
  "user",
  "start_time",
  "end_time",
  "parent_run_id",
  "run_id",
];
const OPERATORS = ["=", "!=", "<", "<=", ">", ">=", "LIKE", "ILIKE", "IN (", "BETWEEN", "IS NULL", "MATCHES"];
const past: string[] = [];

interface Offer {
  text: string;
  note: string;
}

/** See the file. `onFilter` gets a text that the server understands. */
export function FilterBar({ namespace, experiment, filter, onFilter }: {
  namespace: string;
  experiment: number | undefined;
  filter: string;
  onFilter: (filter: string) => void;
}) {
  const [text, setText] = useState(filter);
  const [editing, setEditing] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const [offers, setOffers] = useState<Offer[]>([]);
  const [place, setPlace] = useState<Completion>();
  const [chosen, setChosen] = useState(-1);
  const [asked, setAsked] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const recalled = useRef(past.length);
  const rested = useRested(text, TYPING_MILLIS);
  const question = { namespace, experiment, filter: "", asof: view.value.asof };

  useEffect(() => setText(filter), [filter]);
  useEffect(() => {
    if (!rested.trim()) return setFailure(undefined);
    const abort = new AbortController();
    explain(namespace, experiment, rested, abort.signal).then((found) => abort.signal.aborted || setFailure(found));
    return () => abort.abort();
  }, [rested, namespace, experiment]);
  useEffect(() => {
    const at = editing ? completionAt(text, input.current?.selectionStart ?? text.length) : undefined;
    setPlace(at);
    setChosen(-1);
    if (!at) return setOffers([]);
    const abort = new AbortController();
    offersFor(at, question, abort.signal).then(
      (found) => abort.signal.aborted || setOffers(found),
      () => abort.signal.aborted || setOffers([]),
    );
    return () => abort.abort();
  }, [text, editing]);

  const take = (offer: Offer) => {
    if (!place) return;
    const next = text.slice(0, place.start) + offer.text + text.slice(place.end);
    setText(next);
    const caret = place.start + offer.text.length;
    requestAnimationFrame(() => input.current?.setSelectionRange(caret, caret));
  };
  const ask = async () => {
    const found = text.trim() ? await explain(namespace, experiment, text) : undefined;
    setFailure(found);
    setAsked(found !== undefined);
    if (found) {
      const caret = (found.column ?? text.length + 1) - 1;
      input.current?.setSelectionRange(caret, caret);
      return;
    }
    if (text.trim() && past[past.length - 1] !== text) past.push(text);
    if (past.length > HISTORY) past.shift();
    recalled.current = past.length;
    onFilter(text.trim());
    input.current?.blur();
  };
  const recall = (by: number) => {
    const at = recalled.current + by;
    if (at < 0 || at > past.length) return;
    recalled.current = at;
    setText(past[at] ?? "");
  };
  const onKey = (event: KeyboardEvent) => {
    const open = offers.length > 0;
    if (event.key === "Enter") {
      event.preventDefault();
      if (open && chosen >= 0) take(offers[chosen]!);
      else void ask();
    } else if (event.key === "Tab" && open) {
      event.preventDefault();
      take(offers[Math.max(0, chosen)]!);
    } else if (event.key === "ArrowDown" && open) {
      event.preventDefault();
      setChosen(Math.min(offers.length - 1, chosen + 1));
    } else if (event.key === "ArrowUp") {
      event.preventDefault();
      if (chosen >= 0) setChosen(chosen - 1);
      else recall(-1);
    } else if (event.key === "Escape") {
      setText(filter);
      input.current?.blur();
    }
  };

  const edit = () => {
    setEditing(true);
    requestAnimationFrame(() => input.current?.focus());
  };
  const terms = chips(text);
  // A text that only lacks its end is not wrong yet, until it is asked for.
  const unfinished = editing && !asked && failure?.column !== undefined && failure.column > text.trimEnd().length;
  const wrong = failure && text.trim() !== "" && !unfinished;
  const column = failure?.column;
  return (
    <div
      class={`filterbar ${wrong ? "wrong" : ""} ${editing ? "editing" : ""}`}
      data-state={wrong ? "wrong" : "fine"}
    >
      <div class="filter-box">
        <svg class="glass" viewBox="0 0 16 16" aria-hidden="true">
          <circle cx="7" cy="7" r="4.5" />
          <path d="M10.5 10.5 14 14" />
        </svg>
        {!editing && terms.length > 0 && (
          <span class="chips" onClick={edit}>
            {terms.map((chip, at) => (
              <span class="chip" key={`${at} ${chip.text}`}>
                <button type="button" onClick={edit} title="edit">{chip.text}</button>
                <button
                  type="button"
                  class="away"
                  aria-label={`remove ${chip.text}`}
                  onClick={(event) => {
                    event.stopPropagation();
                    onFilter(withoutChip(text, at));
                  }}
                >
                  ✕
                </button>
              </span>
            ))}
          </span>
        )}
        <input
          ref={input}
          class={!editing && terms.length > 0 ? "behind" : ""}
          value={text}
          placeholder="Filter: metrics.val_loss < 3.28 AND params.lr <= 1e-3"
          aria-label="Filter"
          aria-invalid={Boolean(wrong)}
          spellcheck={false}
          autocomplete="off"
          role="combobox"
          aria-expanded={editing && offers.length > 0}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setAsked(false);
          }}
          onFocus={() => setEditing(true)}
          onBlur={() => setEditing(false)}
          onKeyDown={onKey}
        />
        {text && (
          <button
            type="button"
            class="plain"
            aria-label="clear filter"
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => onFilter("")}
          >
            ✕
          </button>
        )}
      </div>
      {wrong && editing && (
        <div class="filter-error" role="alert">
          {column !== undefined && (
            <pre aria-hidden="true">{text.slice(0, column - 1).replace(/[^\n]/g, " ")}<b>^</b></pre>
          )}
          <p>{failure.message}</p>
        </div>
      )}
      {editing && offers.length > 0 && (
        <ul class={`offers ${wrong ? "below" : ""}`} role="listbox">
          {offers.map((offer, at) => (
            <li
              key={offer.text}
              role="option"
              aria-selected={at === chosen}
              class={at === chosen ? "chosen" : ""}
              onMouseDown={(event) => {
                event.preventDefault();
                take(offer);
              }}
            >
              <span>{offer.text}</span>
              <small>{offer.note}</small>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

async function explain(namespace: string, experiment: number | undefined, filter: string, signal?: AbortSignal) {
  try {
    await call(
      QueryService.method.explainSearch,
      { search: search({ namespace, experiment, filter, orders: [] }) },
      signal,
    );
    return undefined;
  } catch (error) {
    return asFailure(error);
  }
}

type Scope = { namespace: string; experiment: number | undefined; filter: string; asof: string };

async function offersFor(at: Completion, scope: Scope, signal: AbortSignal): Promise<Offer[]> {
  const begins = (text: string) => text.toLowerCase().startsWith(at.prefix.toLowerCase()) && text !== at.prefix;
  const plain = (texts: string[], note = "") => texts.filter(begins).map((text) => ({ text, note }));
  if (at.kind === "name") return plain(NAMES);
  if (at.kind === "operator") {
    return plain(OPERATORS).map((offer) => ({ ...offer, text: `${offer.text} `.replace("( ", "(") }));
  }
  if (at.kind === "join") return plain(["AND ", "OR "]);
  if (at.kind === "key") {
    const keys = await readKeys(scope, at.of as Key["kind"], at.prefix, signal);
    return keys.toSorted((left, right) => right.runs - left.runs).slice(0, 12)
      .map((each) => ({ text: quotedKey(each.key), note: `${grouped(each.runs)} runs` }))
      .filter((offer) => offer.text !== at.prefix);
  }
  const { kind, key } = parsedField(at.field);
  if (kind === "attributes" && key === "state") {
    return plain(["'RUNNING'", "'FINISHED'", "'FAILED'", "'KILLED'", "'SCHEDULED'"]);
  }
  if (kind !== "params" && kind !== "tags" && !(kind === "attributes" && (key === "user" || key === "name"))) {
    return [];
  }
  const values = await readValues(scope, kind as "params", key, at.prefix.replace(/^['"]/, ""), signal);
  return values.slice(0, 12).map((each) => ({ text: quotedValue(each.value), note: `${grouped(each.runs)} runs` }))
    .filter((offer) => offer.text !== at.prefix);
}
