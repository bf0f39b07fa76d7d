/** Failure of a call: what a server said of it, or that none answered. */
export class Failure extends Error {
  /** Code as Connect names it: "invalid_argument", "unavailable", … */
  readonly code: string;
  /** Stable reason, such as "FILTER_INVALID"; empty when none was told. */
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;

  constructor(code: string, message: string, reason = "", metadata: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = "Failure";
    this.code = code;
    this.reason = reason;
    this.metadata = metadata;
  }

  /** Column of a filter that is wrong, from 1; undefined when the failure is of something else. */
  get column(): number | undefined {
    const column = Number(this.metadata["column"]);
    return column >= 1 ? column : undefined;
  }

  /** True if the same call may succeed by itself later. */
  get passes(): boolean {
    return ["unavailable", "resource_exhausted", "deadline_exceeded", "aborted"].includes(this.code);
  }
}

/** Returns the failure that a body of JSON tells of, whatever is in it. */
export function failureOf(body: unknown, status: number): Failure {
  const told = typeof body === "object" && body !== null ? body as Record<string, unknown> : {};
  const text = (name: string) => (typeof told[name] === "string" ? told[name] as string : "");
  const metadata = typeof told["metadata"] === "object" && told["metadata"] !== null ? told["metadata"] : {};
  const code = text("code") || (status >= 500 || status === 0 ? "unavailable" : "unknown");
  return new Failure(
    code,
    text("message") || `the server answered ${status}`,
    text("reason"),
    metadata as Record<string, string>,
  );
}

/** Returns any error as a failure. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure("unknown", error instanceof Error ? error.message : String(error));
}
