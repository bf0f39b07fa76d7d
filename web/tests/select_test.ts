import assert from "node:assert/strict";
import { groupFilter } from "../src/view/groups.ts";
import { formatObjective, parseObjective } from "../src/view/objectives.ts";
import { boundsOf, frontLine, scaleOf, ticksOf } from "../src/view/scatter.ts";
import { selectCode } from "../src/view/select_code.ts";

Deno.test("an objective comes back from its text", () => {
  for (
    const each of [
      { value: "metrics.loss", maximize: false, weight: 1 },
      { value: "max(metrics.`a b` WHERE step > 3)", maximize: true, weight: 2.5 },
      { value: "metrics.a - metrics.b", maximize: true, weight: 1 },
    ]
  ) assert.deepEqual(parseObjective(formatObjective(each)), each);
  assert.equal(parseObjective("metrics.loss"), undefined);
});

Deno.test("the front is drawn in steps, whichever way is good", () => {
  const front = [{ x: 1, y: 3 }, { x: 3, y: 1 }, { x: 2, y: 2 }];
  assert.deepEqual(frontLine(front, { x: false, y: false }), [
    { x: 1, y: 3 },
    { x: 2, y: 3 },
    { x: 2, y: 2 },
    { x: 3, y: 2 },
    { x: 3, y: 1 },
  ]);
  const large = [{ x: 3, y: 1 }, { x: 1, y: 3 }];
  assert.deepEqual(frontLine(large, { x: true, y: true }), [{ x: 3, y: 1 }, { x: 1, y: 1 }, { x: 1, y: 3 }]);
  assert.deepEqual(frontLine([{ x: NaN, y: 1 }], { x: true, y: true }), []);
});

Deno.test("scales hold every finite value, and a logarithmic one those above 0", () => {
  assert.equal(boundsOf([NaN, Infinity]), undefined);
  const [low, high] = boundsOf([2, 2])!;
  assert.ok(low < 2 && high > 2);
  const { ticks } = ticksOf(0, 1, 5);
  assert.deepEqual(ticks, [0, 0.2, 0.4, 0.6, 0.8, 1]);
  const scale = scaleOf([0, -1, 1, 1000], [-5, 2], true, 5)!;
  assert.ok(scale.place(1) > 0 && scale.place(1000) < 1);
  assert.ok(scale.ticks.every((tick) => tick > 0));
  assert.equal(scaleOf([-1], [], true, 5), undefined);
});

Deno.test("a wide interval does not press the points together", () => {
  const scale = scaleOf([1, 2, 3], [-1000, 1000], false, 5)!;
  assert.ok(scale.place(3) - scale.place(1) > 0.4);
  assert.ok(scale.place(-1000) < 0);
});

Deno.test("the filter of a group says what its runs have, and what they have not", () => {
  const values = [{ key: "params.lr", value: "0.1" }, { key: "tags.seed", value: "12" }, { key: "params.a b" }];
  assert.equal(
    groupFilter("state = 'FINISHED' OR name = 'x'", values),
    "params.lr = 0.1 AND tags.seed = '12' AND params.`a b` IS NULL AND (state = 'FINISHED' OR name = 'x')",
  );
  assert.equal(groupFilter(" a = 1 ", []), "a = 1");
});

Deno.test("code of a selection has what was asked, quoted for its language", () => {
  const [python, command, curl] = selectCode({
    origin: "http://localhost:7461",
    namespace: "team",
    experiment: { name: "it's", id: 3 },
    filter: "params.kind = 'a'",
    objectives: [{ value: "metrics.loss", maximize: false, weight: 1 }],
    groups: ["params.lr"],
    mode: "pareto",
    statistic: "median",
    minCount: 3,
    confidence: 0.9,
    limit: 5,
    asof: "",
  });
  assert.match(python!.text, /objectives=\["metrics.loss ASC"\],\n {4}mode="pareto"/);
  assert.match(command!.text, /--experiment 'it'\\''s' --objective 'metrics.loss ASC' --mode pareto/);
  assert.match(curl!.text, /"mode":"OBJECTIVE_MODE_PARETO"/);
});
