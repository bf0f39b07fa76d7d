import assert from "node:assert/strict";

const STYLES = await Deno.readTextFile(new URL("../style/base.css", import.meta.url));
const INKS = ["ink", "soft", "faint", "accent", "good", "bad", "warn"];
const GROUNDS = ["ground", "sunk", "raised", "hover"];
const LEAST = 4.5;
const LEAST_OF_SIGNS = 3;

function themes(): Map<string, Map<string, string>> {
  const found = new Map<string, Map<string, string>>();
  for (const [, name, body] of STYLES.matchAll(/:root\[data-theme="(\w+)"\] \{([^}]*)\}/g)) {
    found.set(
      name!,
      new Map([...body!.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, key, value]) => [key!, value!])),
    );
  }
  return found;
}

// Relative luminance of WCAG 2.
function light(colour: string): number {
  const channel = (at: number) => {
    const value = parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

function contrast(one: string, other: string): number {
  const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
  return (high! + 0.05) / (low! + 0.05);
}

Deno.test("texts can be read on every ground of both themes", () => {
  assert.deepEqual([...themes().keys()].sort(), ["dark", "light"]);
  for (const [name, colours] of themes()) {
    for (const ink of INKS) {
      for (const ground of GROUNDS) {
        const found = contrast(colours.get(ink)!, colours.get(ground)!);
        assert.ok(found >= LEAST, `${name}: ${ink} on ${ground} has ${found.toFixed(2)}`);
      }
    }
    for (const ground of GROUNDS) {
      assert.ok(
        contrast(colours.get("absent")!, colours.get(ground)!) >= LEAST_OF_SIGNS,
        `${name}: absent on ${ground}`,
      );
    }
    assert.ok(contrast(colours.get("accent-ink")!, colours.get("accent")!) >= LEAST, `${name}: accent-ink on accent`);
    assert.ok(contrast(colours.get("accent")!, colours.get("accent-soft")!) >= LEAST, `${name}: accent on accent-soft`);
    assert.ok(contrast(colours.get("bad")!, colours.get("bad-soft")!) >= LEAST, `${name}: bad on bad-soft`);
  }
});
