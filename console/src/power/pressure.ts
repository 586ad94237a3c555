// Who gives up watts so that nothing trips, in which order, and what is taken from whom now: from what is known to rows and words.

import { all, slot, watts } from "../view/words";
import { sorted } from "../view/sort";
import { back, held, type Shed, taken } from "../parts/shed";
import type { Fate, FedBox, Load, OneLine } from "./types";

/** A machine in the order in which they give way. */
export interface Turn {
  box: FedBox;
  machine: string;
  nice: number;
  /** What is taken from it now. */
  shed: Shed | null;
  /** Why nothing, or not all, can be taken from it; null when it can give way. */
  cant: string | null;
}

function cant({ armed, power, floor }: FedBox): string | null {
  if (!armed) return "only looked at: nothing can be taken from it";
  if (power === "off") return "off: it draws next to nothing";
  if (floor === null) return "no cap is known of its box: it could only be stopped";
  return null;
}

/** The machines that hang on PDUs: of the highest nice first, and of one nice as their places are counted. */
export function turns(boxes: readonly FedBox[]): Turn[] {
  const rows = boxes.flatMap((box): Turn[] => {
    const { machine } = box;
    if (machine === null || box.cords.length === 0) return [];
    const shed = held(box.shed);
    return [{ box, machine, nice: box.nice ?? 0, shed, cant: shed === null ? cant(box) : null }];
  });
  const placed = sorted(rows, ({ box }) => box.place, "ascending");
  return sorted(placed, ({ nice }) => nice, "descending");
}

/** Machines that are named at once; of more, the list below tells. */
const NAMED = 6;

/** That something is taken now: from whom, why, and what gives it back. */
export interface Banner {
  headline: string;
  who: { machine: string; what: string; since: string }[];
  /** How many more there are. */
  more: number;
  because: string[];
  next: string;
}

export function banner(line: OneLine): Banner | null {
  const now = turns(line.boxes).flatMap(({ shed }) => (shed === null ? [] : [shed]));
  const [first] = now;
  if (first === undefined) return null;
  const pdus = [...new Set(now.flatMap(({ pdus }) => pdus))].sort().map(slot);
  const who = now.length === 1 ? `${first.machine} gives way` : `${now.length} machines give way`;
  const safe = pdus.length === 0 ? "nothing trips" : `${all(pdus)} ${pdus.length > 1 ? "do" : "does"} not trip`;
  return {
    headline: `${who} so that ${safe}`,
    who: now.slice(0, NAMED).map((shed) => ({
      machine: shed.machine,
      what: `${taken(shed)} (drew ${watts(shed.drew)})`,
      since: shed.since,
    })),
    more: Math.max(0, now.length - NAMED),
    because: [...new Set(now.map(({ because }) => because))],
    next: back(now),
  };
}

const WORDS: Record<Fate, string> = {
  dark: "dark already",
  fails: "fails",
  trips: "trips",
  relieved: "kept from tripping",
  soft: "over 80 %",
  fine: "",
  unknown: "not known",
};

/** What becomes of a PDU and why, and what would have come to it if nobody gave way. */
export function fate(load: Load): string {
  const said = [WORDS[load.fate], load.because].filter((text) => text).join(": ");
  return load.peak === null ? said : `${said === "" ? "" : `${said}; `}${watts(load.peak)} if nobody gave way`;
}
