/** Keys by what somebody types. */

const KIND = /^(metrics|params|tags)\./;

/** Returns the longest word of a text, without a kind before it: what the server looks for in keys. */
export function longestWord(text: string): string {
  return text.trim().toLowerCase().split(/\s+/).map((word) => word.replace(KIND, ""))
    .reduce((longest, word) => (word.length > longest.length ? word : longest), "");
}
