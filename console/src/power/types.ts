// What the API answers of power: /v1/racks/{rack}/power and /v1/whatif. Watts, amperes and seconds; null is not known.

import type { Shed, Taken } from "../parts/shed";

export type Carries = "yes" | "no" | "unknown";

export interface Pdu {
  place: string;
  model: string | null;
  found: boolean;
  carries: Carries;
  watts: number | null;
  taken: string | null;
  mains: { amps: number; volts: number; phases: number }[];
  rated: number | null;
  soft: number | null;
  lines: { name: string; amps: number | null; rated: number | null }[];
  loose: number | null;
}

export interface Cord {
  pdu: string;
  outlet: string;
  carries: Carries;
  watts: number | null;
  /** Whether the outlet told them; else they are reckoned. */
  told: boolean;
}

export interface FedBox {
  place: string;
  kind: string;
  model: string | null;
  machine: string | null;
  state: string | null;
  /** That machine's shed order: 19 first, −20 last. */
  nice: number | null;
  power: string | null;
  silent: string | null;
  watts: number | null;
  taken: string | null;
  cap: number | null;
  /** The lowest cap that it takes; null when it takes none, as far as is known. */
  floor: number | null;
  /** Whether Busbar may write to it. */
  armed?: boolean;
  shed: Shed | null;
  cords: Cord[];
}

export interface OneLine {
  at: string;
  headline: string;
  pdus: Pdu[];
  boxes: FedBox[];
  notes: string[];
}

export type Fate = "dark" | "fails" | "trips" | "relieved" | "soft" | "fine" | "unknown";

export interface Load {
  pdu: string;
  rated: number | null;
  before: number | null;
  after: number | null;
  /** What would come to it if no machine gave up watts; null when none does for its sake. */
  peak: number | null;
  at_least: boolean;
  fate: Fate;
  because: string | null;
}

/** A machine that would give up watts. */
export interface Given extends Taken {
  place: string;
  machine: string;
  nice: number;
  /** What it draws now. */
  watts: number;
  because: string;
}

export interface Forecast {
  at: string;
  fails: string[];
  headline: string;
  dies: {
    place: string;
    machine: string | null;
    state: string | null;
    nice: number | null;
    watts: number | null;
    because: string;
  }[];
  /** In the order in which they do. */
  sheds?: Given[];
  weaker: { place: string; machine: string | null; left: number; of: number; on: string[] }[];
  unaffected: number;
  loads: Load[];
  unknown: string[];
  assumed: string[];
}
