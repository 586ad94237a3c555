// What admins do with tokens.

import { type Action, LOST, reason } from "../act/action";
import type { Role } from "../api/types";

export interface Token {
  name: string;
  role: Role;
  created: string;
}

export const ROLES: { role: Role; may: string }[] = [
  { role: "reader", may: "look" },
  { role: "operator", may: "look, run machines and take boxes out of use" },
  { role: "admin", may: "everything, tokens and credentials as well" },
];

/** Revoking a token; `me` is the name of the one that the session came from. */
export function revoke(token: Token, all: readonly Token[], me: string, lost: boolean): Action {
  const last = token.role === "admin" && all.filter(({ role }) => role === "admin").length === 1;
  return {
    id: `revoke-${token.name}`,
    label: "Revoke",
    command: `busbar token revoke ${token.name}`,
    call: { method: "DELETE", path: `/v1/tokens/${token.name}` },
    ...reason(
      lost && LOST,
      last && `the last token that may do everything; make another first: busbar token make NAME --role admin`,
    ),
    dies: `Whoever uses ${token.name} is let in no longer, and its sessions end.${
      token.name === me ? " That is this session as well." : ""
    } Machines keep running.`,
  };
}

const NAME = /^[a-z0-9][a-z0-9-]*$/;
const LONGEST = 63;

/** Why a token can't be made under a name; null when it can. */
export function unfit(name: string, all: readonly Token[]): string | null {
  if (name === "") return "a name is needed: whose it is, or what for";
  if (!NAME.test(name) || name.length > LONGEST) return "names are lower case letters, digits and dashes";
  return all.some((token) => token.name === name) ? `there is a token ${name} already` : null;
}
