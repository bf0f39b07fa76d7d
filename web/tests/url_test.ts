import assert from "node:assert/strict";
import { emptyView, formatView, joinList, parseView, splitList } from "../src/view/url.ts";
import { formatRoute, parseRoute } from "../src/view/route.ts";

Deno.test("a view comes back from its address", () => {
  const view = {
    ...emptyView(),
    q: "metrics.`val loss` < 3.28 AND tags.a = 'x,y&z=1'",
    o: ["metrics.val_loss", "start_time DESC"],
    cols: ["name", "params.a,b", "metrics.c\\d@min"],
    runs: "0192f0c1a2b34c5d8e9f0123456789ab,0192f0c1a2b34c5d8e9f0123456789ac",
    base: "0192f0c1a2b34c5d8e9f0123456789ab",
    g: ["params.lr"],
    c: ["val_loss", "train/loss, smooth"],
    x: { kind: "relative", log: true, range: [-1.5, 2e6] as [number, number] },
    y: { kind: "", log: true },
    s: 250,
    mode: "pareto" as const,
    stat: "median" as const,
    least: 3,
    conf: 99,
    top: 7,
    asof: "1763900000000",
    diff: true,
    live: true,
    tab: "charts",
  };
  assert.deepEqual(parseView(formatView(view)), view);
});

Deno.test("defaults are left out of an address", () => {
  assert.equal(formatView(emptyView()), "");
  assert.equal(formatView(parseView("?q=&runs=first:20&x=step&s=0")), "");
  assert.equal(formatView(parseView("?mode=none&stat=&least=-2&conf=100&top=x&live=0&diff=yes")), "");
});

Deno.test("names that this version does not know are kept", () => {
  assert.equal(formatView(parseView("?q=a&later=1&later=2")), "?q=a&later=1&later=2");
});

Deno.test("an address that makes no sense gives the view without it", () => {
  assert.deepEqual(parseView("?x=sideways,9..1&s=-4&y=a..b"), emptyView());
});

Deno.test("commas and backslashes within items survive a list", () => {
  for (const items of [[], ["a"], ["a,b", "c\\", "\\,"], ["ä", "`x`"]]) {
    assert.deepEqual(splitList(joinList(items)), items);
  }
});

Deno.test("an address stays readable", () => {
  assert.equal(
    formatView({ ...emptyView(), q: "params.lr <= 0.1", cols: ["name", "metrics.loss@min"] }),
    "?q=params.lr+%3C=+0.1&cols=name,metrics.loss@min",
  );
});

Deno.test("each route comes back from its path", () => {
  const run = "0192f0c1a2b34c5d8e9f0123456789ab";
  for (
    const route of [
      { screen: "experiments", namespace: "default" },
      { screen: "runs", namespace: "a b/c" },
      { screen: "runs", namespace: "x", experiment: 12 },
      { screen: "run", namespace: "x", run },
      { screen: "compare", namespace: "x" },
      { screen: "server", namespace: "x" },
    ] as const
  ) assert.deepEqual(parseRoute(formatRoute(route)), route);
});

Deno.test("a path of no screen is lost, and a broken escape breaks nothing", () => {
  assert.equal(parseRoute("/n/x/nowhere").screen, "lost");
  assert.equal(parseRoute("/n/x/runs/%E0%A4%A").screen, "lost");
  assert.equal(parseRoute("/favicon").screen, "lost");
});
