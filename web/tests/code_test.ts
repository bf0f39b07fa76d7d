import assert from "node:assert/strict";
import { compareCode, modelCode, runCode, versionCode } from "../src/view/subject_code.ts";
import { codeOf } from "../src/view/code.ts";

const asked = {
  origin: "http://127.0.0.1:7461",
  namespace: "default",
  experiment: { name: "it's", id: 3 },
  filter: "tags.`a b` = 'x' AND metrics.loss < 3",
  orders: ["metrics.loss", "start_time DESC"],
};

Deno.test("a view is told in Python, on the command line and by curl, with its texts quoted", () => {
  const [python, command, curl] = codeOf(asked).map((code) => code.text);
  assert.equal(
    python,
    "import fleetlog\n\nruns = fleetlog.Client().search_runs(\"tags.`a b` = 'x' AND metrics.loss < 3\", " +
      'experiments=["it\'s"], order_by=["metrics.loss", "start_time DESC"])\n',
  );
  assert.equal(
    command,
    "fleetlog runs search --experiment 'it'\\''s' --order-by metrics.loss --order-by 'start_time DESC' " +
      "-- 'tags.`a b` = '\\''x'\\'' AND metrics.loss < 3'\n",
  );
  assert.match(curl!, /^curl -s http:\/\/127\.0\.0\.1:7461\/fleetlog\.v1\.QueryService\/SearchRuns/);
});

Deno.test("what is not asked is not told", () => {
  const [python, command] = codeOf({ ...asked, namespace: "lab", experiment: undefined, filter: "", orders: [] });
  assert.equal(python!.text, 'import fleetlog\n\nruns = fleetlog.Client(namespace="lab").search_runs()\n');
  assert.equal(command!.text, "fleetlog runs search --namespace lab\n");
});

Deno.test("a past moment is in all of them", () => {
  const codes = codeOf({ ...asked, asof: "1764489600123" }).map((code) => code.text);
  assert.match(codes[0]!, /as_of=datetime\.fromisoformat\("2025-11-30T08:00:00\.123\+00:00"\)/);
  assert.match(codes[1]!, /--as-of 2025-11-30T08:00:00\.123\+00:00/);
  assert.match(codes[2]!, /"asOf":\{"timeMillis":"1764489600123"\}/);
});

Deno.test("one thing is read as it was, in each language that can", () => {
  const place = { origin: "http://localhost:7461", namespace: "team", asof: "1000" };
  const [python, command, curl] = versionCode(place, "gpt 2", 3n);
  assert.match(
    python!.text,
    /get_version\("gpt 2", 3, as_of=datetime.fromisoformat\("1970-01-01T00:00:01.000\+00:00"\)\)/,
  );
  assert.equal(
    command!.text,
    "fleetlog models show 'gpt 2' 3 --as-of 1970-01-01T00:00:01.000+00:00 --namespace team\n",
  );
  assert.match(curl!.text, /RegistryQueryService\/GetModelVersion.*"version":"3","asOf":\{"timeMillis":"1000"\}/s);
  const now = { ...place, namespace: "default", asof: "" };
  assert.equal(runCode(now, "a")[0]!.text, 'import fleetlog\n\nrun = fleetlog.Client().get_run("a")\n');
  assert.equal(compareCode(place, ["a", "b"])[1]!.text, "fleetlog runs diff a b --namespace team\n");
  assert.equal(modelCode(now, "m")[1]!.text, "fleetlog models show m\n");
});
