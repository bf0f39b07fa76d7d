import assert from "node:assert/strict";
import { longestWord } from "../src/view/keys.ts";

Deno.test("what is looked for in keys is the longest word, without its kind", () => {
  assert.equal(longestWord(""), "");
  assert.equal(longestWord("  Loss "), "loss");
  assert.equal(longestWord("metrics.layer/49 norm"), "layer/49");
  assert.equal(longestWord("params."), "");
});
