/** History of a model or a version: what happened, by whom and when, and a look at how all was then. */

import type { ModelHistoryEntry } from "../../contract/fleetlog/v1/model_history_pb.ts";
import { change, view } from "../state.ts";
import { momentAfter } from "../view/moments.ts";
import { historyWords } from "../view/registry.ts";
import { Time } from "./facts.tsx";
import { Markdown } from "./note.tsx";
import type { Pages } from "./pages.ts";
import { Failed, Skeleton } from "./states.tsx";

/** See the file. */
export function History({ history }: { history: Pages<ModelHistoryEntry> }) {
  if (history.failure && !history.items) return <Failed failure={history.failure} retry={history.retry} />;
  if (!history.items) return <Skeleton rows={6} />;
  return (
    <>
      <table class="list history">
        <thead>
          <tr>
            <th>When</th>
            <th>Who</th>
            <th>What</th>
            <th aria-label="look back" />
          </tr>
        </thead>
        <tbody>
          {history.items.map((each, at) => (
            <tr key={at} data-action={each.action}>
              <td class="narrow">
                <Time millis={each.timeMillis} />
              </td>
              <td class="narrow">{each.user || <span class="none">–</span>}</td>
              <td>
                {historyWords(each)}
                {each.comment && <Markdown text={each.comment} quiet />}
              </td>
              <td class="right narrow">
                {!view.value.asof && (
                  <button
                    type="button"
                    class="plain"
                    title="the model as it was after this"
                    onClick={() => change({ asof: momentAfter(history.items!, at), tab: "" })}
                  >
                    look back
                  </button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {history.hasMore && (
        <p class="more">
          <button type="button" class="button" onClick={history.more}>Older</button>
        </p>
      )}
    </>
  );
}
