import assert from "node:assert/strict";
import { ColourSlots, PALETTES } from "../src/view/colours.ts";
import { extremes } from "../src/view/extremes.ts";
import { groupCurve, studentT95 } from "../src/view/grouping.ts";
import { float64s, int64s, joined, onePointEach, placed, type Series, unionOfXs } from "../src/view/series.ts";
import { runCurves } from "../src/parts/curves.ts";
import { boundsOf, extentOf, nearOn, pixelsOf } from "../src/view/scales.ts";
import { smooth } from "../src/view/smoothing.ts";

function series(run: string, xs: number[], ys: number[], counts?: number[]): Series {
  const values = Float64Array.from(ys);
  return {
    run,
    key: "loss",
    xs: Float64Array.from(xs),
    ys: values,
    mins: values,
    maxs: values,
    counts: Float64Array.from(counts ?? ys.map(() => 1)),
    raw: true,
  };
}

// The definition, sum by sum: weights of all earlier values fall with their distance.
function reference(xs: number[], ys: number[], tau: number): number[] {
  return ys.map((y, at) => {
    if (Number.isNaN(y)) return NaN;
    let [sum, weight] = [0, 0];
    const seen = xs.map((x, place) => [x, ys[place]!]).slice(0, at + 1).filter(([, value]) => !Number.isNaN(value!));
    seen.forEach(([x, value], place) => {
      const gap = place > 0 ? x! - seen[place - 1]![0]! : xs.filter((_, each) => !Number.isNaN(ys[each]!))[1]! - x!;
      const share = (1 - Math.exp(-gap / tau)) * Math.exp(-(xs[at]! - x!) / tau);
      sum += share * value!;
      weight += share;
    });
    return sum / weight;
  });
}

Deno.test("smoothing is the weighted mean of its definition on an irregular axis with gaps", () => {
  const xs = [0, 1, 4, 5, 9, 9.5, 20];
  const ys = [4, 3, NaN, 5, 1, 2, 8];
  const found = smooth(xs, ys, 3);
  reference(xs, ys, 3).forEach((value, at) => {
    if (Number.isNaN(value)) assert.ok(Number.isNaN(found[at]!));
    else assert.ok(Math.abs(found[at]! - value) < 1e-12, `${at}: ${found[at]} ${value}`);
  });
});

Deno.test("a constant stays what it is, and no smoothing changes nothing", () => {
  assert.ok(smooth([0, 1, 7], [2, 2, 2], 5).every((value) => Math.abs(value - 2) < 1e-12));
  assert.deepEqual([...smooth([0, 1, 2], [3, 1, 2], 0)], [3, 1, 2]);
});

Deno.test("the same curve smooths alike at ten times the density", () => {
  const at = (step: number) => {
    const xs = Array.from({ length: 1000 / step + 1 }, (_, place) => place * step);
    return smooth(xs, xs.map((x) => Math.sin(x / 100)), 50).at(-1)!;
  };
  assert.ok(Math.abs(at(1) - at(0.1)) < 0.01);
});

Deno.test("columns of the contract become numbers, wherever their bytes begin", () => {
  const bytes = new Uint8Array(25);
  new DataView(bytes.buffer).setFloat64(1, 3.5, true);
  new DataView(bytes.buffer).setBigInt64(9, -7n, true);
  new DataView(bytes.buffer).setBigInt64(17, 9007199254740991n, true);
  assert.deepEqual([...float64s(bytes.subarray(1, 9))], [3.5]);
  assert.deepEqual([...int64s(bytes.subarray(9))], [-7, 9007199254740991]);
});

Deno.test("curves of several runs share an axis: NaN breaks a line, a place without a point does not", () => {
  const one = series("a", [0, 2, 2], [1, 5, NaN]);
  const two = series("b", [1, 2], [7, 8]);
  const union = unionOfXs([one, two]);
  assert.deepEqual([...union], [0, 1, 2]);
  assert.deepEqual(placed(union, one.xs, one.ys), [1, undefined, null]);
  assert.deepEqual(placed(union, two.xs, two.ys), [undefined, 7, 8]);
});

Deno.test("parts of a series are one series", () => {
  const whole = joined([series("a", [0, 1], [1, 2]), series("a", [2], [3])]);
  assert.deepEqual([[...whole.xs], [...whole.ys]], [[0, 1, 2], [1, 2, 3]]);
});

Deno.test("buckets of one point each are told from those of more", () => {
  assert.ok(onePointEach([series("a", [0, 1], [1, 2], [1, 1])]));
  assert.ok(!onePointEach([series("a", [0, 1], [1, 2], [1, 3])]));
});

Deno.test("a lone spike is painted at its column, and a quiet bucket is not", () => {
  const curve = { xs: [0, 10, 20], lines: [1, 1, 1], mins: [1, 1, 0.9], maxs: [1.1, 100, 1.1] };
  assert.deepEqual(extremes(curve, (x) => x, (y) => 200 - y), [{ x: 10, low: 199, high: 100 }]);
});

Deno.test("a group's mean says of how many, and nothing is made up where a run has no number", () => {
  const curve = groupCurve([
    series("a", [0, 1, 2], [1, 2, NaN]),
    series("b", [0, 1, 2], [3, 6, 9]),
    series("c", [1], [4]),
  ]);
  assert.deepEqual([...curve.xs], [0, 1, 2]);
  assert.deepEqual([...curve.means], [2, 4, 9]);
  assert.deepEqual([...curve.counts], [2, 3, 1]);
  assert.equal(curve.stds[1], 2);
  assert.ok(Number.isNaN(curve.stds[2]!) && Number.isNaN(curve.lows[2]!));
  assert.ok(Math.abs(curve.highs[1]! - (4 + 4.3027 * 2 / Math.sqrt(3))) < 1e-9);
});

Deno.test("Student's t is that of the tables", () => {
  assert.equal(studentT95(1), 12.7062);
  assert.ok(Math.abs(studentT95(40) - 2.0211) < 2e-4);
  assert.ok(Math.abs(studentT95(1e6) - 1.96) < 1e-4);
  assert.ok(Number.isNaN(studentT95(0)));
});

Deno.test("a run keeps its colour while it is visible, and no two share one before all are used", () => {
  const slots = new ColourSlots();
  slots.show(["a", "b", "c"]);
  const [b, c] = [slots.of("b"), slots.of("c")];
  slots.show(["c", "b", "d"]);
  assert.deepEqual([slots.of("b"), slots.of("c"), slots.of("a")], [b, c, undefined]);
  slots.show(Array.from({ length: 20 }, (_, at) => `r${at}`));
  assert.equal(new Set(Array.from({ length: 20 }, (_, at) => slots.of(`r${at}`))).size, 20);
});

Deno.test("each colour can be told from its ground", () => {
  const light = (colour: string) => {
    const channel = (at: number) => {
      const value = parseInt(colour.slice(at, at + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
  };
  for (const colour of PALETTES.light) assert.ok(1.05 / (light(colour) + 0.05) >= 3, colour);
  for (const colour of PALETTES.dark) assert.ok((light(colour) + 0.05) / (light("#14161a") + 0.05) >= 3, colour);
});

Deno.test("a scale holds every extreme, and a logarithmic one what is above zero", () => {
  const reach = (lows: number[], highs: number[], line = lows) => ({
    lows: Float64Array.from(lows),
    highs: Float64Array.from(highs),
    line: Float64Array.from(line),
  });
  assert.deepEqual(boundsOf([reach([0, 2], [10, NaN])], false), [-0.6, 10.6]);
  assert.deepEqual(boundsOf([reach([-1, 2], [10, Infinity])], true), [2 / 1.05, 10 * 1.05]);
  assert.deepEqual(boundsOf([reach([-Infinity, 5], [5, 5], [5, NaN])], false), [4.5, 5.5]);
  assert.deepEqual(boundsOf([reach([NaN], [NaN])], false), [0, 1]);
  assert.deepEqual(boundsOf([reach([-3], [-1])], true), [0.1, 1]);
  assert.deepEqual(extentOf([reach([1], [7]), reach([-2], [3])]), [-2, 7]);
});

Deno.test("a value is at its pixel on a plain and on a logarithmic scale", () => {
  const plain = pixelsOf({ min: 10, max: 20, distr: 1 }, 100, 0);
  assert.deepEqual([10, 15, 20, 25].map(plain), [100, 50, 0, -50]);
  const log = pixelsOf({ min: 1, max: 100, distr: 3 }, 0, 200);
  assert.deepEqual([1, 10, 100].map((value) => Math.round(log(value))), [0, 100, 200]);
  assert.ok(Number.isNaN(log(NaN)));
});

Deno.test("a logarithmic axis leaves out what is not above zero, counts it, and copies nothing where all is", () => {
  const shape = { tau: 0, logX: false, logY: true };
  const make = (ys: number[], logX = false) =>
    runCurves([series("a", [0, 1, 2], ys)], { ...shape, logX }, () => "red", (run) => run);
  const all = make([1, 2, 3]);
  assert.equal(all.curves[0]!.line, all.curves[0]!.lows);
  assert.equal(all.notShown, 0);
  const some = make([1, 0, -3]);
  assert.deepEqual([...some.curves[0]!.line], [1, NaN, NaN]);
  assert.deepEqual([...some.curves[0]!.lows], [1, NaN, NaN]);
  assert.equal(some.notShown, 2);
  const both = make([1, 0, 3], true);
  assert.deepEqual([[...both.curves[0]!.xs], [...both.curves[0]!.line], both.notShown], [[1, 2], [NaN, 3], 2]);
});

Deno.test("places that all curves share are those of each of them", () => {
  const [one, two] = [series("a", [0, 5, 9], [1, 2, 3]), series("b", [0, 5, 9], [4, 5, 6])];
  assert.equal(unionOfXs([one, two]), one.xs);
  assert.deepEqual([...unionOfXs([one, series("b", [0, 5], [4, 5])])], [0, 5, 9]);
});

Deno.test("extremes that are told sooner are those that are told by pixels, on both kinds of scales", () => {
  const values = Array.from({ length: 400 }, (_, at) => 1.5 + Math.sin(at * 1.7) + (at % 37 === 0 ? 3 : 0));
  const curve = {
    xs: values.map((_, at) => at),
    lines: values,
    mins: values.map((value, at) => value * (at % 5 === 0 ? 0.7 : 0.99)),
    maxs: values.map((value, at) => value * (at % 3 === 0 ? 1.3 : 1.001)),
  };
  for (const distr of [1, 3]) {
    const scale = { min: 0.1, max: 6, distr };
    const toY = pixelsOf(scale, 200, 0);
    const plain = extremes(curve, (x) => x, toY, 3);
    assert.ok(plain.length > 50 && plain.length < 350);
    assert.deepEqual(extremes(curve, (x) => x, toY, 3, nearOn(scale, 200, 3)), plain);
  }
});
