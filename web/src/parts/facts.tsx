/** Facts and sections: how a page about one thing is laid out. */

import type { ComponentChildren } from "preact";
import { grouped, localSecond, localTime, utcTime } from "../view/numbers.ts";

/** Fact with its name above it. */
export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Section with a heading and how many things it has. */
export function Section({ title, count, children, bad, tools }: {
  title: string;
  count?: number;
  children?: ComponentChildren;
  bad?: boolean;
  tools?: ComponentChildren;
}) {
  return (
    <section class={`section ${bad ? "bad" : ""}`} data-section={title.toLowerCase()}>
      <h2>
        {title} {count !== undefined && <small>{grouped(count)}</small>}
        {tools && <span class="tools">{tools}</span>}
      </h2>
      {count === 0 ? <p class="quiet none">none</p> : null}
      {children}
    </section>
  );
}

/** Time as people read it, and in UTC on hover. */
export function Time({ millis, seconds }: { millis: number | bigint; seconds?: boolean }) {
  const at = Number(millis);
  if (!at) return <span class="none">–</span>;
  return (
    <time title={utcTime(at)} dateTime={new Date(at).toISOString()}>{(seconds ? localSecond : localTime)(at)}</time>
  );
}
