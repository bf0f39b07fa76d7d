/** Table of runs: fixed rows, of which only those in sight exist, in columns that are chosen, ordered and widened. */

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
import { hrefOf, keep, kept } from "../state.ts";

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
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const [focus, setFocus] = useState(0);
  const anchor = useRef(0);
  const [widths, setWidths] = useState<Record<string, number>>(() => JSON.parse(kept("widths") ?? "{}"));
  const widthOf = (column: Column) => widths[column.id] ?? columnWidth(column);
  // By the first page, so that nothing moves as one scrolls.
  const rooms = useMemo(() => {
    const page = runs.slice(0, MEASURED);
    return new Map(columns.map((column) => [
      column.id,
      decimalsOf(
        page.map((run) => cellOf(run, column, 0)).filter((cell) => cell.look === "number").map((cell) => cell.text),
      ),
    ]));
  }, [runs, columns]);
  const total = columns.reduce((sum, column) => sum + widthOf(column), LEAD);
  // The thumb goes no further than what is known plus one page.
  const known = Math.min(props.total, runs.length + (runs.length < props.total ? 200 : 0));
  const first = Math.max(0, Math.floor(top / ROW) - BEYOND);
  const last = Math.min(runs.length, Math.ceil((top + height) / ROW) + BEYOND);
  const baseline = runs.find((run) => run.runId === props.baseline);

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

  const now = Date.now();
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
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
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
        {runs.slice(first, last).map((run, offset) => {
          const at = first + offset;
          return (
            <Row
              key={run.runId}
              {...props}
              run={run}
              at={at}
              focused={at === focus}
              baselineRun={baseline}
              widthOf={widthOf}
              roomOf={(each) => rooms.get(each.id) ?? 0}
              now={now}
              onTick={(event) => {
                setFocus(at);
                select(at, event);
              }}
              onFocus={() => setFocus(at)}
            />
          );
        })}
      </div>
    </div>
  );
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

function Row(
  { run, at, focused, baselineRun, widthOf, roomOf, now, onTick, onFocus, ...props }: TableProps & {
    run: Run;
    at: number;
    focused: boolean;
    baselineRun: Run | undefined;
    widthOf: (column: Column) => number;
    /** Digits behind the point that a column has room for. */
    roomOf: (column: Column) => number;
    now: number;
    onTick: (event: MouseEvent) => void;
    onFocus: () => void;
  },
) {
  const id = run.runId;
  const later = props.nowOf?.(id);
  const colour = props.colourOf(id);
  const selected = props.selected.has(id);
  const isBaseline = id === props.baseline;
  const classes = [
    "row",
    focused && "focused",
    selected && "selected",
    isBaseline && "baseline",
    props.hovered === id && "hovered",
    props.changed?.has(id) && "changed",
    (props.gone?.has(id) || (props.nowOf && !later)) && "gone",
  ];
  return (
    <div
      class={classes.filter(Boolean).join(" ")}
      role="row"
      aria-rowindex={at + 2}
      aria-selected={selected}
      data-run={id}
      style={{ transform: `translateY(${at * ROW}px)` }}
      onMouseEnter={() => props.onHover(id)}
      onMouseDown={onFocus}
    >
      <span class="cell lead" role="gridcell" style={{ width: `${LEAD}px` }}>
        <button
          type="button"
          class="tick"
          role="checkbox"
          tabIndex={-1}
          aria-checked={selected}
          aria-label="select"
          onClick={onTick}
        />
        <button
          type="button"
          class="dot"
          tabIndex={-1}
          aria-pressed={colour !== undefined}
          aria-label={colour ? "hide curve" : "show curve"}
          title={colour ? "hide curve" : "show curve"}
          style={colour ? { background: colour, borderColor: colour } : {}}
          onClick={() => props.onVisible(id)}
        />
      </span>
      {props.columns.map((column) => {
        const cell = cellOf(run, column, now);
        const against = baselineRun && !isBaseline && cell.number !== undefined && column.kind === "metrics"
          ? cellOf(baselineRun, column, now).number
          : undefined;
        const difference = against === undefined ? undefined : cell.number! - against;
        const good = GOODNESS.get(difference === undefined ? undefined : isBetter(column.key, difference)) ?? "";
        const other = later && cellOf(later, column, now);
        const differs = other !== undefined && other.whole !== cell.whole;
        return (
          <span
            key={column.id}
            data-differs={differs || undefined}
            class={`cell ${differs ? "differs" : ""} ${cell.look} ${
              numeric(column) && cell.look !== "text" ? "right" : ""
            }`}
            role="gridcell"
            data-column={column.id}
            data-value={cell.whole}
            title={differs
              ? `then ${cell.whole || "missing"}, now ${other.whole || "missing"}`
              : cell.whole === cell.text
              ? undefined
              : cell.whole}
            style={{ width: `${widthOf(column)}px` }}
          >
            {column.id === "name"
              ? (
                <a
                  href={hrefOf({ screen: "run", namespace: props.namespace, run: id })}
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
              : (
                <span title={differs ? undefined : cell.whole}>
                  {cell.look === "number" ? aligned(cell.text, roomOf(column)) : cell.text}
                </span>
              )}
            {difference !== undefined && Number.isFinite(difference) && (
              <small class={good}>{signedNumber(difference)}</small>
            )}
          </span>
        );
      })}
    </div>
  );
}

function numeric(column: Column): boolean {
  return column.kind === "metrics" || column.kind === "params" || column.key === "duration";
}
