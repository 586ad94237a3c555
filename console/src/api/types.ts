// What the API answers, as far as pages read it. The whole of it is described at /v1/openapi.json.

import type { Shed } from "../parts/shed";

export type Role = "reader" | "operator" | "admin";

export interface Me {
  name: string;
  role: Role;
  expires: string | null;
  emulator: boolean;
}

export interface RackRow {
  name: string;
  emulated: boolean;
  nodes: number;
  devices: number;
  /** Servers that could be given out now. */
  free: number;
}

export type Class = "ok" | "used" | "free" | "closed" | "unknown" | "warning" | "critical";

/** What a box is told apart by. `null` in its place says that it is not known. */
export interface Value {
  /** null where there are classes. */
  number: number | null;
  text: string;
  /** 0 to 1 on the palette; null where there are classes. */
  shade: number | null;
  class: Class | null;
  /** Seconds since it was read; null for what is recorded. */
  age: number | null;
}

export interface Cell {
  name: string;
  kind: string;
  shade: number | null;
  class: Class | null;
  text: string;
}

export interface Box {
  place: string;
  /** Its lowest unit; null at the foot. */
  unit: number | null;
  height: number;
  face: "front" | "rear";
  /** Seen from its own side alone. */
  half_depth: boolean;
  /** Boxes that share a unit stand side by side, in columns as seen from the front. */
  column: number;
  columns: number;
  kind: string;
  model: string | null;
  name: string | null;
  /** What is only written down was not found. */
  found: boolean;
  machine: string | null;
  state: string | null;
  held: string | null;
  /** What is taken from its machine so that nothing trips. */
  shed: Shed | null;
  power: string | null;
  health: Class | null;
  silent: string | null;
  armed: boolean;
  cordoned: string | null;
  value: Value | null;
  /** Why there is no value. */
  missing: string | null;
  cells: Cell[];
}

export interface Outlet {
  outlet: string;
  label: string | null;
  on: boolean | null;
  feeds: string | null;
  watts: number | null;
}

/** A PDU at a side. */
export interface Flank {
  place: string;
  kind: string;
  model: string | null;
  found: boolean;
  health: Class | null;
  value: Value | null;
  missing: string | null;
  outlets: Outlet[];
}

export interface Legend {
  low: number | null;
  high: number | null;
  label: string;
  classes: { class: Class; label: string; boxes: number }[];
}

export interface Elevation {
  rack: string;
  units: number;
  by: string;
  /** Empty where there are classes. */
  unit: string;
  /** What it is as of, RFC 3339. */
  at: string;
  past: boolean;
  legend: Legend;
  boxes: Box[];
  flanks: Flank[];
  feet: Box[];
  totals: { watts: number | null; unknown: number; inlet_max: number | null };
}

export interface Reading {
  name: string;
  unit: string;
  value: number | null;
  taken: string;
}

export interface NodeView {
  place: string;
  identity: { maker?: string | null; model?: string | null; serial?: string | null; bios?: string | null };
  armed: boolean;
  cordoned?: string | null;
  holder?: string | null;
  live: { power?: string | null; readings: Reading[]; seen?: string | null; silent?: string | null };
}

export interface DeviceView {
  place: string;
  kind: string;
  maker?: string | null;
  model?: string | null;
  serial?: string | null;
  readings: Reading[];
}

export interface Why {
  about: string;
  headline: string;
  because: string[];
  next: string[];
  ways_out: string[];
}

export interface Image {
  name: string;
  source: string;
}

export interface EventView {
  sequence: number;
  at: string;
  level: "audit" | "info" | "warning" | "error";
  about: string;
  what: string;
  because?: string | null;
  /** Number of the event that it follows from, where that is recorded. */
  cause?: number;
  by: string;
}

/** RFC 9457, with a stable code and the next command. */
export interface Problem {
  title: string;
  status: number;
  detail: string;
  code: string;
  hint?: string;
  refusal?: { headline: string; candidates: { place: string; because: unknown[] }[]; fits_if: string[] };
}
