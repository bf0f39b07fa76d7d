/** Filter of the runs of a group: what was asked, and the values that the group has in common. */

import { parseColumn } from "./columns.ts";
import { quotedKey, quotedValue } from "./filter.ts";

/** Returns the filter; a key that the runs do not have is said by IS NULL. */
export function groupFilter(filter: string, values: readonly { key: string; value?: string | undefined }[]): string {
  const terms = values.map(({ key, value }) => {
    const column = parseColumn(key);
    const field = column && column.kind !== "attributes" ? `${column.kind}.${quotedKey(column.key)}` : key;
    if (value === undefined) return `${field} IS NULL`;
    // Tags are texts, also those that look like numbers.
    return `${field} = ${column?.kind === "params" ? quotedValue(value) : `'${value.replaceAll("'", "''")}'`}`;
  });
  const asked = filter.trim() && terms.length ? `(${filter.trim()})` : filter.trim();
  return [...terms, asked].filter((term) => term !== "").join(" AND ");
}
