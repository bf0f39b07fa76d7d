/** Dialog: a question with a form, closed by Escape. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** See the file. `onSubmit` comes from Enter and from the button that says what is done. */
export function Dialog({ title, action, danger, disabled, children, onSubmit, onClose }: {
  title: string;
  action: string;
  danger?: boolean;
  disabled?: boolean;
  children?: ComponentChildren;
  onSubmit: () => void;
  onClose: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="ask" onClose={onClose} aria-label={title}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!disabled) onSubmit();
        }}
      >
        <h2>{title}</h2>
        {children}
        <div class="actions">
          <button type="button" class="button" onClick={() => dialog.current?.close()}>Cancel</button>
          <button type="submit" class={`button ${danger ? "danger" : "primary"}`} disabled={disabled}>{action}</button>
        </div>
      </form>
    </dialog>
  );
}

/** Labelled field of a form. */
export function Field({ label, hint, children }: { label: string; hint?: string; children: ComponentChildren }) {
  return (
    <label class="labelled">
      <span>{label}</span>
      {children}
      {hint && <small class="quiet">{hint}</small>}
    </label>
  );
}
