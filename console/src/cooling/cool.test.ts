import { expect, test } from "vitest";
import type { Reading } from "../api/types";
import { circuits, headline, inlets, movers, removed, rest, spread, stacks, type Unit, type Vital, well } from "./cool";

const NOW = Date.UTC(2026, 10, 29, 12);
const told = (name: string, value: number | null, unit = "celsius", age = 3): Reading => ({
  name,
  value,
  unit,
  taken: new Date(NOW - age * 1000).toISOString(),
});
const cdu = (readings: Reading[], health = "ok"): Unit => ({ place: "r1/cdu", kind: "cooling", health, readings });
const box = (place: string, inlet: number | null, more: Partial<Vital> = {}): Vital => ({
  place,
  kind: "node",
  holder: null,
  health: "ok",
  silent: null,
  watts: null,
  inlet,
  hottest: null,
  hottest_name: null,
  fan: null,
  taken: null,
  ...more,
});

test("circuits are told apart by the names of readings", () => {
  const unit = cdu([
    told("watts", 900, "watts"),
    told("primary-heat", 12_000, "watts"),
    told("secondary-supply", 25),
    told("secondary-return", 26),
    told("secondary2-supply", 27),
  ]);
  expect(circuits(unit).map(({ side, supply }) => [side, supply?.value ?? null])).toEqual([
    ["primary", null],
    ["secondary", 25],
    ["secondary2", 27],
  ]);
  expect(rest(unit).map(({ name }) => name)).toEqual(["watts"]);
});

test("heat that is old or not read is not counted, and none is not zero", () => {
  expect(removed([cdu([told("primary-heat", 5000, "watts")])], NOW)).toBe(5000);
  expect(removed([cdu([told("primary-heat", 5000, "watts", 300)])], NOW)).toBeNull();
  expect(removed([cdu([told("primary-heat", null, "watts")])], NOW)).toBeNull();
  expect(removed([], NOW)).toBeNull();
});

test("a rack's inlets: least, middle, most, and how many tell none", () => {
  const [rack] = inlets([box("r1/u1", 22), box("r1/u2", 30), box("r1/u3", 23), box("r1/u4", null), box("r2/u1", null)]);
  expect(rack).toMatchObject({ rack: "r1", least: 22, middle: 23, most: 30, hottest: "r1/u2", unknown: 1 });
  expect(rack && stacks(rack).map(({ at, boxes }) => [at, boxes.length])).toEqual([
    [22, 1],
    [23, 1],
    [30, 1],
  ]);
});

test("fans and leak detectors that are not well are named", () => {
  const part = (id: string, kind: string, health: string) => ({ id, kind: { kind }, health });
  const parts = [part("fan1", "fan", "ok"), part("fan2", "fan", "critical"), part("psu1", "supply", "critical")];
  const { fans, leaks } = movers([{ place: "r1/u1", parts }]);
  expect(fans).toEqual({ all: 2, wrong: [{ place: "r1/u1", id: "fan2", health: "critical" }] });
  expect(well(fans, "fan")).toBe("2 fans, 1 with a fault");
  expect(well(leaks, "leak detector")).toBe("no leak detector is told");
});

test("the headline tells first what is wrong", () => {
  expect(headline([box("r1/u1", 22)], [], NOW)).toBe("The warmest inlet is 22 °C at r1/u1");
  expect(headline([], [], NOW)).toBe("Nothing tells an inlet temperature");
  expect(headline([box("r1/u1", 22)], [cdu([told("primary-heat", 5000, "watts")], "critical")], NOW)).toBe(
    "r1/cdu is critical; the warmest inlet is 22 °C at r1/u1; 1 coolant unit takes away 5.00 kW",
  );
});

test("several series are one line with its band, and gaps stay gaps", () => {
  const one = (value: number | null) => ({ min: [value], mean: [value], max: [value] });
  expect(spread([one(1), one(5), one(3), one(null)])).toEqual({ low: [1], middle: [3], high: [5] });
  expect(spread([one(null)])).toEqual({ low: [null], middle: [null], high: [null] });
});
