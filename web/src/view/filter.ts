/**
 * Filter texts: their tokens, the chips that they fall into, and what may be completed at the caret.
 *
 * The server alone understands a filter (docs/filter.md). What is here cuts the text where it is simple, and leaves what
 * is not in one piece: a chip is a term of the top-level AND, as it was written.
 */

/** Token, from `start` to `end` in UTF-16 units. */
export interface Token {
  kind: "field" | "text" | "number" | "word" | "sign" | "open" | "close" | "comma" | "bad";
  text: string;
  start: number;
  end: number;
}

/** Term of the top-level AND, or the whole filter when it is not an AND. */
export interface Chip {
  text: string;
  start: number;
  end: number;
}

const PATTERNS: [Token["kind"], RegExp][] = [
  ["text", /'(?:[^']|'')*'|"(?:[^"]|"")*"/y],
  ["number", /[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?:ms|s|m|h|d|w)?(?![\w.])/y],
  ["field", /[A-Za-z_]\w*\s*\.\s*(?:`(?:[^`]|``)+`|"(?:[^"]|"")+"|\w(?:[\w./:-]*\w)?)/y],
  ["word", /[A-Za-z_]\w*/y],
  ["sign", /==|!=|<>|<=|>=|[=<>+\-*/]/y],
  ["open", /\(/y],
  ["close", /\)/y],
  ["comma", /,/y],
  ["bad", /[^\s]+/y],
];

/** Returns the tokens of a text. What no token can be, such as a quote without its end, is "bad" up to the next space. */
export function tokens(text: string): Token[] {
  const out: Token[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at]!)) {
      at++;
      continue;
    }
    for (const [kind, pattern] of PATTERNS) {
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (!match) continue;
      out.push({ kind, text: match[0], start: at, end: at + match[0].length });
      at += match[0].length;
      break;
    }
  }
  return out;
}

/** Returns the chips of a filter: one for a text that is no AND of terms on its own. */
export function chips(text: string): Chip[] {
  const all = tokens(text);
  if (all.length === 0) return [];
  const cuts: Token[] = [];
  let depth = 0;
  let between = false;
  for (const token of all) {
    const word = token.kind === "word" ? token.text.toUpperCase() : "";
    if (token.kind === "open") depth++;
    else if (token.kind === "close") depth--;
    else if (token.kind === "bad" || (word === "OR" && depth === 0)) return [whole(text)];
    else if (word === "BETWEEN" && depth === 0) between = true;
    else if (word === "AND" && depth === 0) {
      if (between) between = false;
      else cuts.push(token);
    }
  }
  if (depth !== 0) return [whole(text)];
  const terms: Chip[] = [];
  let start = 0;
  for (const cut of [...cuts, { start: text.length, end: text.length }]) {
    const term = trimmed(text, start, cut.start);
    if (term.text === "") return [whole(text)];
    terms.push(term);
    start = cut.end;
  }
  return terms;
}

/** Returns the filter without one of its chips. */
export function withoutChip(text: string, place: number): string {
  return chips(text).filter((_, at) => at !== place).map((chip) => chip.text).join(" AND ");
}

/** Returns the filter with one more term. */
export function withTerm(text: string, term: string): string {
  const all = chips(text);
  if (all.length === 0) return term;
  if (all.some((chip) => chip.text === term)) return text;
  const only = all.length === 1 && tokens(text).some((token) => token.kind === "word" && /^or$/i.test(token.text));
  return `${only ? `(${text.trim()})` : all.map((chip) => chip.text).join(" AND ")} AND ${term}`;
}

/** Returns a key as a filter takes it: in backticks where it has to be. */
export function quotedKey(key: string): string {
  return /^\w([\w./:-]*\w)?$/.test(key) ? key : `\`${key.replaceAll("`", "``")}\``;
}

/** Returns a value as a filter takes it: numbers as they stand, texts quoted. */
export function quotedValue(value: string): string {
  return /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(value) ? value : `'${value.replaceAll("'", "''")}'`;
}

/** What may stand at the caret. `start` and `end` are what a completion replaces. */
export type Completion =
  | { kind: "name"; prefix: string; start: number; end: number }
  | { kind: "key"; of: "metrics" | "params" | "tags"; prefix: string; start: number; end: number }
  | { kind: "operator"; field: string; prefix: string; start: number; end: number }
  | { kind: "value"; field: string; prefix: string; start: number; end: number }
  | { kind: "join"; prefix: string; start: number; end: number };

/** Returns what may stand at the caret; undefined where nothing can be told, such as within a number. */
export function completionAt(text: string, caret: number): Completion | undefined {
  const head = text.slice(0, caret);
  // A key that is being written: no token yet, when its quote is open or its dot is the last sign.
  const key = /(?:^|[\s(,])(metrics?|params?|parameters?|tags?)\s*\.\s*(`(?:[^`]|``)*|[\w./:-]*)$/i.exec(head);
  if (key) {
    const typed = key[2]!;
    const end = caret + (typed.startsWith("`") ? 0 : /^[\w./:-]*/.exec(text.slice(caret))![0].length);
    const of = key[1]!.toLowerCase()[0] === "m" ? "metrics" : key[1]!.toLowerCase()[0] === "t" ? "tags" : "params";
    return { kind: "key", of, prefix: typed.replace(/^`/, ""), start: caret - typed.length, end };
  }
  const before = tokens(head);
  const last = before[before.length - 1];
  const touching = last && last.end === caret ? last : undefined;
  const settled = touching && touching.kind !== "open" && touching.kind !== "comma" && touching.kind !== "sign"
    ? before.slice(0, -1)
    : before;
  const prefix = touching && settled.length < before.length ? touching.text : "";
  const start = caret - prefix.length;
  const previous = settled[settled.length - 1];
  const field = fieldBefore(settled);
  if (!previous || previous.kind === "open" && !field || isWord(previous, "AND", "OR", "NOT")) {
    if (previous && isWord(previous, "AND") && betweenOpen(settled)) return undefined;
    return { kind: "name", prefix, start, end: caret };
  }
  if (previous.kind === "field" || (previous.kind === "word" && !isKeyword(previous))) {
    return { kind: "operator", field: previous.text, prefix, start, end: caret };
  }
  const compares = previous.kind === "sign" && /[=<>]/.test(previous.text);
  if (
    field &&
    (compares || isWord(previous, "LIKE", "ILIKE", "MATCHES") || previous.kind === "open" || previous.kind === "comma")
  ) {
    return { kind: "value", field, prefix, start, end: caret };
  }
  if (["number", "text", "close"].includes(previous.kind) || isWord(previous, "NULL")) {
    return { kind: "join", prefix, start, end: caret };
  }
  return undefined;
}

/** Returns the kind and the key of a field such as metrics.`val loss`; an attribute's kind is "attributes". */
export function parsedField(field: string): { kind: string; key: string } {
  const dot = field.indexOf(".");
  if (dot < 0) return { kind: "attributes", key: field };
  const kind = field.slice(0, dot).trim().toLowerCase();
  const key = field.slice(dot + 1).trim();
  const quote = key[0];
  const bare = quote === "`" || quote === '"' ? key.slice(1, -1).replaceAll(quote + quote, quote) : key;
  const known = { metric: "metrics", param: "params", parameter: "params", parameters: "params", tag: "tags" }[kind];
  return {
    kind: known ?? (kind === "attribute" || kind === "attr" || kind === "run" ? "attributes" : kind),
    key: bare,
  };
}

function fieldBefore(all: Token[]): string {
  for (let at = all.length - 1; at >= 0; at--) {
    const token = all[at]!;
    if (token.kind === "field" || (token.kind === "word" && !isKeyword(token))) return token.text;
    if (isWord(token, "AND", "OR")) return "";
  }
  return "";
}

function betweenOpen(all: Token[]): boolean {
  for (let at = all.length - 2; at >= 0; at--) {
    if (isWord(all[at]!, "BETWEEN")) return true;
    if (isWord(all[at]!, "AND", "OR")) return false;
  }
  return false;
}

const KEYWORDS = new Set(["AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "ILIKE", "MATCHES", "BETWEEN", "WHERE"]);

function isKeyword(token: Token): boolean {
  return KEYWORDS.has(token.text.toUpperCase());
}

function isWord(token: Token, ...words: string[]): boolean {
  return token.kind === "word" && words.includes(token.text.toUpperCase());
}

function whole(text: string): Chip {
  return trimmed(text, 0, text.length);
}

function trimmed(text: string, start: number, end: number): Chip {
  while (start < end && /\s/.test(text[start]!)) start++;
  while (end > start && /\s/.test(text[end - 1]!)) end--;
  return { text: text.slice(start, end), start, end };
}
