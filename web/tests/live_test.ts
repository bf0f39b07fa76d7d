import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { PositionSchema } from "../contract/fleetlog/v1/position_pb.ts";
import { RunSchema } from "../contract/fleetlog/v1/run_pb.ts";
import { WatchRunsResponseSchema } from "../contract/fleetlog/v1/watch_pb.ts";
import { cancelFrame, openFrame, parseFrame } from "../src/api/live_frames.ts";
import { momentAfter, momentsOf, neighbour } from "../src/view/moments.ts";
import { kindsAsked, kindWords } from "../src/view/records.ts";
import { formatSaved, parseSaved } from "../src/view/saved.ts";
import { progressOf } from "../src/view/progress.ts";
import { after, difference, differenceWords, NOTHING } from "../src/view/watched.ts";

const run = (runId: string, name = "") => create(RunSchema, { runId, name });
const answer = (fields: Parameters<typeof create<typeof WatchRunsResponseSchema>>[1]) =>
  create(WatchRunsResponseSchema, fields);

Deno.test("answers of a watch add up to the runs as they are", () => {
  const position = create(PositionSchema, {});
  let watched = after(NOTHING, answer({ snapshot: true, entered: [run("a"), run("b")], order: ["a", "b"] }));
  assert.equal(watched.position, undefined);
  watched = after(watched, answer({ entered: [run("c")], order: ["c", "a", "b"], position }));
  assert.deepEqual(watched.order, ["c", "a", "b"]);
  watched = after(watched, answer({ left: ["a"], changed: [run("b", "new")] }));
  assert.deepEqual(watched.order, ["c", "b"]);
  assert.equal(watched.runs.get("b")!.name, "new");
  assert.equal(watched.position, position);
  watched = after(watched, answer({ snapshot: true, entered: [run("d")] }));
  assert.deepEqual([watched.order, watched.position], [["d"], undefined]);
});

Deno.test("a table differs by what entered, moved and went", () => {
  assert.deepEqual(difference(["a", "b", "c"], ["n", "b", "a"], 100), { entered: 1, moved: 2, gone: ["c"] });
  assert.deepEqual(difference(["a", "b"], ["n", "a"], 2), { entered: 1, moved: 0, gone: [] });
  assert.equal(differenceWords({ entered: 3, moved: 2, gone: [] }), "3 new, 2 moved");
  assert.equal(differenceWords({ entered: 0, moved: 0, gone: [] }), "");
});

Deno.test("frames are those of the server", () => {
  const opened = openFrame(258, "a.B/C", new Uint8Array([7]));
  assert.deepEqual([...opened], [0, 0, 1, 2, 0, 5, ...new TextEncoder().encode("a.B/C"), 7]);
  assert.deepEqual([...cancelFrame(1)], [0, 0, 0, 1, 1]);
  const frame = parseFrame(new Uint8Array([0, 0, 0, 9, 2, 123, 125]).buffer)!;
  assert.deepEqual([frame.stream, frame.kind, [...frame.data]], [9, "error", [123, 125]]);
  assert.equal(parseFrame(new ArrayBuffer(3)), undefined);
  assert.equal(parseFrame(new Uint8Array([0, 0, 0, 9, 77]).buffer), undefined);
});

Deno.test("moments of runs lead from one to the next, each seen just after it", () => {
  const moments = momentsOf([{ start: 10, end: 30 }, { start: 20, end: undefined }, { start: 1, end: 2 }], 5, 100);
  assert.deepEqual(moments.map((each) => each.millis), [10, 20, 30]);
  assert.equal(neighbour(moments, 21, 1), 31);
  assert.equal(neighbour(moments, 21, -1), 11);
  assert.equal(neighbour(moments, 31, 1), undefined);
});

Deno.test("a saved view comes back, and leads nowhere but to its own place", () => {
  const view = { name: "a b", search: "?q=x" };
  assert.deepEqual(parseSaved(formatSaved(view)), view);
  for (const text of ["", "[]", "null", '{"name": ""}', formatSaved({ name: "x", search: "//elsewhere" })]) {
    assert.equal(parseSaved(text), undefined);
  }
});

Deno.test("what was after an entry is seen a second later, or just before the next one", () => {
  const entries = [50_000n, 10_400n, 10_000n, 10_000n].map((timeMillis) => ({ timeMillis }));
  assert.deepEqual(entries.map((_, at) => momentAfter(entries, at)), ["51000", "11400", "10399", "10001"]);
});

Deno.test("a history leaves points out unless they are asked for, and knows every other kind of event", () => {
  assert.deepEqual(kindsAsked(true), []);
  const kinds = kindsAsked(false);
  assert.ok(!kinds.includes("metrics_logged"));
  assert.ok(["run_started", "tags_set", "artifact_logged", "run_finished"].every((kind) => kinds.includes(kind)));
  assert.ok(kinds.length <= 50, "the server takes no more");
  assert.equal(kindWords(["tags_set", "run_finished"]), "tags set, run finished");
});

Deno.test("each partition tells how far it is behind, and none is ahead of the log", () => {
  const at = (...offsets: [string, number, bigint][]) =>
    create(PositionSchema, {
      offsets: offsets.map(([topic, partition, nextOffset]) => ({ topic, partition, nextOffset })),
    });
  const found = progressOf(at(["events", 1, 9n], ["events", 0, 4n]), at(["events", 0, 6n], ["control", 0, 2n]));
  assert.deepEqual(found.map((each) => [each.topic, each.partition, each.logged, each.applied, each.behind]), [
    ["control", 0, 2n, 2n, 0n],
    ["events", 0, 6n, 6n, 0n],
    ["events", 1, 9n, 0n, 9n],
  ]);
  assert.deepEqual(progressOf(undefined, undefined), []);
});
