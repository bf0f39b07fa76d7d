/** Session of this browser: the token is shown once, and then in a cookie that no script can read. */

import { caller, identify } from "./caller.ts";
import { signedOut } from "./calls.ts";
import { Failure, failureOf } from "./failure.ts";

/** Begins a session with a token. Failure when the server does not know it, or the browser keeps no session. */
export async function signIn(token: string): Promise<void> {
  await post("/session", { token });
  try {
    await identify();
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "unauthenticated") throw error;
    throw new Failure(
      "failed_precondition",
      "the token is right, but the browser kept no session: it keeps one of HTTPS, and of this machine",
      "SESSION_NOT_KEPT",
    );
  }
  signedOut.value = false;
}

/** Ends the session, and empties the page. */
export async function signOut(): Promise<void> {
  await post("/session/end", {});
  caller.value = undefined;
  signedOut.value = true;
}

async function post(path: string, body: unknown): Promise<void> {
  let response: Response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Failure("unavailable", "the server does not answer", "SERVER_AWAY");
  }
  if (!response.ok) throw failureOf(await response.json().catch(() => null), response.status);
}
