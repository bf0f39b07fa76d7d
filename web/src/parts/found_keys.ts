/** Keys for a text that somebody types: those that are held, and where there are more than that, those that are asked for. */

import { type Key, KEYS_AT_ONCE, type Question, readKeys } from "../api/reads.ts";
import { longestWord } from "../view/keys.ts";
import { useLoad, useRested } from "./load.ts";

const REST_MILLIS = 150;

/** Returns the held keys and those that the server has for the longest word of the text. */
export function useFoundKeys(question: Omit<Question, "orders">, held: Key[], text: string): Key[] {
  const word = useRested(held.length < KEYS_AT_ONCE ? "" : longestWord(text), REST_MILLIS);
  const found = useLoad<Key[]>(
    `${question.namespace} ${question.experiment} ${question.asof} ${question.deleted} ${word}`,
    (signal) => word === "" ? Promise.resolve([]) : readKeys({ ...question, filter: "" }, undefined, word, signal),
  );
  const known = new Set(held.map((each) => `${each.kind}.${each.key}`));
  return [...held, ...(found.value ?? []).filter((each) => !known.has(`${each.kind}.${each.key}`))];
}
