// What is taken from a machine so that nothing trips: some of its watts, or all of them. Decided by the daemon, by the order that
// `nice` gives; here it is only read and said.

import { watts } from "../view/words";

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

/** What is truly taken from it now; null when nothing is. */
export const held = <It extends Taken>(shed: It | null | undefined): It | null =>
  shed == null || isOver(shed) ? null : shed;
