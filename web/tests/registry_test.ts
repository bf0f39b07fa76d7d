import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { ModelAction, ModelHistoryEntrySchema } from "../contract/fleetlog/v1/model_history_pb.ts";
import { ApprovalPolicySchema, ModelStage } from "../contract/fleetlog/v1/registry_event_pb.ts";
import { Role } from "../contract/fleetlog/v1/token_event_pb.ts";
import { historyWords, isAlias, needsApproval, requestWords } from "../src/view/registry.ts";
import { allowed, grantWords } from "../src/view/roles.ts";
import { formatRoute, parseRoute, type Route } from "../src/view/route.ts";

Deno.test("a policy names the stages and aliases that take an approval", () => {
  const policy = create(ApprovalPolicySchema, { stages: [ModelStage.PRODUCTION], aliases: ["champion"] });
  assert.equal(needsApproval(policy, { case: "stage", value: ModelStage.PRODUCTION }), true);
  assert.equal(needsApproval(policy, { case: "stage", value: ModelStage.STAGING }), false);
  assert.equal(needsApproval(policy, { case: "alias", value: "champion" }), true);
  assert.equal(needsApproval(undefined, { case: "alias", value: "champion" }), false);
});

Deno.test("what the server takes for an alias is one here too", () => {
  for (const alias of ["champion", "a-b_1", "v", "vx", "x".repeat(250)]) assert.ok(isAlias(alias), alias);
  for (const alias of ["", "latest", "Latest", "v12", "a b", "ä", "x".repeat(251)]) assert.ok(!isAlias(alias), alias);
});

Deno.test("each action has a sentence, those of tomorrow too", () => {
  const all = Object.values(ModelAction).filter((each) => typeof each === "number");
  for (const action of [...all, 99 as ModelAction]) {
    const words = historyWords(create(ModelHistoryEntrySchema, { action, version: 3n, subject: "x", approval: 2n }));
    assert.match(words, /^[a-z]/);
  }
  const moved = create(ModelHistoryEntrySchema, {
    action: ModelAction.VERSION_TRANSITIONED,
    version: 3n,
    oldValue: "None",
    newValue: "Production",
  });
  assert.equal(historyWords(moved), "moved version 3 from None to Production");
  assert.equal(
    requestWords({ version: 3n, change: { case: "alias", value: "champion" } }),
    "alias champion to version 3",
  );
});

Deno.test("roles of a namespace and of all of them add up", () => {
  const grants = [{ namespace: "a", role: Role.WRITER }, { namespace: "*", role: Role.READER }, {
    namespace: "b",
    role: Role.APPROVER,
  }];
  assert.deepEqual(allowed(grants, "a"), { read: true, write: true, approve: false, admin: false });
  assert.deepEqual(allowed(grants, "b"), { read: true, write: false, approve: true, admin: false });
  assert.deepEqual(allowed(grants, "c"), { read: true, write: false, approve: false, admin: false });
  assert.ok(allowed([{ namespace: "*", role: Role.ADMIN }], "a").admin);
  assert.deepEqual(allowed([], "a"), { read: false, write: false, approve: false, admin: false });
  assert.equal(grantWords(grants[1]!), "reader of every namespace");
});

Deno.test("a path is a screen, whatever stands in a name", () => {
  const routes: Route[] = [
    { screen: "models", namespace: "team a" },
    { screen: "model", namespace: "default", model: "gpt-2 (small)?#%" },
    { screen: "version", namespace: "default", model: "ü", version: 2n ** 53n + 1n },
  ];
  for (const route of routes) assert.deepEqual(parseRoute(formatRoute(route)), route);
  assert.equal(parseRoute("/n/default/models/a/0").screen, "lost");
});
