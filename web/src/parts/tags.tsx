/** Tags: keys with values, which can be edited, removed and added. */

import { useState } from "preact/hooks";
import { Section } from "./facts.tsx";

/** Change of tags. */
export interface TagChange {
  tags?: Record<string, string>;
  deletedTags?: string[];
}

/** See the file. */
export function Tags({ tags, keys, onEdit }: {
  tags: Record<string, string>;
  keys: string[];
  onEdit: (change: TagChange) => void;
}) {
  return (
    <Section title="Tags" count={keys.length}>
      <table class="pairs">
        <tbody>
          {keys.map((key) => (
            <tr key={key} data-tag={key}>
              <th title={key}>{key}</th>
              <td>
                <Editable value={tags[key]!} name={key} onValue={(value) => onEdit({ tags: { [key]: value } })} />
              </td>
              <td class="right">
                <button
                  type="button"
                  class="plain"
                  aria-label={`remove tag ${key}`}
                  onClick={() => onEdit({ deletedTags: [key] })}
                >
                  ✕
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <NewTag onTag={(key, value) => onEdit({ tags: { [key]: value } })} />
    </Section>
  );
}

function Editable({ value, name, onValue }: { value: string; name: string; onValue: (value: string) => void }) {
  const [editing, setEditing] = useState(false);
  if (!editing) {
    return (
      <button type="button" class="editable" title={value} onClick={() => setEditing(true)}>
        {value || <i class="quiet">empty</i>}
      </button>
    );
  }
  const done = (next: string) => {
    setEditing(false);
    if (next !== value) onValue(next);
  };
  return (
    <input
      class="field"
      aria-label={`value of tag ${name}`}
      autofocus
      defaultValue={value}
      onKeyDown={(event) => {
        if (event.key === "Enter") done(event.currentTarget.value);
        if (event.key === "Escape") setEditing(false);
      }}
      onBlur={(event) => done(event.currentTarget.value)}
    />
  );
}

function NewTag({ onTag }: { onTag: (key: string, value: string) => void }) {
  const [open, setOpen] = useState(false);
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  if (!open) return <button type="button" class="plain" data-edit="tag" onClick={() => setOpen(true)}>+ tag</button>;
  const add = () => {
    if (!key.trim()) return;
    onTag(key.trim(), value);
    setKey("");
    setValue("");
    setOpen(false);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter") add();
    if (event.key === "Escape") setOpen(false);
  };
  return (
    <div class="new-tag">
      <input
        class="field"
        placeholder="key"
        aria-label="key of the new tag"
        autofocus
        value={key}
        onInput={(event) => setKey(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <input
        class="field"
        placeholder="value"
        aria-label="value of the new tag"
        value={value}
        onInput={(event) => setValue(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <button type="button" class="button" disabled={!key.trim()} onClick={add}>Add</button>
    </div>
  );
}
