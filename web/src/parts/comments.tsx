/** Comments on a model or a version, in Markdown, and a field for the next one. */

import { useState } from "preact/hooks";
import type { ModelComment } from "../../contract/fleetlog/v1/model_history_pb.ts";
import type { Pages } from "./pages.ts";
import { Section, Time } from "./facts.tsx";
import { Markdown } from "./note.tsx";
import { Failed } from "./states.tsx";

/** See the file. */
export function Comments({ comments, writable, busy, showVersion, onComment }: {
  comments: Pages<ModelComment>;
  writable: boolean;
  busy: boolean;
  showVersion: boolean;
  onComment: (text: string) => Promise<boolean>;
}) {
  const [text, setText] = useState("");
  const items = comments.items ?? [];
  const say = async () => {
    if (text.trim() && await onComment(text.trim())) setText("");
  };
  return (
    <Section title="Comments" count={comments.items && items.length}>
      {comments.failure && <Failed failure={comments.failure} retry={comments.retry} />}
      <ul class="comments">
        {items.map((each, at) => (
          <li key={at} data-comment>
            <header>
              <b>{each.user || "somebody"}</b>
              {showVersion && each.version > 0n && <span class="quiet">on version {String(each.version)}</span>}
              <span class="quiet">
                <Time millis={each.timeMillis} />
              </span>
            </header>
            <Markdown text={each.text} />
          </li>
        ))}
      </ul>
      {comments.hasMore && <button type="button" class="button" onClick={comments.more}>More</button>}
      {writable && (
        <div class="say">
          <textarea
            aria-label="New comment"
            placeholder="Comment, in Markdown"
            rows={2}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void say();
            }}
          />
          <button type="button" class="button" disabled={!text.trim() || busy} onClick={say}>Comment</button>
        </div>
      )}
    </Section>
  );
}
