/** Menu of who is signed in: name, token, roles, and a way out. */

import type { WhoAmIResponse } from "../../contract/fleetlog/v1/token_pb.ts";
import { grantWords } from "../view/roles.ts";
import { Time } from "./facts.tsx";
import { Menu } from "./menu.tsx";

/** See the file. */
export function Caller({ caller, onSignOut }: { caller: WhoAmIResponse; onSignOut: () => Promise<void> }) {
  return (
    <Menu label={caller.principal} name="caller" title="who is signed in" right plain>
      {(close) => (
        <div class="caller">
          <dl>
            <dt>Signed in as</dt>
            <dd>{caller.principal}</dd>
            {caller.tokenName && (
              <>
                <dt>Token</dt>
                <dd>{caller.tokenName}</dd>
              </>
            )}
            {caller.expireTimeMillis > 0n && (
              <>
                <dt>Ends</dt>
                <dd>
                  <Time millis={caller.expireTimeMillis} />
                </dd>
              </>
            )}
            <dt>Roles</dt>
            <dd>
              {caller.grants.map((each) => <div key={`${each.namespace} ${each.role}`}>{grantWords(each)}</div>)}
              {caller.grants.length === 0 && "none"}
            </dd>
          </dl>
          <button
            type="button"
            class="button"
            onClick={() => {
              close();
              // A server that does not answer is told by the bar above.
              onSignOut().catch(() => undefined);
            }}
          >
            Sign out
          </button>
        </div>
      )}
    </Menu>
  );
}
