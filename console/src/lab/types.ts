// What /v1/lab tells of an emulated rack, as far as the page reads it.

export interface LabBox {
  place: string;
  kind: string;
  /** What runs on a server; null of what is none. */
  activity?: string | null;
  on: boolean;
  /** Of each supply, whether it has input and is whole. */
  supplies: readonly boolean[];
  too_hot: boolean;
  throttled: number;
  watts: number;
  inlet: number;
  hottest?: number | null;
  fans?: number | null;
  /** Percent of full load. */
  work: number;
  /** What it is asked to do: `idle`, `training`, `0.3`. */
  load: string;
}

export interface LabGear {
  name: string;
  what: string;
  live: boolean;
  watts: number;
  amps: number;
  rated?: number | null;
  /** The breaker that protects it. */
  breaker?: string | null;
  /** Boxes that hang on it, and those that would be dark without it. */
  behind: readonly string[];
  last: readonly string[];
}

export interface LabCircuit {
  name: string;
  /** What it sends out and what comes back, °C. */
  cold: number;
  hot: number;
  /** Litres of a liquid; null of air. */
  litres?: number | null;
}

export interface LabRack {
  seconds: number;
  speed: number;
  boxes: readonly LabBox[];
  gear: readonly LabGear[];
  circuits: readonly LabCircuit[];
}

export interface Parameter {
  name: string;
  unit: string;
  /** Whether its values are those that each place lists; else it is a number. */
  listed: boolean;
  usual?: number | null;
  least?: number | null;
  most?: number | null;
  /** Of a listed one: without it, all of them. */
  optional: boolean;
}

export interface Spot {
  place: string;
  values: readonly string[];
}

export interface FaultKind {
  action: string;
  title: string;
  effect: string;
  /** Where it happens: in power and heat, in a BMC, in a machine. */
  part: "plant" | "bmc" | "machine";
  parameters: readonly Parameter[];
  at: readonly Spot[];
}

/** A fault that is set; its parameters are fields of it. */
export interface Fault {
  id: number;
  on: { at?: string; [more: string]: unknown };
  action: string;
  since?: string | null;
  [parameter: string]: unknown;
}
