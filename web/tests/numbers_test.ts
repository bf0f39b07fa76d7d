import assert from "node:assert/strict";
import {
  ago,
  aligned,
  byteSize,
  decimalsOf,
  duration,
  shortNumber,
  signedNumber,
  wholeNumber,
} from "../src/view/numbers.ts";
import { logTicks, tickLabel } from "../src/view/ticks.ts";

Deno.test("a number has four significant digits, and its kind can be seen", () => {
  const cases: [number, string][] = [
    [0, "0"],
    [-0, "0"],
    [3.27894, "3.279"],
    [-3.27894, "−3.279"],
    [12345, "12,345"],
    [1234.56, "1,235"],
    [0.000123456, "0.0001235"],
    [0.0000123456, "1.235e-5"],
    [123456789, "1.235e8"],
    [2e7, "2e7"],
    [NaN, "NaN"],
    [Infinity, "∞"],
    [-Infinity, "−∞"],
    [7, "7"],
    [0.5, "0.5"],
  ];
  for (const [value, text] of cases) assert.equal(shortNumber(value), text);
});

Deno.test("the whole number is the one that was logged", () => {
  for (const value of [0.1 + 0.2, 1e-300, 9007199254740991]) assert.equal(Number(wholeNumber(value)), value);
  assert.equal(wholeNumber(-Infinity), "-inf");
});

Deno.test("a difference shows its sign", () => {
  assert.deepEqual([0.25, -0.25, 0].map(signedNumber), ["+0.25", "−0.25", "±0"]);
});

Deno.test("durations and sizes have two units and three digits at most", () => {
  assert.deepEqual([12, 1250, 12_340, 65_000, 3_600_000, 97_200_000, -65_000].map(duration), [
    "12ms",
    "1.25s",
    "12.3s",
    "1m 5s",
    "1h",
    "1d 3h",
    "−1m 5s",
  ]);
  assert.deepEqual([999, 1000, 999_600, 12_345_678].map(byteSize), ["999 B", "1 kB", "1 MB", "12.3 MB"]);
  assert.equal(ago(0, 5 * 60_000), "5m ago");
});

Deno.test("ticks of a logarithmic axis are within it", () => {
  assert.deepEqual(logTicks(0.3, 20), [0.5, 1, 2, 5, 10, 20]);
  assert.deepEqual(logTicks(1, 1e6), [1, 10, 100, 1000, 1e4, 1e5, 1e6]);
  assert.deepEqual(logTicks(0, 10), []);
});

Deno.test("labels of neighbouring ticks differ", () => {
  assert.deepEqual([3.28, 3.29, 3.3].map((tick) => tickLabel(tick, 0.01)), ["3.28", "3.29", "3.30"]);
  assert.deepEqual([10_000, 12_500].map((tick) => tickLabel(tick, 2500)), ["10.0k", "12.5k"]);
  assert.deepEqual([1e-9, 0, -2e6].map((tick) => tickLabel(tick, 1e6)), ["1e-9", "0", "−2M"]);
});

Deno.test("points of a column stand below one another, and no digit is made up", () => {
  const texts = ["59.28", "59", "3.5", "−1,234", "∞", "2.6e7"];
  const room = decimalsOf(texts);
  assert.equal(room, 2);
  assert.deepEqual(texts.map((text) => aligned(text, room)), [
    "59.28",
    "59\u2008\u2007\u2007",
    "3.5\u2007",
    "−1,234\u2008\u2007\u2007",
    "∞",
    "2.6e7",
  ]);
  assert.equal(decimalsOf(["0.0001234", "1.5"]), 0);
});
