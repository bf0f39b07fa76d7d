/** Plot of curves over uPlot: lines by it; bands, extremes, the lifted curve and the tooltip by us. */

import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import uPlot from "uplot";
import { extremes } from "../view/extremes.ts";
import { boundsOf, extentOf, nearOn, pixelsOf } from "../view/scales.ts";
import { duration, grouped, localTime, shortNumber, wholeNumber } from "../view/numbers.ts";
import { placed, unionOfXs } from "../view/series.ts";
import { logTicks, tickLabel } from "../view/ticks.ts";
import { type Curve, nearest } from "./curves.ts";

const BANDS = 12;
const DOTS = 400;
const INKS = {
  light: { text: "#69707d", grid: "#e9ebef", axis: "#cdd1d9" },
  dark: { text: "#8b93a1", grid: "#23272e", axis: "#3a404a" },
};

/** What a plot is given. */
export interface PlotProps {
  title: string;
  curves: Curve[];
  x: { kind: string; log: boolean; range: [number, number] | undefined };
  logY: boolean;
  ground: "light" | "dark";
  height: number;
  /** Curve that is lifted. */
  lifted: string;
  onLift: (id: string) => void;
  onPick: (id: string) => void;
  onZoom: (range: [number, number] | undefined) => void;
}

/** See the file. */
export function Plot(props: PlotProps) {
  const root = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const overlay = useRef<HTMLCanvasElement>(null);
  const tooltip = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const told = useMemo(() => sentence(props.title, props.curves), [props.title, props.curves]);
  const points = useMemo(() => props.curves.reduce((sum, curve) => sum + curve.xs.length, 0), [props.curves]);

  useLayoutEffect(() => {
    const element = root.current!;
    const created = new uPlot(
      options(latest, element.clientWidth, overlay, tooltip),
      dataOf(props.curves),
      element,
    );
    plot.current = created;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0 && element.clientWidth !== created.width) {
        created.setSize({ width: element.clientWidth, height: latest.current.height });
      }
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      created.destroy();
      plot.current = undefined;
    };
  }, [props.curves, props.x.kind, props.x.log, props.x.range?.join(), props.logY, props.ground, props.height]);

  useEffect(() => lift(plot.current, overlay.current, props.curves.find((curve) => curve.id === props.lifted)), [
    props.lifted,
    props.curves,
  ]);

  return (
    <div
      class="plot"
      ref={root}
      role="img"
      aria-label={told}
      data-curves={props.curves.length}
      data-points={points}
      data-raw={props.curves.every((curve) => curve.raw)}
      onMouseLeave={() => {
        props.onLift("");
        tooltip.current!.hidden = true;
      }}
      onDblClick={() => props.onZoom(undefined)}
    >
      <canvas class="lifted" ref={overlay} />
      <div class="tooltip" ref={tooltip} aria-live="polite" hidden />
    </div>
  );
}

function dataOf(curves: Curve[]): uPlot.AlignedData {
  const union = unionOfXs(curves);
  return [union, ...curves.map((curve) => placed(union, curve.xs, curve.line))] as unknown as uPlot.AlignedData;
}

function options(
  latest: { current: PlotProps },
  width: number,
  overlay: { current: HTMLCanvasElement | null },
  tooltip: { current: HTMLDivElement | null },
): uPlot.Options {
  const { curves, x, logY, ground, height } = latest.current;
  const ink = INKS[ground];
  const few = curves.length <= BANDS;
  const bounds = boundsOf(curves, logY);
  const axis = {
    stroke: ink.text,
    font: "11px system-ui, sans-serif",
    grid: { stroke: ink.grid, width: 1 },
    ticks: { stroke: ink.axis, width: 1, size: 4 },
    gap: 4,
  };
  const label = (kind: string) => (_: uPlot, splits: (number | null)[]) => {
    const distance = Math.abs((splits[1] ?? 0) - (splits[0] ?? 0));
    return splits.map((value) =>
      value === null ? "" : kind === "relative" ? duration(value) : tickLabel(value, kind === "log" ? 0 : distance)
    );
  };
  const logs = (u: uPlot, place: number) => {
    const scale = u.scales[u.axes[place]!.scale!]!;
    return logTicks(scale.min!, scale.max!);
  };
  return {
    width: Math.max(width, 50),
    height,
    ms: 1,
    padding: [8, 12, 0, 0],
    legend: { show: false },
    cursor: {
      drag: { x: true, y: false, setScale: false },
      points: { show: false },
      sync: { key: "cards", scales: ["x", null] },
    },
    scales: {
      x: { time: x.kind === "time", distr: x.log ? 3 : 1, ...(x.range ? { range: () => x.range! } : {}) },
      y: { distr: logY ? 3 : 1, range: () => bounds },
    },
    axes: [
      {
        ...axis,
        size: 26,
        space: 60,
        ...(x.log ? { splits: logs, filter: (_: uPlot, splits: number[]) => splits } : {}),
        ...(x.kind === "time" ? {} : { values: label(x.log ? "log" : x.kind) }),
      },
      {
        ...axis,
        size: 54,
        space: 28,
        ...(logY ? { splits: logs, filter: (_: uPlot, splits: number[]) => splits } : {}),
        values: label(logY ? "log" : ""),
      },
    ],
    series: [
      {},
      ...curves.map((curve) => ({
        stroke: curve.colour,
        width: few ? 1.5 : 1,
        spanGaps: false,
        points: {
          show: curve.raw && curve.xs.length <= DOTS && curves.length <= BANDS,
          size: 4,
          fill: curve.colour,
          width: 0,
        },
      })),
    ],
    hooks: {
      drawAxes: [(u) => {
        for (const curve of latest.current.curves) {
          if (few) band(u, curve);
          if (curve.unsmoothed) {
            trace(u.ctx, u, curve.xs, curve.unsmoothed, curve.colour, 0.22, 1, devicePixelRatio);
          }
        }
      }],
      draw: [(u) => {
        for (const curve of latest.current.curves) if (curve.ofValues) spikes(u, curve);
      }],
      ready: [(u) => {
        u.over.append(overlay.current!, tooltip.current!);
        lift(u, overlay.current, latest.current.curves.find((curve) => curve.id === latest.current.lifted));
        u.over.addEventListener("click", () => {
          const at = under(u, latest.current.curves);
          if (at && u.select.width < 3) latest.current.onPick(at.curve.id);
        });
      }],
      setSize: [
        (u) => lift(u, overlay.current, latest.current.curves.find((curve) => curve.id === latest.current.lifted)),
      ],
      setCursor: [(u) => {
        const own = u.over.matches(":hover");
        const at = own ? under(u, latest.current.curves) : undefined;
        if (own) latest.current.onLift(at?.curve.id ?? "");
        tell(u, tooltip.current, at, latest.current.x.kind);
      }],
      setSelect: [(u) => {
        if (u.select.width < 4) return;
        const low = u.posToVal(u.select.left, "x");
        const high = u.posToVal(u.select.left + u.select.width, "x");
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        if (high > low) latest.current.onZoom([low, high]);
      }],
    },
  };
}

// Pixels of the canvas: a function that is asked for each value of each curve, so its scale is looked at once.
function toX(u: uPlot): (x: number) => number {
  return pixelsOf(u.scales["x"]!, u.bbox.left, u.bbox.left + u.bbox.width);
}

function toY(u: uPlot): (y: number) => number {
  return pixelsOf(u.scales["y"]!, u.bbox.top + u.bbox.height, u.bbox.top);
}

function band(u: uPlot, curve: Curve): void {
  const ctx = u.ctx;
  ctx.save();
  clip(u);
  ctx.globalAlpha = 0.14;
  ctx.fillStyle = curve.colour;
  const [across, up] = [toX(u), toY(u)];
  let begun = -1;
  const close = (end: number) => {
    if (begun >= 0 && end - begun > 1) {
      ctx.beginPath();
      for (let at = begun; at < end; at++) {
        ctx.lineTo(across(curve.xs[at]!), up(curve.highs[at]!));
      }
      for (let at = end - 1; at >= begun; at--) {
        ctx.lineTo(across(curve.xs[at]!), up(curve.lows[at]!));
      }
      ctx.fill();
    }
    begun = -1;
  };
  for (let at = 0; at < curve.xs.length; at++) {
    const there = Number.isFinite(curve.lows[at]!) && Number.isFinite(curve.highs[at]!);
    if (there && begun < 0) begun = at;
    if (!there) close(at);
  }
  close(curve.xs.length);
  ctx.restore();
}

function spikes(u: uPlot, curve: Curve): void {
  const ctx = u.ctx;
  const columns = extremes(
    { xs: curve.xs, lines: curve.line, mins: curve.lows, maxs: curve.highs },
    toX(u),
    toY(u),
    3 * devicePixelRatio,
    nearOn(u.scales["y"]!, u.bbox.height, 3 * devicePixelRatio),
  );
  if (columns.length === 0) return;
  ctx.save();
  clip(u);
  ctx.globalAlpha = 0.45;
  ctx.strokeStyle = curve.colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  for (const column of columns) {
    ctx.moveTo(column.x + 0.5, column.low);
    ctx.lineTo(column.x + 0.5, column.high);
  }
  ctx.stroke();
  ctx.restore();
}

function clip(u: uPlot): void {
  u.ctx.beginPath();
  u.ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  u.ctx.clip();
}

function trace(
  ctx: CanvasRenderingContext2D,
  u: uPlot,
  xs: Float64Array,
  ys: Float64Array,
  colour: string,
  alpha: number,
  width: number,
  ratio: number,
  own = true,
): void {
  ctx.save();
  if (own) clip(u);
  ctx.globalAlpha = alpha;
  ctx.strokeStyle = colour;
  ctx.lineWidth = width * ratio;
  ctx.lineJoin = "round";
  ctx.beginPath();
  let drawing = false;
  // A canvas of its own begins where the picture does.
  const [left, top] = own ? [0, 0] : [u.bbox.left, u.bbox.top];
  const [across, up] = [toX(u), toY(u)];
  for (let at = 0; at < xs.length; at++) {
    if (Number.isNaN(ys[at]!)) {
      drawing = false;
      continue;
    }
    const [px, py] = [across(xs[at]!) - left, up(ys[at]!) - top];
    if (drawing) ctx.lineTo(px, py);
    else ctx.moveTo(px, py);
    drawing = true;
  }
  ctx.stroke();
  ctx.restore();
}

// On a canvas of its own above the others: no curve is drawn anew when the cursor moves.
function lift(u: uPlot | undefined, canvas: HTMLCanvasElement | null, curve: Curve | undefined): void {
  if (!u || !canvas) return;
  const ratio = devicePixelRatio;
  canvas.width = u.over.clientWidth * ratio;
  canvas.height = u.over.clientHeight * ratio;
  canvas.dataset["curve"] = curve?.id ?? "";
  const ctx = canvas.getContext("2d");
  if (ctx && curve) trace(ctx, u, curve.xs, curve.line, curve.colour, 1, 2.5, ratio, false);
}

interface Under {
  curve: Curve;
  at: number;
}

function under(u: uPlot, curves: Curve[]): Under | undefined {
  const { left, top } = u.cursor;
  if (left === undefined || top === undefined || left < 0 || top < 0) return undefined;
  const x = u.posToVal(left, "x");
  let best: Under | undefined;
  let distance = 40;
  for (const curve of curves) {
    const at = nearest(curve.xs, x);
    if (at < 0 || Number.isNaN(curve.line[at]!)) continue;
    const gap = Math.hypot((u.valToPos(curve.xs[at]!, "x") - left) / 2, u.valToPos(curve.line[at]!, "y") - top);
    if (gap < distance) {
      distance = gap;
      best = { curve, at };
    }
  }
  return best;
}

function tell(u: uPlot, tooltip: HTMLDivElement | null, found: Under | undefined, kind: string): void {
  if (!tooltip) return;
  tooltip.hidden = !found;
  if (!found) return;
  const { curve, at } = found;
  const x = curve.xs[at]!;
  const next = curve.xs[at + 1];
  const place = kind === "time" ? localTime(x) : kind === "relative" ? duration(x) : `step ${grouped(x)}`;
  const until = curve.raw || kind !== "step" || next === undefined || curve.counts[at]! <= 1
    ? ""
    : `–${grouped(next - 1)}`;
  const value = curve.raw && curve.ofValues && !curve.unsmoothed
    ? wholeNumber(curve.line[at]!)
    : shortNumber(curve.line[at]!);
  const range = curve.raw && curve.ofValues
    ? ""
    : ` [${shortNumber(curve.lows[at]!)}, ${shortNumber(curve.highs[at]!)}]`;
  const count = curve.raw && curve.ofValues ? "" : ` · n = ${grouped(curve.counts[at]!)}`;
  const line = (className: string, text: string) => {
    const element = document.createElement("div");
    element.className = className;
    element.textContent = text;
    return element;
  };
  const name = line("name", curve.label);
  name.style.color = curve.colour;
  tooltip.replaceChildren(name, line("value", `${value}${range}`), line("place", `${place}${until}${count}`));
  const left = u.valToPos(x, "x");
  const wide = tooltip.offsetWidth;
  tooltip.style.left = `${left + 14 + wide > u.over.clientWidth ? Math.max(0, left - wide - 14) : left + 14}px`;
  tooltip.style.top = "4px";
}

function sentence(title: string, curves: Curve[]): string {
  if (curves.length === 0) return `${title}: no curves`;
  const [low, high] = extentOf(curves);
  return `${title}: ${curves.length} curves between ${shortNumber(low)} and ${shortNumber(high)}`;
}
