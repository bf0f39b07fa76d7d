import assert from "node:assert/strict";
import { joined } from "../src/view/positions.ts";

const at = (...offsets: [number, bigint][]) => ({
  offsets: offsets.map(([partition, nextOffset]) => ({ topic: "events", partition, nextOffset })),
});

Deno.test("a position behind two others is behind each in every partition", () => {
  assert.deepEqual(joined(at([0, 5n], [1, 2n]), at([1, 7n], [2, 1n])), at([0, 5n], [1, 7n], [2, 1n]));
  assert.deepEqual(joined(at([0, 5n]), at([0, 3n])), at([0, 5n]));
  assert.equal(joined(undefined, undefined), undefined);
  assert.deepEqual(joined(undefined, at([0, 1n])), at([0, 1n]));
});
