/** Help on the keyboard: every key with what it does. */

import { useEffect, useRef } from "preact/hooks";

const KEYS: [string, string][] = [
  ["/", "filter"],
  ["j k", "next and previous row"],
  ["x", "select the row"],
  ["Space", "show or hide its curve"],
  ["Enter", "open the run"],
  ["b", "make it the baseline"],
  ["c", "compare the selected runs"],
  ["o", "columns"],
  ["g", "group curves"],
  ["l", "logarithmic values"],
  ["v", "changes as they come"],
  ["s", "smoothing"],
  ["z", "undo zoom"],
  [", .", "earlier and later moment of the past"],
  ["1 2 3", "tabs"],
  ["e", "add a tag to the run"],
  ["y", "copy the link of this view"],
  ["Y", "this view as code"],
  ["?", "this list"],
];

/** See the file. */
export function Help({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
      aria-label="Keyboard"
    >
      <h2>Keyboard</h2>
      <dl class="keys">
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt>{key.split(" ").map((each) => <kbd key={each}>{each}</kbd>)}</dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p class="quiet">
        What filters say is told in <code>docs/filter.md</code>.
      </p>
      <button type="button" class="button" autofocus onClick={() => dialog.current?.close()}>Close</button>
    </dialog>
  );
}
