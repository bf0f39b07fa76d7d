/**
 * Markdown of notes, in the part of it that notes use: headings, lists, quotes, code, emphasis and links. What comes out are
 * trees, not HTML, and what is not understood stays the text that it was.
 */

/** Inline piece of a text. */
export type Span =
  | { kind: "text" | "code" | "strong" | "emphasis"; text: string }
  | { kind: "link"; text: string; href: string };

/** Block of a text. */
export type Block =
  | { kind: "heading"; level: number; spans: Span[] }
  | { kind: "paragraph" | "quote"; spans: Span[] }
  | { kind: "code"; text: string }
  | { kind: "list"; ordered: boolean; items: Span[][] };

/** Returns the blocks of a note. */
export function blocks(note: string): Block[] {
  const lines = note.replaceAll("\r\n", "\n").split("\n");
  const out: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at]!;
    const heading = /^(#{1,4})\s+(.*)$/.exec(line);
    if (line.trim() === "") at++;
    else if (/^\s*```/.test(line)) {
      const end = lines.findIndex((each, place) => place > at && /^\s*```\s*$/.test(each));
      const last = end < 0 ? lines.length : end;
      out.push({ kind: "code", text: lines.slice(at + 1, last).join("\n") });
      at = last + 1;
    } else if (heading) {
      out.push({ kind: "heading", level: heading[1]!.length, spans: spans(heading[2]!) });
      at++;
    } else if (/^\s*([-*+]|\d+[.)])\s+/.test(line)) {
      const ordered = /^\s*\d/.test(line);
      const items: Span[][] = [];
      for (; at < lines.length; at++) {
        const item = /^\s*(?:[-*+]|(\d+)[.)])\s+(.*)$/.exec(lines[at]!);
        if (!item || (item[1] !== undefined) !== ordered) break;
        items.push(spans(item[2]!));
      }
      out.push({ kind: "list", ordered, items });
    } else if (/^\s*>/.test(line)) {
      const begin = at;
      while (at < lines.length && /^\s*>/.test(lines[at]!)) at++;
      out.push({
        kind: "quote",
        spans: spans(lines.slice(begin, at).map((each) => each.replace(/^\s*>\s?/, "")).join(" ")),
      });
    } else {
      const begin = at++;
      while (at < lines.length && !/^(\s*$|#{1,4}\s|\s*```|\s*[-*+]\s|\s*\d+[.)]\s|\s*>)/.test(lines[at]!)) at++;
      out.push({ kind: "paragraph", spans: spans(lines.slice(begin, at).join("\n")) });
    }
  }
  return out;
}

const INLINE =
  /`([^`\n]+)`|\*\*([^*\n]+)\*\*|\*([^*\s][^*\n]*)\*|\[([^\]\n]+)\]\(([^)\s]+)\)|(https?:\/\/[^\s<>()]+[^\s<>().,;:!?])/g;

/** Returns the pieces of a line. Only http and https become links. */
export function spans(text: string): Span[] {
  const out: Span[] = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    const [all, code, strong, emphasis, label, href, bare] = match;
    const link = href ?? bare;
    if (link !== undefined && !/^https?:\/\//i.test(link)) continue;
    if (match.index > at) out.push({ kind: "text", text: text.slice(at, match.index) });
    if (code !== undefined) out.push({ kind: "code", text: code });
    else if (strong !== undefined) out.push({ kind: "strong", text: strong });
    else if (emphasis !== undefined) out.push({ kind: "emphasis", text: emphasis });
    else out.push({ kind: "link", text: label ?? link!, href: link! });
    at = match.index + all.length;
  }
  if (at < text.length) out.push({ kind: "text", text: text.slice(at) });
  return out;
}
