/** Tables in text files: CSV and TSV, cut into cells. */

/** Returns the rows of a text, at most so many; cells may be quoted, and a quote in them is doubled. */
export function rowsOf(text: string, separator: "," | "\t", most: number): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = "";
  let quoted = false;
  const close = () => {
    row.push(cell);
    cell = "";
  };
  for (let at = 0; at < text.length && rows.length < most; at++) {
    const sign = text[at]!;
    if (quoted) {
      if (sign !== '"') cell += sign;
      else if (text[at + 1] === '"') cell += text[++at];
      else quoted = false;
    } else if (sign === '"' && cell === "") quoted = true;
    else if (sign === separator) close();
    else if (sign === "\n") {
      close();
      rows.push(row);
      row = [];
    } else if (sign !== "\r") cell += sign;
  }
  if (rows.length < most && (cell !== "" || row.length > 0)) {
    close();
    rows.push(row);
  }
  return rows;
}
