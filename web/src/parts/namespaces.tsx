/** Menu of namespaces: which one is looked at, and the ways to the others. */

import { useState } from "preact/hooks";
import { call } from "../api/calls.ts";
import { QueryService } from "../../contract/fleetlog/v1/query_pb.ts";
import { formatRoute } from "../view/route.ts";
import { useLoad, useRested } from "./load.ts";
import { Menu } from "./menu.tsx";
import { Failed, Skeleton } from "./states.tsx";

const TYPING_MILLIS = 150;
const SHOWN = 100;

/** See the file. */
export function Namespaces({ namespace }: { namespace: string }) {
  return (
    <Menu label={namespace} name="namespaces" title="namespace" right plain>
      {(close) => <List current={namespace} close={close} />}
    </Menu>
  );
}

function List({ current, close }: { current: string; close: () => void }) {
  const [text, setText] = useState("");
  const contains = useRested(text, TYPING_MILLIS);
  const found = useLoad(
    contains,
    (signal) => call(QueryService.method.listNamespaces, { contains, pageSize: SHOWN }, signal),
  );
  const names = found.value?.namespaces;
  return (
    <div class="chooser">
      <input
        class="field"
        value={text}
        placeholder="Search namespaces"
        aria-label="Search namespaces"
        autofocus
        onInput={(event) => setText(event.currentTarget.value)}
      />
      {found.failure && <Failed failure={found.failure} retry={found.retry} />}
      {!names ? !found.failure && <Skeleton rows={3} /> : (
        <ul class="places" data-namespaces={names.length}>
          {names.map((each) => (
            <li key={each}>
              <a
                href={formatRoute({ screen: "experiments", namespace: each })}
                aria-current={each === current ? "true" : undefined}
                onClick={close}
              >
                {each}
              </a>
            </li>
          ))}
        </ul>
      )}
      {names?.length === 0 && <p class="quiet">Nothing has that name.</p>}
      {found.value?.nextPageToken && <p class="quiet">There are more: search.</p>}
    </div>
  );
}
