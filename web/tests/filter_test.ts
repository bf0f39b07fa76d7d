import assert from "node:assert/strict";
import {
  chips,
  completionAt,
  parsedField,
  quotedKey,
  quotedValue,
  tokens,
  withoutChip,
  withTerm,
} from "../src/view/filter.ts";

const texts = (filter: string) => chips(filter).map((chip) => chip.text);

Deno.test("chips are the terms of the top-level AND, as they were written", () => {
  assert.deepEqual(texts("metrics.a < 3 AND  params.`x AND y` = 'p AND q' and (tags.t = 1 OR tags.t = 2)"), [
    "metrics.a < 3",
    "params.`x AND y` = 'p AND q'",
    "(tags.t = 1 OR tags.t = 2)",
  ]);
  assert.deepEqual(texts("start_time BETWEEN 1 AND 2 AND state = 'FINISHED'"), [
    "start_time BETWEEN 1 AND 2",
    "state = 'FINISHED'",
  ]);
  assert.deepEqual(texts("min(metrics.a WHERE step BETWEEN 1 AND 5) < 2 AND name LIKE 'x%'"), [
    "min(metrics.a WHERE step BETWEEN 1 AND 5) < 2",
    "name LIKE 'x%'",
  ]);
});

Deno.test("what is no AND of terms is one chip", () => {
  for (
    const filter of [
      "a = 1 OR b = 2",
      "a = 1 AND b = 2 OR c = 3",
      "a = 'open AND b = 2",
      "(a = 1 AND b = 2",
      "a = 1 AND",
    ]
  ) {
    assert.deepEqual(texts(filter), [filter]);
  }
  assert.deepEqual(chips("   "), []);
});

Deno.test("chips and text say the same", () => {
  const filter = "metrics.a < 3 AND params.b = 'x' AND state = 'RUNNING'";
  for (const chip of chips(filter)) assert.equal(filter.slice(chip.start, chip.end), chip.text);
  assert.equal(withoutChip(filter, 1), "metrics.a < 3 AND state = 'RUNNING'");
  assert.equal(withoutChip("a = 1", 0), "");
});

Deno.test("a term that is added joins what is there, an OR in parentheses", () => {
  assert.equal(withTerm("", "a = 1"), "a = 1");
  assert.equal(withTerm("a = 1", "b = 2"), "a = 1 AND b = 2");
  assert.equal(withTerm("a = 1 AND b = 2", "b = 2"), "a = 1 AND b = 2");
  assert.equal(withTerm("a = 1 OR b = 2", "c = 3"), "(a = 1 OR b = 2) AND c = 3");
});

Deno.test("keys and values are quoted where they have to be, and come back", () => {
  assert.equal(quotedKey("val_loss/x-1"), "val_loss/x-1");
  assert.equal(quotedKey("a `b`"), "`a ``b```");
  assert.deepEqual(parsedField("metrics.`a ``b```"), { kind: "metrics", key: "a `b`" });
  assert.deepEqual(parsedField("param.lr"), { kind: "params", key: "lr" });
  assert.deepEqual(parsedField("state"), { kind: "attributes", key: "state" });
  assert.deepEqual(["1e-3", "it's", ""].map(quotedValue), ["1e-3", "'it''s'", "''"]);
});

Deno.test("tokens cover every sign of a text but spaces", () => {
  const filter = "at(metrics.loss, 1000) >= 1e-3 AND name != 'a' AND x = 'open";
  const covered = new Set(
    tokens(filter).flatMap(({ start, end }) => Array.from({ length: end - start }, (_, at) => start + at)),
  );
  for (let at = 0; at < filter.length; at++) assert.ok(covered.has(at) || filter[at] === " ", `${at}`);
});

Deno.test("what may stand at the caret is told", () => {
  const at = (marked: string) => {
    const caret = marked.indexOf("|");
    const found = completionAt(marked.replace("|", ""), caret);
    if (!found) return undefined;
    return [found.kind, found.prefix, "of" in found ? found.of : "field" in found ? found.field : ""];
  };
  assert.deepEqual(at("|"), ["name", "", ""]);
  assert.deepEqual(at("sta|"), ["name", "sta", ""]);
  assert.deepEqual(at("metrics.|"), ["key", "", "metrics"]);
  assert.deepEqual(at("a = 1 AND params.`learning ra|"), ["key", "learning ra", "params"]);
  assert.deepEqual(at("metrics.val_loss |"), ["operator", "", "metrics.val_loss"]);
  assert.deepEqual(at("state = |"), ["value", "", "state"]);
  assert.deepEqual(at("state = 'FIN|"), ["value", "'FIN", "state"]);
  assert.deepEqual(at("tags.team IN ('a', |"), ["value", "", "tags.team"]);
  assert.deepEqual(at("state = 'FINISHED' |"), ["join", "", ""]);
  assert.deepEqual(at("a = 1 AND |"), ["name", "", ""]);
});

Deno.test("a completed key replaces what was typed of it, behind the caret too", () => {
  const text = "metrics.val_loss < 3";
  const found = completionAt(text, "metrics.va".length)!;
  assert.deepEqual([found.start, found.end], ["metrics.".length, "metrics.val_loss".length]);
});
