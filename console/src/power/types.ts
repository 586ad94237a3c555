// What the API answers of power: /v1/racks/{rack}/power and /v1/whatif. Watts, amperes and seconds; null is not known.

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
  power: string | null;
  silent: string | null;
  watts: number | null;
  taken: string | null;
  cap: number | null;
  cords: Cord[];
}

export interface OneLine {
  at: string;
  headline: string;
  pdus: Pdu[];
  boxes: FedBox[];
  notes: string[];
}

export type Fate = "dark" | "fails" | "trips" | "soft" | "fine" | "unknown";

export interface Load {
  pdu: string;
  rated: number | null;
  before: number | null;
  after: number | null;
  at_least: boolean;
  fate: Fate;
  because: string | null;
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
  weaker: { place: string; machine: string | null; left: number; of: number; on: string[] }[];
  unaffected: number;
  loads: Load[];
  unknown: string[];
  assumed: string[];
}
