/** Numbers, times and sizes as people read them. The whole value is what a cell tells on hover and on copy. */

const MOST_DECIMALS = 5;

/** Returns up to four significant digits; NaN and infinities by their signs. */
export function shortNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e7 || size < 1e-4) return minus(trimmedExponent(value));
  if (Number.isInteger(value) || size >= 1000) return minus(grouped(Math.round(value)));
  return minus(String(Number(value.toPrecision(4))));
}

/** Returns digits behind the point that a column of such texts has room for; 0 where that would be much. */
export function decimalsOf(texts: readonly string[]): number {
  const most = texts.reduce((before, text) => Math.max(before, decimals(text)), 0);
  return most <= MOST_DECIMALS ? most : 0;
}

/** Returns the text with blanks as wide as digits behind it, so that points stand below one another. */
export function aligned(text: string, room: number): string {
  if (room === 0 || !/^−?[\d,]+(\.\d+)?$/.test(text)) return text;
  const own = decimals(text);
  return text + (own === 0 ? "\u2008" : "") + "\u2007".repeat(Math.max(0, room - own));
}

function decimals(text: string): number {
  return /^−?[\d,]+\.(\d+)$/.exec(text)?.[1]?.length ?? 0;
}

/** Returns the number with all its digits, as a filter and Python take it. */
export function wholeNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return String(value);
}

/** Returns the difference with its sign. */
export function signedNumber(value: number): string {
  if (value === 0) return "±0";
  return value > 0 ? `+${shortNumber(value)}` : shortNumber(value);
}

/** Returns a whole number with commas between thousands. */
export function grouped(value: number | bigint): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** Returns milliseconds as two units at most: "3d 4h", "12m 5s", "1.25s". */
export function duration(millis: number): string {
  if (!Number.isFinite(millis)) return shortNumber(millis);
  const sign = millis < 0 ? "−" : "";
  const size = Math.abs(millis);
  if (size < 1000) return `${sign}${Math.round(size)}ms`;
  if (size < 60_000) return `${sign}${Number((size / 1000).toFixed(size < 10_000 ? 2 : 1))}s`;
  const units: [number, string][] = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "m"], [1000, "s"]];
  const first = units.findIndex(([unit]) => size >= unit);
  const [unit, name] = units[first]!;
  const next = units[first + 1];
  const rest = next ? Math.floor((size % unit) / next[0]) : 0;
  return `${sign}${Math.floor(size / unit)}${name}${rest && next ? ` ${rest}${next[1]}` : ""}`;
}

/** Returns local date and time to the minute. */
export function localTime(millis: number): string {
  const date = new Date(millis);
  if (Number.isNaN(date.getTime())) return "–";
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${
    two(date.getMinutes())
  }`;
}

/** Returns local date and time to the second. */
export function localSecond(millis: number): string {
  const seconds = new Date(millis).getSeconds();
  return Number.isNaN(seconds) ? "–" : `${localTime(millis)}:${String(seconds).padStart(2, "0")}`;
}

/** Returns the time in UTC to the millisecond. */
export function utcTime(millis: number): string {
  const date = new Date(millis);
  return Number.isNaN(date.getTime()) ? "–" : date.toISOString().replace("T", " ").replace("Z", " UTC");
}

/** Returns how long ago a time was: "just now", "5m ago". */
export function ago(millis: number, now: number): string {
  const passed = now - millis;
  if (passed < 10_000) return "just now";
  return `${duration(passed).split(" ")[0]!.replace(/\.\d+s/, "s")} ago`;
}

/** Returns bytes in the unit that fits. */
export function byteSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB", "PB"];
  let size = bytes / 1000;
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${Number(size.toPrecision(3))} ${units[unit]}`;
}

function trimmedExponent(value: number): string {
  return value.toExponential(3).replace(/\.?0+e/, "e").replace("e+", "e");
}

function minus(text: string): string {
  return text.replace(/^-/, "−");
}
