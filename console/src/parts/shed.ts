// What is taken from a machine so that nothing trips: some of its watts, or all of them. Decided by the daemon, by the order that
// `nice` gives; here it is only read and said.

import { all, slot, watts } from "../view/words";

export interface Shed {
  machine: string;
  place: string;
  /** When it was decided: −20 is shed last, 19 first. */
  nice: number;
  /** Watts that it may draw at most; null when nothing of the daemon's limits it. */
  cap?: number | null;
  /** How it is stopped, when a cap is not enough. */
  stop?: "ask" | "cut" | null;
  /** Watts that it drew before. */
  drew: number;
  /** For whose sake. */
  pdus: readonly string[];
  because: string;
  since: string;
  changed: string;
}

/** What is taken, whether it is now or would be. */
export type Taken = Pick<Shed, "cap" | "stop">;

/** Whether all is given back, and only its BMC has not shown that yet. */
export const isOver = ({ cap, stop }: Taken) => cap == null && stop == null;

/** `stopped`, `capped at 300 W`, `given back`. */
export const taken = ({ cap, stop }: Taken) =>
  stop != null ? "stopped" : cap != null ? `capped at ${watts(cap)}` : "given back";

/** What is taken, as short as there is room for: `capped 300 W`. */
export const briefly = (it: Taken) =>
  it.stop != null ? "stopped" : it.cap != null ? `capped ${watts(it.cap)}` : "given back";

/** What is truly taken from it now; null when nothing is. */
export const held = <It extends Taken>(shed: It | null | undefined): It | null =>
  shed == null || isOver(shed) ? null : shed;

/** For whose sake: `to relieve pdu-b`. */
export const sake = ({ pdus }: Pick<Shed, "pdus">) =>
  pdus.length === 0 ? "so that nothing trips" : `to relieve ${all(pdus.map(slot))}`;

/** A PDU below this share of its rating has room again. */
const ROOM = "85 %";

/** What gives it back, by itself. */
export function back(sheds: readonly Shed[]): string {
  const names = [...new Set(sheds.flatMap(({ pdus }) => pdus))].sort().map(slot);
  const [had, ratings] = names.length > 1 ? ["have had", "their ratings"] : ["has had", "its rating"];
  const room = `once ${names.length === 0 ? "each PDU" : all(names)} ${had} room below ${ROOM} of ${ratings} for`;
  const many = sheds.length > 1;
  const stopped = sheds.filter(({ stop }) => stop != null).length;
  if (stopped === sheds.length)
    return `${many ? "they start by themselves, who was stopped last first," : "it starts by itself"} ${room} five minutes`;
  const first = many ? ", who gave way last first" : "";
  const later = stopped > 0 ? "; what is stopped starts after five" : "";
  return `given back by itself, as much as fits${first}, ${room} a minute${later}`;
}

/** Whether a text is a shed order. */
export const isNice = (text: string) => /^-?\d{1,2}$/.test(text.trim()) && Number(text) >= -20 && Number(text) <= 19;

/** A nice by which others give way before; null when there is none. */
export const better = (nice: number) => (nice > -10 ? -10 : nice > -20 ? -20 : null);
