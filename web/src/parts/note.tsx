/** Note in Markdown, shown as elements and edited as text. */

import { useState } from "preact/hooks";
import { type Block, blocks, type Span } from "../view/markdown.ts";

/** See the file. */
export function Note(
  { text, onText, word = "note" }: { text: string; onText: (text: string) => void; word?: string },
) {
  const [draft, setDraft] = useState<string>();
  if (draft !== undefined) {
    const save = () => {
      setDraft(undefined);
      if (draft !== text) onText(draft);
    };
    return (
      <div class="note editing">
        <textarea
          aria-label={`${word[0]!.toUpperCase()}${word.slice(1)} in Markdown`}
          autofocus
          value={draft}
          rows={Math.max(4, draft.split("\n").length + 1)}
          onInput={(event) => setDraft(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
            if (event.key === "Escape") setDraft(undefined);
          }}
        />
        <div class="toolbar">
          <button type="button" class="button primary" onClick={save}>Save {word}</button>
          <button type="button" class="plain" onClick={() => setDraft(undefined)}>cancel</button>
        </div>
      </div>
    );
  }
  if (!text) return <button type="button" class="plain" data-edit="note" onClick={() => setDraft("")}>+ {word}</button>;
  return (
    <div class="note" data-note>
      <Markdown text={text} />
      <button type="button" class="plain" data-edit="note" onClick={() => setDraft(text)}>edit</button>
    </div>
  );
}

/** Markdown as elements. */
export function Markdown({ text, quiet }: { text: string; quiet?: boolean }) {
  return (
    <div class={quiet ? "markdown quiet" : "markdown"}>
      {blocks(text).map((block, at) => <OneBlock key={at} block={block} />)}
    </div>
  );
}

function OneBlock({ block }: { block: Block }) {
  if (block.kind === "code") return <pre class="code">{block.text}</pre>;
  if (block.kind === "list") {
    const items = block.items.map((item, at) => (
      <li key={at}>
        <Spans spans={item} />
      </li>
    ));
    return block.ordered ? <ol>{items}</ol> : <ul>{items}</ul>;
  }
  if (block.kind === "quote") {
    return (
      <blockquote>
        <Spans spans={block.spans} />
      </blockquote>
    );
  }
  if (block.kind === "heading") {
    return (
      <p class={`h h${block.level}`} role="heading" aria-level={block.level + 2}>
        <Spans spans={block.spans} />
      </p>
    );
  }
  return (
    <p>
      <Spans spans={block.spans} />
    </p>
  );
}

function Spans({ spans }: { spans: Span[] }) {
  return (
    <>
      {spans.map((span, at) => {
        if (span.kind === "link") {
          return <a key={at} href={span.href} rel="noopener noreferrer" target="_blank">{span.text}</a>;
        }
        if (span.kind === "code") return <code key={at}>{span.text}</code>;
        if (span.kind === "strong") return <strong key={at}>{span.text}</strong>;
        if (span.kind === "emphasis") return <em key={at}>{span.text}</em>;
        return span.text;
      })}
    </>
  );
}
