/** Ticks of a logarithmic axis, and labels that tell them apart. */

/** Returns powers of ten in a range and, where that is too few, 2 and 5 times them. The range is above 0. */
export function logTicks(low: number, high: number): number[] {
  if (!(low > 0) || !(high >= low)) return [];
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  const factors = last - first > 4 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = first; power <= last; power++) {
    for (const factor of factors) {
      const tick = Number(`${factor}e${power}`);
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return ticks;
}

/** Returns the label of a tick beside others at a distance: digits enough to differ, and 12k rather than 12,000. */
export function tickLabel(value: number, distance: number): string {
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size >= 1e15 || size < 1e-6) return sign(value.toExponential(1).replace(".0e", "e").replace("e+", "e"));
  const [unit, name] = size >= 1e9 ? [1e9, "G"] : size >= 1e6 ? [1e6, "M"] : size >= 1e4 ? [1e3, "k"] : [1, ""];
  const step = distance > 0 ? distance / unit! : 0;
  const digits = step > 0 ? digitsOf(step) : 3;
  const text = (value / unit!).toFixed(digits);
  return sign(step > 0 ? text : String(Number(text))) + name;
}

// Fewest digits behind the point in which multiples of the step differ from their neighbours and from their rounding.
function digitsOf(step: number): number {
  let digits = Math.min(9, Math.max(0, Math.floor(-Math.log10(step) - 1e-9)));
  while (digits < 9 && Math.abs(step - Number(step.toFixed(digits))) > step * 1e-6) digits++;
  return digits;
}

function sign(text: string): string {
  return text.replace(/^-/, "−");
}
