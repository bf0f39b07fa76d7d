/** Roles: what grants let their holder do in a namespace. */

import { type Grant, Role } from "../../contract/fleetlog/v1/token_event_pb.ts";

/** What somebody may do. */
export interface May {
  read: boolean;
  write: boolean;
  approve: boolean;
  admin: boolean;
}

export const EVERYTHING: May = { read: true, write: true, approve: true, admin: true };

const WRITERS = [Role.WRITER, Role.ADMIN];
const APPROVERS = [Role.APPROVER, Role.ADMIN];

/** Returns what some grants allow in a namespace. */
export function allowed(grants: readonly Pick<Grant, "namespace" | "role">[], namespace: string): May {
  const roles = grants.filter((each) => each.namespace === "*" || each.namespace === namespace)
    .map((each) => each.role);
  const has = (some: readonly Role[]) => roles.some((role) => some.includes(role));
  return {
    read: roles.some((role) => role !== Role.UNSPECIFIED),
    write: has(WRITERS),
    approve: has(APPROVERS),
    admin: has([Role.ADMIN]),
  };
}

const WORDS: Record<Role, string> = {
  [Role.UNSPECIFIED]: "no role",
  [Role.READER]: "reader",
  [Role.WRITER]: "writer",
  [Role.APPROVER]: "approver",
  [Role.ADMIN]: "admin",
};

/** Returns a grant in words: "writer of team-a". */
export function grantWords(grant: Pick<Grant, "namespace" | "role">): string {
  return `${WORDS[grant.role] ?? "unknown role"} of ${grant.namespace === "*" ? "every namespace" : grant.namespace}`;
}
