/** Table of runs: fixed rows, of which only those in sight exist, in columns that are chosen, ordered and widened. */

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Run } from "../../contract/fleetlog/v1/run_pb.ts";
import { cellOf } from "../view/cells.ts";
import {
  type Column,
  columnTitle,
  columnWidth,
  GOODNESS,
  isBetter,
  nextOrders,
  orderOf,
  orderTerm,
} from "../view/columns.ts";
import { aligned, decimalsOf, signedNumber } from "../view/numbers.ts";
import { keep, kept, view } from "../state.ts";
import { formatRoute } from "../view/route.ts";

const ROW = 28;
const MEASURED = 200;
const BEYOND = 6;
const HEAD = 34;
const LEAD = 62;

/** What a table is given. */
export interface TableProps {
  namespace: string;
  runs: Run[];
  total: number;
  columns: Column[];
  orders: string[];
  onOrders: (orders: string[]) => void;
  more: () => void;
  /** True while rows of an older question are shown. */
  stale: boolean;
  selected: ReadonlySet<string>;
  onSelect: (ids: Set<string>) => void;
  /** Colour of the curve of each visible run. */
  colourOf: (run: string) => string | undefined;
  onVisible: (run: string) => void;
  baseline: string;
  onBaseline: (run: string) => void;
  hovered: string;
  onHover: (run: string) => void;
  onOpen: (run: string) => void;
  /** Runs that changed a moment ago. */
  changed?: ReadonlySet<string>;
  /** Runs that match no more. */
  gone?: ReadonlySet<string>;
  /** Run as it is now, beside a past moment; absent when nothing is compared, undefined of what is not there any more. */
  nowOf?: ((run: string) => Run | undefined) | undefined;
}

/** See the file. */
export function Table(props: TableProps) {
  const { runs, columns } = props;
  const scroller = useRef<HTMLDivElement>(null);
  // Of the first row in sight: what moves it by less draws nothing anew.
  const [above, setAbove] = useState(0);
  const [height, setHeight] = useState(600);
  const [focus, setFocus] = useState(0);
  const anchor = useRef(0);
  const [widths, setWidths] = useState<Record<string, number>>(() => JSON.parse(kept("widths") ?? "{}"));
  const widthOf = (column: Column) => widths[column.id] ?? columnWidth(column);
  const rows = useRef(new Map<string, { slots: number; shown: RowProps; element: JSX.Element }>());
  const latest = useRef<
    { props: TableProps; select: (at: number, event: MouseEvent) => void; setFocus: (at: number) => void }
  >(
    undefined,
  );
  const acts = useMemo((): Acts => ({
    hover: (id) => latest.current!.props.onHover(id),
    show: (id) => latest.current!.props.onVisible(id),
    focus: (at) => latest.current!.setFocus(at),
    tick: (at, event) => {
      latest.current!.setFocus(at);
      latest.current!.select(at, event);
    },
  }), []);
  // By the first page, so that nothing moves as one scrolls.
  const rooms = useMemo(() => {
    const page = runs.slice(0, MEASURED);
    return new Map(columns.map((column) => [
      column.id,
      decimalsOf(
        page.map((run) => cellOf(run, column, 0)).filter((cell) => cell.look === "number").map((cell) => cell.text),
      ),
    ]));
  }, [runs[0], runs.length < MEASURED ? runs.length : MEASURED, columns]);
  const total = columns.reduce((sum, column) => sum + widthOf(column), LEAD);
  // The thumb goes no further than what is known plus one page.
  const known = Math.min(props.total, runs.length + (runs.length < props.total ? 200 : 0));
  const first = Math.max(0, above - BEYOND);
  const last = Math.min(runs.length, above + Math.ceil(height / ROW) + 1 + BEYOND);
  const baseline = useMemo(() => runs.find((run) => run.runId === props.baseline), [runs, props.baseline]);

  useLayoutEffect(() => {
    const element = scroller.current!;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight - HEAD));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (runs.length < props.total && last + 100 > runs.length) props.more();
  }, [last, runs.length, props.total]);
  useEffect(() => {
    if (scroller.current && !props.stale) scroller.current.scrollTop = 0;
    setFocus(0);
  }, [props.orders.join("\0"), props.stale]);

  const select = (at: number, event: { shiftKey: boolean }) => {
    const ids = new Set(props.selected);
    const id = runs[at]!.runId;
    if (event.shiftKey) {
      const [low, high] = [Math.min(anchor.current, at), Math.max(anchor.current, at)];
      for (let each = low; each <= high; each++) ids.add(runs[each]!.runId);
    } else if (ids.has(id)) ids.delete(id);
    else ids.add(id);
    anchor.current = at;
    props.onSelect(ids);
  };
  const move = (to: number) => {
    const at = Math.max(0, Math.min(runs.length - 1, to));
    setFocus(at);
    props.onHover(runs[at]?.runId ?? "");
    const element = scroller.current!;
    if (at * ROW < element.scrollTop) element.scrollTop = at * ROW;
    else if ((at + 1) * ROW > element.scrollTop + height) element.scrollTop = (at + 1) * ROW - height;
  };
  const onKey = (event: KeyboardEvent) => {
    const run = runs[focus];
    const keys: Record<string, () => void> = {
      j: () => move(focus + 1),
      ArrowDown: () => move(focus + 1),
      k: () => move(focus - 1),
      ArrowUp: () => move(focus - 1),
      PageDown: () => move(focus + Math.floor(height / ROW)),
      PageUp: () => move(focus - Math.floor(height / ROW)),
      Home: () => move(0),
      End: () => move(runs.length - 1),
      x: () => run && select(focus, event),
      " ": () => run && props.onVisible(run.runId),
      b: () => run && props.onBaseline(run.runId),
      Enter: () => run && props.onOpen(run.runId),
    };
    if (event.target !== scroller.current || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) {
      return;
    }
    event.preventDefault();
    keys[event.key]!();
  };

  latest.current = { props, select, setFocus };
  const { asof } = view.value;
  const now = Math.floor(Date.now() / 1000) * 1000;
  const drawn = rows.current;
  rows.current = new Map();
  const slots = Math.ceil(height / ROW) + 1 + 2 * BEYOND;
  const rowOf = (run: Run, at: number) => {
    const id = run.runId;
    const later = props.nowOf?.(id);
    const shown: RowProps = {
      run,
      at,
      columns,
      widths,
      rooms,
      later,
      now: run.endTimeMillis === undefined ? now : 0,
      namespace: props.namespace,
      asof,
      baselineRun: id === props.baseline ? undefined : baseline,
      colour: props.colourOf(id),
      focused: at === focus,
      selected: props.selected.has(id),
      isBaseline: id === props.baseline,
      hovered: props.hovered === id,
      changed: props.changed?.has(id) ?? false,
      gone: (props.gone?.has(id) ?? false) || (props.nowOf !== undefined && !later),
      acts,
    };
    const before = drawn.get(id);
    // What is the same element as before is not looked at again.
    // A row that comes into sight takes the elements of one that left it: most of their parts are alike.
    const row = before && before.slots === slots && same(before.shown, shown)
      ? before
      : { slots, shown, element: <Row key={at % slots} {...shown} /> };
    rows.current.set(id, row);
    return row.element;
  };
  return (
    <div
      class={`grid ${props.stale ? "stale" : ""}`}
      ref={scroller}
      tabIndex={0}
      role="grid"
      aria-label="Runs"
      aria-rowcount={props.total + 1}
      data-state={props.stale ? "loading" : "ready"}
      data-total={props.total}
      data-loaded={runs.length}
      onScroll={(event) => setAbove(Math.floor(event.currentTarget.scrollTop / ROW))}
      onKeyDown={onKey}
      onMouseLeave={() => props.onHover("")}
    >
      <div class="grid-head" role="row" aria-rowindex={1} style={{ width: `${total}px` }}>
        <span
          class="cell lead"
          role="columnheader"
          aria-label="selected and visible"
          style={{ width: `${LEAD}px` }}
        />
        {columns.map((column) => (
          <Head
            key={column.id}
            column={column}
            width={widthOf(column)}
            orders={props.orders}
            onOrders={props.onOrders}
            onWidth={(width) => {
              const next = { ...widths, [column.id]: width };
              setWidths(next);
              keep("widths", JSON.stringify(next));
            }}
          />
        ))}
      </div>
      <div class="grid-rows" style={{ height: `${known * ROW}px`, width: `${total}px` }}>
        {inSlots(runs.slice(first, last).map((run, offset) => rowOf(run, first + offset)), first, slots)}
      </div>
    </div>
  );
}

// In the order of their slots, so that no element moves among the others as the table is scrolled. Where a row is seen
// its own style says, and aria-rowindex which it is.
function inSlots(rows: JSX.Element[], first: number, slots: number): JSX.Element[] {
  const turn = (slots - first % slots) % slots;
  return [...rows.slice(turn), ...rows.slice(0, turn)];
}

function Head({ column, width, orders, onOrders, onWidth }: {
  column: Column;
  width: number;
  orders: string[];
  onOrders: (orders: string[]) => void;
  onWidth: (width: number) => void;
}) {
  const order = orderOf(column, orders);
  const sortable = orderTerm(column) !== undefined;
  const kind = column.kind === "attributes" ? "" : column.kind.slice(0, -1);
  const resize = (event: PointerEvent & { currentTarget: HTMLElement }) => {
    event.preventDefault();
    event.stopPropagation();
    const handle = event.currentTarget;
    const from = event.clientX - width;
    handle.setPointerCapture(event.pointerId);
    handle.onpointermove = (moved) => onWidth(Math.max(48, Math.round(moved.clientX - from)));
    handle.onpointerup = () => handle.onpointermove = null;
  };
  return (
    <span
      class={`cell head ${numeric(column) ? "right" : ""}`}
      role="columnheader"
      aria-sort={order ? (order.descending ? "descending" : "ascending") : "none"}
      data-column={column.id}
      style={{ width: `${width}px` }}
    >
      <button
        type="button"
        disabled={!sortable}
        title={`${column.id}${sortable ? ": click to order, Shift to add" : ""}`}
        onClick={(event) => onOrders(nextOrders(column, orders, event.shiftKey))}
      >
        {kind && <i class={`kind ${kind}`} aria-hidden="true">{kind[0]}</i>}
        <span class="title">{columnTitle(column)}</span>
        {column.kind === "metrics" && column.statistic !== "last" && <em>{column.statistic}</em>}
        {order && <b aria-hidden="true">{order.descending ? "↓" : "↑"}{orders.length > 1 ? order.place + 1 : ""}</b>}
      </button>
      <i class="grip" onPointerDown={resize} aria-hidden="true" />
    </span>
  );
}

/** What a row does when it is touched. */
interface Acts {
  hover: (id: string) => void;
  show: (id: string) => void;
  focus: (at: number) => void;
  tick: (at: number, event: MouseEvent) => void;
}

/** All that a row is drawn of: one whose is the same is not drawn again. */
interface RowProps {
  run: Run;
  at: number;
  columns: Column[];
  /** Widths that were chosen, by column. */
  widths: Record<string, number>;
  /** Digits behind the point that columns have room for. */
  rooms: ReadonlyMap<string, number>;
  /** Run as it is now, beside a past moment. */
  later: Run | undefined;
  /** Unix milliseconds by which a run that has not ended is as long as it is. */
  now: number;
  namespace: string;
  asof: string;
  /** Run that its values are compared with. */
  baselineRun: Run | undefined;
  colour: string | undefined;
  focused: boolean;
  selected: boolean;
  isBaseline: boolean;
  hovered: boolean;
  changed: boolean;
  gone: boolean;
  acts: Acts;
}

function same(one: RowProps, other: RowProps): boolean {
  for (const name in one) {
    if (one[name as keyof RowProps] !== other[name as keyof RowProps]) return false;
  }
  return true;
}

function Row(props: RowProps) {
  const { run, at, columns, widths, rooms, later, now, baselineRun, colour, selected, isBaseline, acts } = props;
  const id = run.runId;
  const classes = [
    "row",
    props.focused && "focused",
    selected && "selected",
    isBaseline && "baseline",
    props.hovered && "hovered",
    props.changed && "changed",
    props.gone && "gone",
  ];
  return (
    <div
      class={classes.filter(Boolean).join(" ")}
      role="row"
      aria-rowindex={at + 2}
      aria-selected={selected}
      data-run={id}
      style={{ transform: `translateY(${at * ROW}px)` }}
      onMouseEnter={() => acts.hover(id)}
      onMouseDown={() => acts.focus(at)}
    >
      <span class="cell lead" role="gridcell" style={{ width: `${LEAD}px` }}>
        <button
          type="button"
          class="tick"
          role="checkbox"
          tabIndex={-1}
          aria-checked={selected}
          aria-label="select"
          onClick={(event) => acts.tick(at, event)}
        />
        <button
          type="button"
          class="dot"
          tabIndex={-1}
          aria-pressed={colour !== undefined}
          aria-label={colour ? "hide curve" : "show curve"}
          title={colour ? "hide curve" : "show curve"}
          style={colour ? { background: colour, borderColor: colour } : {}}
          onClick={() => acts.show(id)}
        />
      </span>
      {columns.map((column) => {
        const cell = cellOf(run, column, now);
        const against = baselineRun && cell.number !== undefined && column.kind === "metrics"
          ? cellOf(baselineRun, column, now).number
          : undefined;
        const difference = against === undefined ? undefined : cell.number! - against;
        const shownDifference = difference !== undefined && Number.isFinite(difference) ? difference : undefined;
        const text = cell.look === "number" ? aligned(cell.text, rooms.get(column.id) ?? 0) : cell.text;
        const good = GOODNESS.get(difference === undefined ? undefined : isBetter(column.key, difference)) ?? "";
        const other = later && cellOf(later, column, now);
        const differs = other !== undefined && other.whole !== cell.whole;
        return (
          <span
            key={column.id}
            data-differs={differs || undefined}
            class={`cell ${differs ? "differs" : ""} ${cell.look} ${
              numeric(column) && cell.look !== "text" ? "right" : ""
            } ${shownDifference === undefined ? "" : "with-difference"}`}
            role="gridcell"
            data-column={column.id}
            data-value={cell.whole}
            title={differs
              ? `then ${cell.whole || "missing"}, now ${other.whole || "missing"}`
              : cell.whole === cell.text
              ? undefined
              : cell.whole}
            style={{ width: `${widths[column.id] ?? columnWidth(column)}px` }}
          >
            {column.id === "name"
              ? (
                <a
                  href={runHref(props.namespace, id, props.asof)}
                  tabIndex={-1}
                  title={cell.text}
                >
                  {cell.text}
                </a>
              )
              : cell.look === "state"
              ? <span class={`badge ${cell.text}`}>{cell.text}</span>
              : cell.look === "missing"
              ? <span class="none" aria-label="missing">–</span>
              : shownDifference === undefined
              ? text
              : <span>{text}</span>}
            {shownDifference !== undefined && <small class={good}>{signedNumber(shownDifference)}</small>}
          </span>
        );
      })}
    </div>
  );
}

// Without a signal: a row that read one would be drawn anew with every change of the address.
function runHref(namespace: string, run: string, asof: string): string {
  return formatRoute({ screen: "run", namespace, run }) + (asof ? `?asof=${encodeURIComponent(asof)}` : "");
}

function numeric(column: Column): boolean {
  return column.kind === "metrics" || column.kind === "params" || column.key === "duration";
}
