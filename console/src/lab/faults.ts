// A fault as the command and the call that it is, and in words: what it is, and what comes of it here and now.

import type { Action } from "../act/action";
import type { Fault, FaultKind, LabRack } from "./types";

/** A fault that may be set: what, where, and how. */
export interface Wish {
  action: string;
  at: string;
  /** Its parameters; what is left out isn't here. */
  how: Record<string, string | number>;
}

const words = (wish: Wish) => Object.entries(wish.how).map(([name, value]) => `${name}=${value}`);

/** As the command line says it. */
export const command = (wish: Wish) =>
  ["busbar emulate fault", wish.at, wish.action.replaceAll("_", "-"), ...words(wish)].join(" ");

/** Whether a fault that is set is the one that is meant. */
export const isSet = (wish: Wish, fault: Fault) =>
  fault.action === wish.action &&
  fault.on.at === wish.at &&
  Object.entries(wish.how).every(([name, value]) => fault[name] === value);

const NOT_HOW = new Set(["id", "on", "action", "count", "hits", "since"]);

/** `Pull a power cable, supply 0, at r1/u1`. */
export function told(fault: Fault, kinds: readonly FaultKind[]): string {
  const how = Object.entries(fault).filter(([name, value]) => !NOT_HOW.has(name) && value !== null);
  const parts = how.map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`);
  const title = kinds.find(({ action }) => action === fault.action)?.title;
  return [title ?? fault.action.replaceAll("_", " "), ...parts, `at ${fault.on.at || "everything"}`].join(", ");
}

/** Setting it. */
export const breaking = (id: string, label: string, wish: Wish, does: string, held: { disabled?: string }): Action => ({
  id,
  label,
  does,
  command: command(wish),
  call: { method: "POST", path: "/v1/lab/faults", body: { on: { at: wish.at }, action: wish.action, ...wish.how } },
  ...held,
});

/** Undoing it. */
export const mending = (id: string, fault: Fault, does: string, held: { disabled?: string }): Action => ({
  id,
  label: "Mend",
  does,
  command: `busbar emulate clear ${fault.id}`,
  call: { method: "DELETE", path: `/v1/lab/faults/${fault.id}` },
  ...held,
});

const MOST = 4;

/** `r1/u1, r1/u2 and 7 more`. */
export function list(names: readonly string[]): string {
  if (names.length <= 1) return names.join("");
  const shown = names.length > MOST + 1 ? names.slice(0, MOST) : names.slice(0, -1);
  const rest = names.length - shown.length;
  return `${shown.join(", ")} and ${rest === 1 ? names.at(-1) : `${rest} more`}`;
}

/** A box by what runs on it: `r1/u1 (web-1)`. */
export type Called = (place: string) => string;

/** What comes of it, now that the rack is as it is. */
export function effect(wish: Wish, kind: FaultKind, rack: LabRack, called: Called): string {
  const box = rack.boxes.find(({ place }) => place === wish.at);
  if ((wish.action === "pull_cable" || wish.action === "fail_supply") && box) {
    const lost = Number(wish.how.supply);
    const others = box.supplies.filter((fed, n) => fed && n !== lost).length;
    if (!box.supplies[lost]) return "That supply has no input already.";
    if (others === 0) return `It is the last one with input: ${called(box.place)} is dead at once.`;
    return `${called(box.place)} lives on with ${others === 1 ? "its other supply" : `${others} others`}.`;
  }
  if (wish.action === "trip_breaker" || wish.action === "lose_feed") {
    const named = rack.gear.find(({ name }) => name === wish.at);
    const own = wish.action === "lose_feed" ? named : rack.gear.find(({ name }) => name === named?.breaker);
    const gear = own ?? named;
    if (!gear) return kind.effect;
    if (!gear.live) return "It is dark already.";
    const { behind, last } = gear;
    if (behind.length === 0) return "Nothing hangs on it.";
    const hang = `${behind.length} ${behind.length === 1 ? "box hangs" : "boxes hang"} on it`;
    if (last.length === 0) return `${hang}; every one that has input keeps another supply.`;
    // those that somebody misses come first
    const lost = [...last].sort((a, b) => Number(called(b) !== b) - Number(called(a) !== a));
    const one = lost.length === 1;
    return `${hang}; ${list(lost.map(called))} ${one ? "has" : "have"} no other and ${one ? "goes" : "go"} dark at once.`;
  }
  return kind.effect;
}
