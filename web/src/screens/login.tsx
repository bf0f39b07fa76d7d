/** Login screen: takes a token, and leaves the address as it is, so that one comes back to where one was. */

import { useState } from "preact/hooks";
import { asFailure } from "../api/failure.ts";
import { signIn } from "../api/session.ts";

/** See the file. */
export function LoginScreen() {
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState("");
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setRefused("");
    try {
      await signIn(token.trim());
    } catch (error) {
      const failure = asFailure(error);
      setRefused(failure.code === "unauthenticated" ? "The server does not know this token." : failure.message);
      setBusy(false);
    }
  };
  return (
    <form class="login" data-screen="login" onSubmit={submit}>
      <h1>Sign in</h1>
      <p>This server asks for a token.</p>
      <label class="labelled">
        <span>Token</span>
        <input
          class="field"
          type="password"
          autocomplete="off"
          autofocus
          value={token}
          aria-invalid={refused !== ""}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
      </label>
      {refused && <p class="bad" role="alert">{refused}</p>}
      <button type="submit" class="button primary" disabled={busy || !token.trim()}>Sign in</button>
      <p class="quiet">
        An admin makes one with{" "}
        <code>fleetlog tokens create</code>. This browser keeps it for 12 hours, where no script can read it.
      </p>
    </form>
  );
}
