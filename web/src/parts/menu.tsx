/** Menu: a button that opens a panel below it, closed by Escape and by a click elsewhere. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

/** See the file. The label is what the button says; `name` finds it in tests and for shortcuts. */
export function Menu({ label, name, children, title, right, plain }: {
  label: ComponentChildren;
  name: string;
  children: (close: () => void) => ComponentChildren;
  title?: string;
  right?: boolean;
  /** Without a border, as in the head of the page. */
  plain?: boolean;
}) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const close = () => setOpen(false);
  useEffect(() => {
    if (!open) return;
    const onDown = (event: Event) => root.current?.contains(event.target as Node) || close();
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      close();
      root.current?.querySelector("button")?.focus();
    };
    document.addEventListener("pointerdown", onDown);
    document.addEventListener("keydown", onKey);
    return () => {
      document.removeEventListener("pointerdown", onDown);
      document.removeEventListener("keydown", onKey);
    };
  }, [open]);
  return (
    <div class="menu" ref={root}>
      <button
        type="button"
        class={plain ? "plain" : "button"}
        data-menu={name}
        aria-expanded={open}
        title={title}
        onClick={() => setOpen(!open)}
      >
        {label}
      </button>
      {open && <div class={`panel ${right ? "right" : ""}`}>{children(close)}</div>}
    </div>
  );
}
