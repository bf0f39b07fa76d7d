/** Caller: who the server takes this page for, and what that one may do. */

import { computed, signal } from "@preact/signals";
import { AuthService, type WhoAmIResponse } from "../../contract/fleetlog/v1/token_pb.ts";
import { call } from "./calls.ts";
import { allowed, EVERYTHING, type May } from "../view/roles.ts";
import { route } from "../state.ts";

/** Answer of the server; undefined before the first one. */
export const caller = signal<WhoAmIResponse>();

/** What the caller may do in the namespace of the address. Everything until the server has told, which refuses by itself. */
export const may = computed<May>(() => caller.value ? allowed(caller.value.grants, route.value.namespace) : EVERYTHING);

/** Asks who calls. */
export async function identify(): Promise<void> {
  caller.value = await call(AuthService.method.whoAmI, {});
}
