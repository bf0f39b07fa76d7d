/** Bar of the runs that are selected: compared, charted, tagged, deleted and restored together. */

import { useEffect, useState } from "preact/hooks";
import { may } from "../api/caller.ts";
import { type Changes, updateRuns } from "../api/edits.ts";
import { type Question, readIds } from "../api/reads.ts";
import { grouped } from "../view/numbers.ts";
import type { Changing } from "./changing.tsx";
import { Dialog, Field } from "./dialog.tsx";

/** See the file. */
export function SelectionBar({ question, total, selected, onSelect, tagKeys, onCompare, onChart, onDelete, changing }: {
  question: Question | undefined;
  /** Runs that match. */
  total: number;
  selected: ReadonlySet<string>;
  onSelect: (ids: Set<string>) => void;
  tagKeys: readonly string[];
  onCompare: () => void;
  onChart: () => void;
  /** Called with the runs that were deleted. */
  onDelete: (ids: string[]) => void;
  changing: Changing;
}) {
  const [asked, setAsked] = useState<"tag" | "delete">();
  const [finding, setFinding] = useState(false);
  const count = selected.size;
  const runs = `${grouped(count)} ${count === 1 ? "run" : "runs"}`;
  const mayChange = question !== undefined && !question.asof && may.value.write;
  const make = (changes: Omit<Changes, "name">) =>
    changing.make(() => updateRuns(question!.namespace, [...selected], changes));
  const hide = async (deleted: boolean) => {
    setAsked(undefined);
    if (!await make({ deleted })) return;
    if (deleted) onDelete([...selected]);
    onSelect(new Set());
  };
  const all = async () => {
    setFinding(true);
    await changing.make(async () => {
      onSelect(new Set(await readIds(question!)));
      return undefined;
    });
    setFinding(false);
  };
  return (
    <span class="selection" data-selected={count} data-state={changing.busy ? "busy" : "ready"}>
      <b>{grouped(count)}</b> selected
      {question && count < total && (
        <button type="button" class="plain" disabled={finding} onClick={() => void all()}>
          all {grouped(total)} that match
        </button>
      )}
      <button type="button" class="button primary" disabled={count < 2} onClick={onCompare}>Compare</button>
      <button type="button" class="button" onClick={onChart}>Chart these</button>
      {mayChange && (
        <>
          <button type="button" class="button" disabled={changing.busy} onClick={() => setAsked("tag")}>Tag…</button>
          {question.deleted
            ? (
              <button type="button" class="button" disabled={changing.busy} onClick={() => void hide(false)}>
                Restore
              </button>
            )
            : (
              <button
                type="button"
                class="button"
                disabled={changing.busy}
                onClick={() => (count > 1 ? setAsked("delete") : void hide(true))}
              >
                {count > 1 ? "Delete…" : "Delete"}
              </button>
            )}
        </>
      )}
      <button type="button" class="plain" onClick={() => onSelect(new Set())}>clear</button>
      {asked === "tag" && (
        <TagDialog
          runs={runs}
          keys={tagKeys}
          onTag={(changes) => {
            setAsked(undefined);
            void make(changes);
          }}
          onClose={() => setAsked(undefined)}
        />
      )}
      {asked === "delete" && (
        <Dialog
          title={`Delete ${runs}?`}
          action={`Delete ${runs}`}
          danger
          onSubmit={() => void hide(true)}
          onClose={() => setAsked(undefined)}
        >
          <p>Searches leave them out, and everything of them is kept: Deleted shows them, and restores them.</p>
        </Dialog>
      )}
    </span>
  );
}

const UNDO_MILLIS = 10_000;

/** Strip that offers to bring back what was deleted a moment ago. */
export function UndoDelete({ namespace, runs, changing, onClose }: {
  namespace: string;
  runs: readonly string[];
  changing: Changing;
  onClose: () => void;
}) {
  useEffect(() => {
    const timer = setTimeout(onClose, UNDO_MILLIS);
    return () => clearTimeout(timer);
  }, [runs]);
  const undo = async () => {
    if (await changing.make(() => updateRuns(namespace, runs, { deleted: false }))) onClose();
  };
  return (
    <div class="strip" role="status" data-undo={runs.length}>
      {grouped(runs.length)} {runs.length === 1 ? "run is" : "runs are"} deleted.{" "}
      <button type="button" class="plain" disabled={changing.busy} onClick={() => void undo()}>Undo</button>
    </div>
  );
}

function TagDialog({ runs, keys, onTag, onClose }: {
  runs: string;
  keys: readonly string[];
  onTag: (changes: Omit<Changes, "name">) => void;
  onClose: () => void;
}) {
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const [removes, setRemoves] = useState(false);
  const name = key.trim();
  return (
    <Dialog
      title={`Tag ${runs}`}
      action={removes ? "Remove the tag" : "Set the tag"}
      disabled={!name}
      onSubmit={() => onTag(removes ? { deletedTags: [name] } : { tags: { [name]: value } })}
      onClose={onClose}
    >
      <Field label="Key">
        <input
          class="field"
          list="tag-keys"
          autofocus
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
        />
      </Field>
      <datalist id="tag-keys">{keys.map((each) => <option key={each} value={each} />)}</datalist>
      <Field label="Value">
        <input
          class="field"
          value={value}
          disabled={removes}
          onInput={(event) => setValue(event.currentTarget.value)}
        />
      </Field>
      <label class="checked">
        <input type="checkbox" checked={removes} onChange={(event) => setRemoves(event.currentTarget.checked)} />
        remove it instead
      </label>
    </Dialog>
  );
}
