/** Menu of facets: what the keys of the runs that match are like, as histograms and values that become terms. */

import { useState } from "preact/hooks";
import { describeKey, type Description, type Key, type Question, readValues } from "../api/reads.ts";
import { binWords, fieldOf, heights, rangeTerm, valueTerm, withRange } from "../view/facets.ts";
import { withTerm } from "../view/filter.ts";
import { grouped, shortNumber, wholeNumber } from "../view/numbers.ts";
import { useFoundKeys } from "./found_keys.ts";
import { useLoad } from "./load.ts";
import { Menu } from "./menu.tsx";
import { Failed } from "./states.tsx";

const SHOWN_KEYS = 100;
const SHOWN_VALUES = 12;
const BINS = 24;

interface FacetsProps {
  question: Omit<Question, "orders">;
  keys: Key[];
  onFilter: (filter: string) => void;
}

/** See the file. `question`: whose runs are counted. */
export function FacetsMenu(props: FacetsProps) {
  return (
    <Menu label="Facets" name="facets" title="values of the runs that match, to filter by" right>
      {() => <Facets {...props} />}
    </Menu>
  );
}

function Facets({ question, keys: held, onFilter }: FacetsProps) {
  const [text, setText] = useState("");
  const keys = useFoundKeys(question, held, text);
  const [open, setOpen] = useState<string>();
  const wanted = text.toLowerCase();
  const offered = keys.filter((each) => `${each.kind}.${each.key}`.toLowerCase().includes(wanted))
    .toSorted((left, right) => right.runs - left.runs);
  return (
    <div class="chooser facets">
      <input
        class="field"
        value={text}
        placeholder="Search params, tags and metrics"
        aria-label="Search facets"
        autofocus
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <div class="lists">
        <ul>
          {offered.slice(0, SHOWN_KEYS).map((each) => {
            const field = fieldOf(each.kind, each.key);
            return (
              <li key={field} class={open === field ? "open" : ""} data-facet={field}>
                <button
                  type="button"
                  class="facet-name"
                  aria-expanded={open === field}
                  onClick={() => setOpen(open === field ? undefined : field)}
                >
                  <i class={`kind ${each.kind.slice(0, -1)}`} aria-hidden="true">{each.kind[0]}</i>
                  <span>{each.key}</span>
                  <small>{grouped(each.runs)}</small>
                </button>
                {open === field && <Facet question={question} facet={each} onFilter={onFilter} />}
              </li>
            );
          })}
        </ul>
        {offered.length > SHOWN_KEYS && (
          <p class="quiet">{grouped(offered.length - SHOWN_KEYS)} more: search for them</p>
        )}
        {offered.length === 0 && <p class="quiet">No key has that name.</p>}
      </div>
    </div>
  );
}

function Facet({ question, facet, onFilter }: {
  question: Omit<Question, "orders">;
  facet: Key;
  onFilter: (filter: string) => void;
}) {
  const field = fieldOf(facet.kind, facet.key);
  const found = useLoad(
    JSON.stringify([question, field]),
    async (signal) => {
      const described = await describeKey(question, facet, BINS, signal);
      const asValues = facet.kind !== "metrics" &&
        (described.numericRuns === 0 || described.distinct <= SHOWN_VALUES);
      const values = asValues ? await readValues(question, facet.kind, facet.key, "", signal) : undefined;
      return { described, values };
    },
  );
  if (found.failure) return <Failed failure={found.failure} retry={found.retry} />;
  if (!found.value) return <p class="quiet" data-state="loading">…</p>;
  const { described, values } = found.value;
  return (
    <div class={`facet ${found.loading ? "stale" : ""}`} data-state={found.loading ? "loading" : "ready"}>
      <p class="quiet" data-distinct={described.distinct}>{summary(described)}</p>
      {values
        ? (
          <ul class="facet-values">
            {values.slice(0, SHOWN_VALUES).map((each) => (
              <li key={each.value}>
                <button
                  type="button"
                  title={each.value}
                  data-value={each.value}
                  onClick={() =>
                    onFilter(
                      withTerm(question.filter, valueTerm(field, each.value, facet.kind === "tags")),
                    )}
                >
                  <b style={{ width: `${100 * each.runs / described.runs}%` }} aria-hidden="true" />
                  <span>{each.value || "(empty)"}</span>
                  <small>{grouped(each.runs)}</small>
                </button>
              </li>
            ))}
          </ul>
        )
        : (
          <Histogram
            described={described}
            name={field}
            onRange={(from, to) =>
              onFilter(withRange(question.filter, field, rangeTerm(field, described.bins, from, to)))}
          />
        )}
    </div>
  );
}

function summary(described: Description): string {
  const many = (count: number, one: string) => `${grouped(count)} ${count === 1 ? one : `${one}s`}`;
  const words = [many(described.runs, "run"), many(described.distinct, "value")];
  if (described.outside > 0) words.push(`${grouped(described.outside)} infinite`);
  return words.join(" · ");
}

function Histogram({ described, name, onRange }: {
  described: Description;
  name: string;
  onRange: (from: number, to: number) => void;
}) {
  const [drawn, setDrawn] = useState<[number, number]>();
  const { bins, isLog } = described;
  if (bins.length === 0) return <p class="quiet">No number to show.</p>;
  const high = heights(bins);
  const last = bins.length - 1;
  const inside = (at: number) => drawn !== undefined && at >= Math.min(...drawn) && at <= Math.max(...drawn);
  const done = () => {
    if (drawn) onRange(...drawn);
    setDrawn(undefined);
  };
  return (
    <div class="histogram">
      <div
        class="bars"
        role="group"
        aria-label={`histogram of ${name}`}
        onPointerUp={done}
        onPointerLeave={() => setDrawn(undefined)}
      >
        {bins.map((bin, at) => (
          <button
            key={at}
            type="button"
            class={inside(at) ? "inside" : ""}
            title={binWords(bin, at === last)}
            aria-label={binWords(bin, at === last)}
            data-low={wholeNumber(bin.low)}
            data-high={wholeNumber(bin.high)}
            data-runs={bin.runs}
            onPointerDown={(event) => {
              event.currentTarget.releasePointerCapture(event.pointerId);
              setDrawn([at, at]);
            }}
            onPointerEnter={() => drawn && setDrawn([drawn[0], at])}
            onKeyDown={(event) => {
              if (event.key !== "Enter" && event.key !== " ") return;
              event.preventDefault();
              onRange(at, at);
            }}
          >
            <i style={{ height: `${100 * high[at]!}%` }} />
          </button>
        ))}
      </div>
      <p class="ends">
        <span>{shortNumber(bins[0]!.low)}</span>
        {isLog && <span class="quiet">logarithmic</span>}
        <span>{shortNumber(bins[last]!.high)}</span>
      </p>
    </div>
  );
}
