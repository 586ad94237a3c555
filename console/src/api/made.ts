// Values for tests: whole ones, so that each test says only what it is about.

import type { Shed } from "../parts/shed";
import type { Box, Elevation, Flank, Value } from "./types";

export const value = (number: number, more: Partial<Value> = {}): Value => ({
  number,
  text: `${number} W`,
  shade: Math.min(1, number / 800),
  class: null,
  age: 3,
  ...more,
});

export const box = (unit: number, more: Partial<Box> = {}): Box => ({
  place: `r1/u${unit}`,
  unit,
  height: 1,
  face: "front",
  half_depth: false,
  column: 0,
  columns: 1,
  kind: "server",
  model: "Emulated 2S",
  name: null,
  found: true,
  machine: null,
  state: null,
  held: null,
  shed: null,
  power: "on",
  health: "ok",
  silent: null,
  armed: true,
  cordoned: null,
  value: value(300),
  missing: null,
  cells: [],
  ...more,
});

export const pdu = (name: string, outlets: number): Flank => ({
  place: `r1/${name}`,
  kind: "pdu",
  model: null,
  found: true,
  health: "ok",
  value: null,
  missing: "no reading",
  outlets: Array.from({ length: outlets }, (_, i) => ({
    outlet: `${i + 1}`,
    label: null,
    on: true,
    feeds: `r1/u${i + 1}`,
    watts: 150,
  })),
});

export const elevation = (more: Partial<Elevation> = {}): Elevation => ({
  rack: "r1",
  units: 42,
  by: "power",
  unit: "W",
  at: "2026-11-29T12:00:00Z",
  past: false,
  legend: { low: 0, high: 800, label: "watts per unit of height", classes: [] },
  boxes: [],
  flanks: [],
  feet: [],
  totals: { watts: null, unknown: 0, inlet_max: null },
  ...more,
});

export const shed = (machine: string, more: Partial<Shed> = {}): Shed => ({
  machine,
  place: "r1/u1",
  nice: 10,
  cap: 300,
  stop: null,
  drew: 612,
  pdus: ["r1/pdu-b"],
  because: "r1/pdu-b carries 104 % of its rating",
  since: "2026-11-29T12:02:00Z",
  changed: "2026-11-29T12:02:00Z",
  ...more,
});
