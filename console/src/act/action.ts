// An action of any page: the command and the API call that it is, why it can't be done now, and what dies of it.

import type { Role } from "../api/types";

export interface Call {
  method: "POST" | "PUT" | "DELETE";
  path: string;
  body?: Record<string, unknown>;
}

export interface Action {
  id: string;
  label: string;
  /** What comes of it, where that is more than the label says. */
  does?: string;
  command: string;
  call: Call;
  /** Why it can't be done now, and what would enable it. */
  disabled?: string;
  /** What dies of it; asked for before it is done. */
  dies?: string;
}

const RANK: Record<Role, number> = { reader: 0, operator: 1, admin: 2 };

export const needs = (role: Role, needed: Role) =>
  RANK[role] < RANK[needed]
    ? `needs the role ${needed}; yours is ${role}: busbar token make NAME --role ${needed}`
    : null;

/** The first reason that there is, as an action holds it. */
export const reason = (...reasons: (string | null | false | undefined)[]) => {
  const first = reasons.find((it) => typeof it === "string");
  return typeof first === "string" ? { disabled: first } : {};
};

/** Why nothing can be done while another time than now is looked at, or nobody answers. */
export const PAST = "the drawing shows the past; go back to live first";
export const LOST = "the daemon does not answer; it is tried again every second";

/** A call as it is shown. */
export const shownCall = ({ method, path, body }: Call) => `${method} ${path}${body ? ` ${JSON.stringify(body)}` : ""}`;
