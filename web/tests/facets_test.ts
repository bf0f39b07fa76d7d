import assert from "node:assert/strict";
import { type Bin, binWords, fieldOf, heights, rangeTerm, valueTerm, withRange } from "../src/view/facets.ts";

const BINS: Bin[] = [
  { low: 1e-5, high: 1e-4, runs: 100 },
  { low: 1e-4, high: 1e-3, runs: 0 },
  { low: 1e-3, high: 0.01, runs: 1 },
];

Deno.test("a stretch of bins is the term that finds their runs, whichever end it was drawn from", () => {
  assert.equal(rangeTerm("params.lr", BINS, 0, 1), "params.lr >= 0.00001 AND params.lr < 0.001");
  assert.equal(rangeTerm("params.lr", BINS, 1, 0), rangeTerm("params.lr", BINS, 0, 1));
  assert.equal(rangeTerm("params.lr", BINS, 2, 1), "params.lr BETWEEN 0.0001 AND 0.01");
  assert.equal(rangeTerm("params.lr", [{ low: 3, high: 3, runs: 2 }], 0, 0), "params.lr = 3");
});

Deno.test("a range takes the place of the one before, and of nothing else", () => {
  const filter = "params.lr >= 0.1 AND params.lr < 1 AND params.lr2 > 3 AND params.lr IS NULL AND state = 'FAILED'";
  assert.equal(
    withRange(filter, "params.lr", "params.lr = 3"),
    "params.lr2 > 3 AND params.lr IS NULL AND state = 'FAILED' AND params.lr = 3",
  );
  assert.equal(withRange("params.lr BETWEEN 1 AND 2", "params.lr", "params.lr = 3"), "params.lr = 3");
  assert.equal(withRange("a = 1 OR b = 2", "params.lr", "params.lr = 3"), "(a = 1 OR b = 2) AND params.lr = 3");
});

Deno.test("values are terms as filters take them", () => {
  assert.equal(valueTerm("params.model", "it's", true), "params.model = 'it''s'");
  assert.equal(valueTerm("tags.n", "3", true), "tags.n = '3'");
  assert.equal(valueTerm("params.n", "3", false), "params.n = 3");
  assert.equal(fieldOf("params", "learning rate"), "params.`learning rate`");
});

Deno.test("one run among many is seen, and none is not", () => {
  assert.deepEqual(heights(BINS), [1, 0, 0.04]);
  assert.deepEqual(heights([]), []);
  assert.equal(binWords(BINS[2]!, true), "0.001 to 0.01: 1 run");
  assert.match(binWords(BINS[0]!, false), /to below/);
});
