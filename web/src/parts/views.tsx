/** Menu of saved views: names that a namespace shares for addresses of this table. */

import { useState } from "preact/hooks";
import { may } from "../api/caller.ts";
import { deleteView, type KeptView, listViews, saveView } from "../api/views.ts";
import { go } from "../state.ts";
import { localTime } from "../view/numbers.ts";
import { LONGEST_NAME } from "../view/saved.ts";
import { type Changing, useChanging } from "./changing.tsx";
import { useLoad } from "./load.ts";
import { Menu } from "./menu.tsx";
import { Failed } from "./states.tsx";

/** See the file. */
export function ViewsMenu({ namespace, experiment }: { namespace: string; experiment: number | undefined }) {
  const changing = useChanging();
  return (
    <Menu label="Views" name="views" title="saved views of this table" right>
      {(close) => <Views namespace={namespace} experiment={experiment} changing={changing} onClose={close} />}
    </Menu>
  );
}

function Views({ namespace, experiment, changing, onClose }: {
  namespace: string;
  experiment: number | undefined;
  changing: Changing;
  onClose: () => void;
}) {
  const [name, setName] = useState("");
  const loaded = useLoad(
    `${namespace} ${experiment} ${changing.count}`,
    (signal) => listViews(namespace, experiment, changing.atLeast, signal),
  );
  const views = loaded.value ?? [];
  const before = views.find((each) => each.name === name.trim());
  const save = async (event: Event) => {
    event.preventDefault();
    const view = { name: name.trim(), search: location.search };
    if (view.name && await changing.make(() => saveView(namespace, experiment, view, before))) setName("");
  };
  return (
    <div class="chooser views">
      {loaded.failure && <Failed failure={loaded.failure} retry={loaded.retry} />}
      <div class="lists">
        <ul>
          {views.map((each) => (
            <li key={each.id} data-view={each.name}>
              <button
                type="button"
                class="plain"
                title={told(each)}
                onClick={() => {
                  onClose();
                  go(location.pathname + each.search);
                }}
              >
                {each.name}
              </button>
              <small>{each.user}</small>
              {may.value.write && (
                <button
                  type="button"
                  class="plain"
                  aria-label={`delete view ${each.name}`}
                  disabled={changing.busy || loaded.loading}
                  onClick={() => void changing.make(() => deleteView(namespace, each))}
                >
                  ✕
                </button>
              )}
            </li>
          ))}
        </ul>
        {loaded.value && views.length === 0 && <p class="quiet">No view is saved here yet.</p>}
      </div>
      {may.value.write && (
        <form class="save" onSubmit={save}>
          <input
            class="field"
            aria-label="Name of the view"
            placeholder="Save this view as"
            maxLength={LONGEST_NAME}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
          <button type="submit" class="button" disabled={!name.trim() || changing.busy}>
            {before ? "Replace" : "Save"}
          </button>
        </form>
      )}
      {changing.refused && <p class="bad" role="alert">{changing.refused}</p>}
    </div>
  );
}

function told(view: KeptView): string {
  return `saved ${localTime(view.updateTimeMillis)}${view.user ? ` by ${view.user}` : ""}`;
}
