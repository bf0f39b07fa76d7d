import assert from "node:assert/strict";
import {
  columnId,
  isBetter,
  lowerIsBetter,
  nextOrders,
  orderTerm,
  parseColumn,
  readMask,
  suggestedColumns,
} from "../src/view/columns.ts";

Deno.test("a column comes back from its name", () => {
  for (
    const [kind, key, statistic] of [
      ["params", "a b@min", "last"],
      ["metrics", "loss", "last"],
      ["metrics", "loss", "min"],
      ["metrics", "odd@max", "last"],
      ["metrics", "odd@max", "std"],
      ["tags", "x.y", "last"],
      ["attributes", "state", "last"],
    ] as const
  ) {
    const column = parseColumn(columnId(kind, key, statistic))!;
    assert.deepEqual([column.kind, column.key, column.statistic], [kind, key, statistic]);
  }
  assert.equal(parseColumn("nothing"), undefined);
});

Deno.test("columns are ordered and asked for in the words of the filter", () => {
  const column = (id: string) => parseColumn(id)!;
  assert.equal(orderTerm(column("metrics.val loss@min")), "min(metrics.`val loss`)");
  assert.equal(orderTerm(column("duration")), "end_time - start_time");
  assert.equal(orderTerm(column("metrics.a@std")), undefined);
  assert.deepEqual(readMask(["name", "metrics.a@min", "metrics.a", "params.b c"].map(column)), [
    "attributes",
    "metrics.a",
    "params.`b c`",
  ]);
});

Deno.test("clicks on a head order up, down and not at all, and with Shift beside others", () => {
  const column = parseColumn("params.lr")!;
  assert.deepEqual(nextOrders(column, [], false), ["params.lr"]);
  assert.deepEqual(nextOrders(column, ["params.lr"], false), ["params.lr DESC"]);
  assert.deepEqual(nextOrders(column, ["params.lr DESC"], false), []);
  assert.deepEqual(nextOrders(column, ["name", "params.lr"], true), ["name", "params.lr DESC"]);
  assert.deepEqual(nextOrders(column, ["name", "params.lr DESC"], true), ["name"]);
});

Deno.test("a table begins with what most runs have, and without system metrics", () => {
  const keys = [
    { kind: "metrics" as const, key: "rare", runs: 1 },
    { kind: "metrics" as const, key: "system/cpu", runs: 99 },
    { kind: "metrics" as const, key: "loss", runs: 9 },
    { kind: "params" as const, key: "lr", runs: 9 },
  ];
  assert.deepEqual(suggestedColumns(keys), [
    "name",
    "state",
    "metrics.loss",
    "metrics.rare",
    "params.lr",
    "duration",
    "start_time",
  ]);
});

Deno.test("names tell which way is good", () => {
  assert.deepEqual(["val_loss", "step_avg_time", "accuracy"].map(lowerIsBetter), [true, true, false]);
});

Deno.test("a difference is good or bad where the name of the metric says so, and else neither", () => {
  assert.deepEqual([isBetter("val_loss", -1), isBetter("val_loss", 1)], [true, false]);
  assert.deepEqual([isBetter("accuracy", 1), isBetter("accuracy", -1)], [true, false]);
  assert.deepEqual([isBetter("step_avg", -158), isBetter("loss", 0), isBetter("loss", NaN)], Array(3).fill(undefined));
});
