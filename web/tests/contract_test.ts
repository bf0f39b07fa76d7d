import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { enveloped, EnvelopeReader } from "../src/api/envelopes.ts";
import { asFailure, Failure, failureOf } from "../src/api/failure.ts";
import { ReadMetricResponseSchema } from "../contract/fleetlog/v1/metric_pb.ts";
import { RunSchema } from "../contract/fleetlog/v1/run_pb.ts";

Deno.test("messages come out of a stream however its pieces are cut", () => {
  const messages = [new Uint8Array([1, 2, 3]), new Uint8Array(), new Uint8Array(300).fill(7)];
  const end = enveloped(new TextEncoder().encode("{}"));
  end[0] = 2;
  const body = [...messages.flatMap((message) => [...enveloped(message)]), ...end];
  for (const size of [1, 2, 5, 7, body.length]) {
    const reader = new EnvelopeReader();
    const found: Uint8Array[] = [];
    for (let at = 0; at < body.length; at += size) {
      found.push(...reader.take(Uint8Array.from(body.slice(at, at + size))));
    }
    assert.deepEqual(found.map((each) => [...each]), messages.map((each) => [...each]), `${size}`);
    assert.equal(reader.end, "{}");
  }
});

Deno.test("a message that is larger than its piece waits, and an end is none of the messages", () => {
  const reader = new EnvelopeReader();
  const whole = enveloped(new Uint8Array(10).fill(9));
  assert.deepEqual(reader.take(whole.subarray(0, 14)), []);
  assert.equal(reader.take(whole.subarray(14)).length, 1);
  assert.equal(reader.end, undefined);
});

Deno.test("a failure has the reason and the column that the server told", () => {
  const failure = failureOf({
    code: "invalid_argument",
    message: "no",
    reason: "FILTER_INVALID",
    metadata: { column: "7" },
  }, 400);
  assert.deepEqual([failure.code, failure.reason, failure.column, failure.passes], [
    "invalid_argument",
    "FILTER_INVALID",
    7,
    false,
  ]);
});

Deno.test("a body that is no JSON of ours is a failure all the same", () => {
  for (const body of [null, "text", 3, { code: 5 }]) {
    assert.equal(failureOf(body, 502).code, "unavailable");
    assert.equal(failureOf(body, 418).code, "unknown");
  }
  assert.ok(asFailure(new TypeError("x")) instanceof Failure);
});

Deno.test("whole numbers beyond 2^53, NaN and infinities come through the contract as they are", () => {
  const run = create(RunSchema, {
    params: [{ key: "whole", value: { case: "whole", value: 9007199254740993n } }],
    metrics: [{ key: "loss", last: NaN, lastStep: -3n }, { key: "up", last: Infinity }],
  });
  const back = fromBinary(RunSchema, toBinary(RunSchema, run));
  assert.equal(back.params[0]!.value.value, 9007199254740993n);
  assert.ok(Number.isNaN(back.metrics[0]!.last));
  assert.equal(back.metrics[1]!.last, Infinity);
  assert.equal(back.metrics[0]!.lastStep, -3n);
});

Deno.test("bytes that a newer server sends with fields unknown here are read", () => {
  const known = toBinary(
    ReadMetricResponseSchema,
    create(ReadMetricResponseSchema, { parts: [{ runId: "a", key: "b" }] }),
  );
  // Field 1000 of kind varint.
  const newer = Uint8Array.from([...known, 0xc0, 0x3e, 1]);
  assert.equal(fromBinary(ReadMetricResponseSchema, newer).parts[0]!.key, "b");
});
