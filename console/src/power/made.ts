// Values for tests: whole ones, so that each test says only what it is about.

import type { Cord, FedBox, Load, OneLine, Pdu } from "./types";

export const pdu = (name: string, more: Partial<Pdu> = {}): Pdu => ({
  place: `r1/${name}`,
  model: null,
  found: true,
  carries: "yes",
  watts: 4887,
  taken: null,
  mains: [{ amps: 32, volts: 400, phases: 3 }],
  rated: 22_170,
  soft: 17_736,
  lines: [],
  loose: 0,
  ...more,
});

export const cord = (pdu: string): Cord => ({ pdu: `r1/${pdu}`, outlet: "1", carries: "yes", watts: 100, told: true });

export const fed = (slot: string, ...cords: string[]): FedBox => ({
  place: `r1/${slot}`,
  kind: "server",
  model: null,
  machine: null,
  state: null,
  nice: null,
  power: "on",
  silent: null,
  watts: 200,
  taken: null,
  cap: null,
  floor: null,
  armed: true,
  shed: null,
  cords: cords.map(cord),
});

export const line = (pdus: Pdu[], boxes: FedBox[]): OneLine => ({ at: "", headline: "", pdus, boxes, notes: [] });

export const load = (pdu: string, more: Partial<Load>): Load => ({
  pdu: `r1/${pdu}`,
  rated: 22_170,
  before: 4887,
  after: 4887,
  peak: null,
  at_least: false,
  fate: "fine",
  because: null,
  ...more,
});
