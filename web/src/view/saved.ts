/** Saved views as texts: a name, and the query string of an address. */

/** View with its name. */
export interface SavedView {
  name: string;
  /** Query string, empty or with its question mark. */
  search: string;
}

export const LONGEST_NAME = 100;

/** Returns the text of a view. */
export function formatSaved({ name, search }: SavedView): string {
  return JSON.stringify({ name, search });
}

/** Returns the view of a text; undefined of what is none. */
export function parseSaved(text: string): SavedView | undefined {
  try {
    const { name, search } = JSON.parse(text) as Partial<SavedView>;
    if (typeof name !== "string" || name === "" || typeof search !== "string") return undefined;
    // Only a query string: a view never leads to another place.
    return search === "" || search.startsWith("?") ? { name, search } : undefined;
  } catch {
    return undefined;
  }
}
