import assert from "node:assert/strict";
import { treeOf } from "../src/view/tree.ts";
import { blocks, spans } from "../src/view/markdown.ts";
import { rowsOf } from "../src/view/tables.ts";

Deno.test("a note falls into headings, lists, code and paragraphs", () => {
  const found = blocks("# Title\ntext **bold**\nand more\n\n- one\n- two\n1. a\n> said\n```py\nx = 1\n```\n");
  assert.deepEqual(found.map((block) => block.kind), ["heading", "paragraph", "list", "list", "quote", "code"]);
  assert.deepEqual(found[5], { kind: "code", text: "x = 1" });
  const list = found[2]!;
  assert.ok(list.kind === "list" && !list.ordered && list.items.length === 2);
});

Deno.test("only http and https become links; all else stays the text that it was", () => {
  assert.deepEqual(spans("see [here](https://a.b/c) now"), [
    { kind: "text", text: "see " },
    { kind: "link", text: "here", href: "https://a.b/c" },
    { kind: "text", text: " now" },
  ]);
  for (const text of ["[x](javascript:alert(1))", "[x](data:text/html,1)", "<img src=x onerror=1>", "[x](/relative)"]) {
    assert.deepEqual(spans(text), [{ kind: "text", text }]);
  }
});

Deno.test("every sign of a note is in what comes out", () => {
  const note = "a `code` **b** *c* http://x.y. 2 * 3 * 4 **open";
  const back = spans(note).map((span) => span.text).join("");
  assert.equal(back, "a code b c http://x.y. 2 * 3 * 4 **open");
});

Deno.test("code without its end is code to the end", () => {
  assert.deepEqual(blocks("```\na\nb"), [{ kind: "code", text: "a\nb" }]);
});

Deno.test("cells of a table may be quoted, hold separators and line ends", () => {
  assert.deepEqual(rowsOf('a,b\n"x, ""y""\nz",2\r\n', ",", 10), [["a", "b"], ['x, "y"\nz', "2"]]);
  assert.deepEqual(rowsOf("a\tb", "\t", 10), [["a", "b"]]);
  assert.deepEqual(rowsOf("1\n2\n3\n", ",", 2), [["1"], ["2"]]);
  assert.deepEqual(rowsOf("", ",", 2), []);
});

Deno.test("files are a tree: folders first, what is in closed ones is counted and left out", () => {
  const files = ["b.txt", "a/z.txt", "a/deep/x.txt", "a.txt"].map((path) => ({ path, bytes: 2 }));
  const shown = (open: string[]) =>
    treeOf(files, (folder) => open.includes(folder)).map((
      row,
    ) => [row.path, row.name, row.depth, row.files, row.bytes]);
  assert.deepEqual(shown([]), [
    ["a", "a", 0, 2, 4],
    ["b.txt", "b.txt", 0, undefined, 2],
    ["a.txt", "a.txt", 0, undefined, 2],
  ]);
  assert.deepEqual(shown(["a", "a/deep"]).map(([path, , depth]) => [path, depth]), [
    ["a", 0],
    ["a/deep", 1],
    ["a/deep/x.txt", 2],
    ["a/z.txt", 1],
    ["b.txt", 0],
    ["a.txt", 0],
  ]);
});
