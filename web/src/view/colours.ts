/** Colours of curves: twenty that differ, told apart by people who see fewer of them by their lightness too. */

/** Curves on a light and on a dark ground, slot by slot. */
export const PALETTES: Record<"light" | "dark", readonly string[]> = {
  light: [
    "#2563c9",
    "#d9480f",
    "#0b8457",
    "#b3277f",
    "#8a6100",
    "#6d3fc4",
    "#00808f",
    "#c22f3d",
    "#5c7a0a",
    "#4a5fae",
    "#9c4a1f",
    "#3b7d32",
    "#93399b",
    "#7a6a2f",
    "#2f6f9e",
    "#b0553c",
    "#1c7d78",
    "#87476b",
    "#596b3d",
    "#6a5d8f",
  ],
  dark: [
    "#6ea8ff",
    "#ff9457",
    "#41d39a",
    "#f27cc4",
    "#e0b341",
    "#b294ff",
    "#3fcbd9",
    "#ff8088",
    "#aacb52",
    "#9fb0f5",
    "#e0996a",
    "#8acb80",
    "#d892e0",
    "#cdbb79",
    "#7fbfe8",
    "#eda18c",
    "#6fcfc8",
    "#d69ab9",
    "#adbe8d",
    "#bbb0de",
  ],
};

/** Slots of colours by run: a run keeps its own for as long as it is visible. */
export class ColourSlots {
  readonly #slots = new Map<string, number>();
  readonly #count: number;

  constructor(count = PALETTES.light.length) {
    this.#count = count;
  }

  /** Gives slots to the runs that are visible now, and takes those of the others back. */
  show(runs: readonly string[]): void {
    const visible = new Set(runs);
    for (const run of this.#slots.keys()) if (!visible.has(run)) this.#slots.delete(run);
    const used = new Array<number>(this.#count).fill(0);
    for (const slot of this.#slots.values()) used[slot]!++;
    for (const run of runs) {
      if (this.#slots.has(run)) continue;
      const slot = used.indexOf(Math.min(...used));
      used[slot]!++;
      this.#slots.set(run, slot);
    }
  }

  /** Returns the slot of a run; undefined when it is not visible. */
  of(run: string): number | undefined {
    return this.#slots.get(run);
  }
}
