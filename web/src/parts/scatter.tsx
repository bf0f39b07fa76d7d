/** Scatter of two objectives: the first front filled and joined by its border, intervals of groups as whiskers. */

import { useEffect, useRef, useState } from "preact/hooks";
import { shortNumber } from "../view/numbers.ts";
import { frontLine, type Scale, scaleOf } from "../view/scatter.ts";
import { tickLabel } from "../view/ticks.ts";

const HEIGHT = 330;
const LEFT = 62;
const RIGHT = 16;
const TOP = 12;
const BOTTOM = 44;
const TICK_PIXELS = 80;

/** Candidate that is drawn. */
export interface Dot {
  id: string;
  label: string;
  x: number;
  y: number;
  /** Bounds of the confidence interval of each mean; NaN for none. */
  xs: [number, number];
  ys: [number, number];
  front: number;
}

/** See the file. `up` says of x and y whether large is good. */
export function Scatter({ dots, names, up, log, lifted, onLift }: {
  dots: readonly Dot[];
  names: { x: string; y: string };
  up: { x: boolean; y: boolean };
  log: { x: boolean; y: boolean };
  lifted: string;
  onLift: (id: string) => void;
}) {
  const root = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(() => setWidth(root.current?.clientWidth ?? 0));
    observer.observe(root.current!);
    return () => observer.disconnect();
  }, []);
  const xs = scaleOf(
    dots.map((dot) => dot.x),
    dots.flatMap((dot) => dot.xs),
    log.x,
    (width - LEFT - RIGHT) / TICK_PIXELS,
  );
  const ys = scaleOf(
    dots.map((dot) => dot.y),
    dots.flatMap((dot) => dot.ys),
    log.y,
    (HEIGHT - TOP - BOTTOM) / (TICK_PIXELS / 2),
  );
  const hasPlace = (value: number, isLog: boolean) => Number.isFinite(value) && (!isLog || value > 0);
  const shown = dots.filter((dot) => hasPlace(dot.x, log.x) && hasPlace(dot.y, log.y));
  const first = shown.filter((dot) => dot.front === 1);
  const left = dots.length - shown.length;
  const label = `${names.y} against ${names.x}: ${shown.length} candidates, ${first.length} of them not beaten in both`;
  return (
    <div class="scatter" ref={root} data-dots={shown.length} data-front={first.length}>
      {xs && ys && width > 0 && (
        <svg width={width} height={HEIGHT} role="img" aria-label={label}>
          <Drawing
            shown={shown}
            first={first}
            scales={{ xs, ys }}
            width={width}
            names={names}
            up={up}
            lifted={lifted}
            onLift={onLift}
          />
        </svg>
      )}
      {left > 0 && <small class="quiet">{left} not shown</small>}
    </div>
  );
}

function Drawing({ shown, first, scales, width, names, up, lifted, onLift }: {
  shown: readonly Dot[];
  first: readonly Dot[];
  scales: { xs: Scale; ys: Scale };
  width: number;
  names: { x: string; y: string };
  up: { x: boolean; y: boolean };
  lifted: string;
  onLift: (id: string) => void;
}) {
  const { xs, ys } = scales;
  const right = width - RIGHT;
  const bottom = HEIGHT - BOTTOM;
  // A whisker that leaves the drawing, such as below 0 on a logarithmic scale, ends at its border.
  const inside = (place: number) => (place > 0 ? Math.min(place, 1) : 0);
  const x = (value: number) => LEFT + inside(xs.place(value)) * (right - LEFT);
  const y = (value: number) => bottom - inside(ys.place(value)) * (bottom - TOP);
  const line = frontLine(first, up).map((corner) => `${x(corner.x)},${y(corner.y)}`).join(" ");
  const over = shown.find((dot) => dot.id === lifted);
  // What is best is drawn last, and so on top.
  const sorted = shown.toSorted((left, other) => rankOf(other) - rankOf(left));
  return (
    <>
      {xs.ticks.map((tick) => (
        <g key={`x${tick}`} class="tick">
          <line x1={x(tick)} x2={x(tick)} y1={TOP} y2={bottom} />
          <text x={x(tick)} y={bottom + 16} text-anchor="middle">{tickLabel(tick, xs.distance)}</text>
        </g>
      ))}
      {ys.ticks.map((tick) => (
        <g key={`y${tick}`} class="tick">
          <line x1={LEFT} x2={right} y1={y(tick)} y2={y(tick)} />
          <text x={LEFT - 8} y={y(tick) + 4} text-anchor="end">{tickLabel(tick, ys.distance)}</text>
        </g>
      ))}
      <text class="axis" x={(LEFT + right) / 2} y={HEIGHT - 8} text-anchor="middle">
        {names.x} {up.x ? "→ better" : "← better"}
      </text>
      <text class="axis" transform={`translate(13 ${(TOP + bottom) / 2}) rotate(-90)`} text-anchor="middle">
        {names.y} {up.y ? "→ better" : "← better"}
      </text>
      <polyline class="front" points={line} />
      {sorted.map((dot) => (
        <g
          key={dot.id}
          class={`dot-of ${dot.front === 1 ? "first" : ""} ${dot.id === lifted ? "lifted" : ""}`}
          data-dot={dot.id}
          onMouseEnter={() => onLift(dot.id)}
          onMouseLeave={() => onLift("")}
        >
          {Number.isFinite(dot.xs[0]) && <line x1={x(dot.xs[0])} x2={x(dot.xs[1])} y1={y(dot.y)} y2={y(dot.y)} />}
          {Number.isFinite(dot.ys[0]) && <line x1={x(dot.x)} x2={x(dot.x)} y1={y(dot.ys[0])} y2={y(dot.ys[1])} />}
          <circle cx={x(dot.x)} cy={y(dot.y)} r={dot.id === lifted ? 6 : dot.front === 1 ? 4.5 : 3.5} />
        </g>
      ))}
      {over && (
        <text
          class="told"
          x={Math.min(Math.max(x(over.x), LEFT + 60), right - 60)}
          y={y(over.y) > TOP + 30 ? y(over.y) - 12 : y(over.y) + 22}
          text-anchor="middle"
        >
          {over.label}: {shortNumber(over.x)}, {shortNumber(over.y)}
        </text>
      )}
    </>
  );
}

function rankOf(dot: Dot): number {
  return dot.front || Number.MAX_SAFE_INTEGER;
}
