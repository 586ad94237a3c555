// What carries heat away, and how warm everything stands: from readings alone, old ones left out.

import type { Reading } from "../api/types";
import { count } from "../parts/amount";
import { OLD, reading, watts } from "../view/words";

export interface Vital {
  place: string;
  kind: string;
  holder: string | null;
  health: string;
  silent: string | null;
  watts: number | null;
  inlet: number | null;
  hottest: number | null;
  hottest_name: string | null;
  fan: number | null;
  taken: string | null;
}

export interface Unit {
  place: string;
  kind: string;
  model?: string | null;
  health?: string;
  readings: Reading[];
}

/** One side of a coolant unit: to the building, or to the boxes. */
export interface Circuit {
  side: string;
  supply: Reading | null;
  back: Reading | null;
  flow: Reading | null;
  pressure: Reading | null;
  heat: Reading | null;
}

const PARTS = { supply: "supply", back: "return", flow: "flow", pressure: "supply-pressure", heat: "heat" } as const;

/** Its circuits, by the names that readings have: `secondary-supply`. */
export function circuits({ readings }: Unit): Circuit[] {
  const sides = new Set(readings.flatMap(({ name }) => /^((?:primary|secondary)\d*)-/.exec(name)?.[1] ?? []));
  return [...sides].map((side) => {
    const of = (part: string) => readings.find(({ name }) => name === `${side}-${part}`) ?? null;
    return {
      side,
      supply: of(PARTS.supply),
      back: of(PARTS.back),
      flow: of(PARTS.flow),
      pressure: of(PARTS.pressure),
      heat: of(PARTS.heat),
    };
  });
}

/** What it tells beside its circuits: pumps, levels, its own watts. */
export const rest = ({ readings }: Unit) => readings.filter(({ name }) => !/^(primary|secondary)\d*-/.test(name));

const fresh = (it: Reading | null, now: number) =>
  it !== null && (now - Date.parse(it.taken)) / 1000 <= OLD ? it.value : null;

/** Watts that the units take away now; null when none tells. */
export function removed(units: readonly Unit[], now: number): number | null {
  const all = units.flatMap((unit) => circuits(unit).map(({ heat }) => fresh(heat, now)));
  const known = all.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((a, b) => a + b, 0);
}

export interface Inlets {
  rack: string;
  known: Vital[];
  /** Boxes that have an inlet, and no fresh reading of it; those that never tell one can't be told apart from them. */
  unknown: number;
  least: number;
  middle: number;
  most: number;
  hottest: string;
}

/** The inlets of each rack's servers; racks whose servers tell none are left out. */
export function inlets(boxes: readonly Vital[]): Inlets[] {
  const racks = new Map<string, Vital[]>();
  for (const box of boxes) {
    const rack = box.place.split("/")[0] ?? "";
    if (box.kind === "node" || box.inlet !== null) racks.set(rack, [...(racks.get(rack) ?? []), box]);
  }
  return [...racks].flatMap(([rack, all]): Inlets[] => {
    const known = all.filter(({ inlet }) => inlet !== null).sort((a, b) => (a.inlet ?? 0) - (b.inlet ?? 0));
    const [least, middle, last] = [known[0], known[Math.floor((known.length - 1) / 2)], known.at(-1)];
    // of those that are equally warm the first, so that the name stays
    const most = known.find(({ inlet }) => inlet === last?.inlet);
    if (!least || !middle || !most) return [];
    return [
      {
        rack,
        known,
        unknown: all.length - known.length,
        least: least.inlet ?? 0,
        middle: middle.inlet ?? 0,
        most: most.inlet ?? 0,
        hottest: most.place,
      },
    ];
  });
}

/** What stands at one degree in a strip: how many boxes, and which. */
export function stacks({ known }: Inlets): { at: number; boxes: Vital[] }[] {
  const by = new Map<number, Vital[]>();
  for (const box of known) {
    const at = Math.round((box.inlet ?? 0) * 2) / 2;
    by.set(at, [...(by.get(at) ?? []), box]);
  }
  return [...by].map(([at, boxes]) => ({ at, boxes }));
}

export interface Parted {
  place: string;
  parts: { id: string; kind: { kind: string }; health: string }[];
}

/** Fans and leak detectors of servers: how many, and those that are not well. */
export function movers(nodes: readonly Parted[]) {
  const of = (kind: string) => {
    const all = nodes.flatMap(({ place, parts }) =>
      parts.filter((part) => part.kind.kind === kind).map(({ id, health }) => ({ place, id, health })),
    );
    return { all: all.length, wrong: all.filter(({ health }) => ill(health)) };
  };
  return { fans: of("fan"), leaks: of("leak_detector") };
}

/** How many there are and whether they are well, in words. */
export function well({ all, wrong }: { all: number; wrong: readonly unknown[] }, one: string): string {
  if (all === 0) return `no ${one} is told`;
  return `${count(all, one)}, ${wrong.length === 0 ? "none of which reports a fault" : `${wrong.length} with a fault`}`;
}

/** Health that is wrong, in a few words. */
export const ill = (health: string | undefined) => (health === "warning" || health === "critical" ? health : null);

/** How it stands, in a sentence: what is wrong first. */
export function headline(boxes: readonly Vital[], units: readonly Unit[], now: number): string {
  const wrong = units.filter(({ health }) => ill(health));
  const [first] = wrong;
  const known = inlets(boxes).sort((a, b) => b.most - a.most);
  const [warm] = known;
  const heat = removed(units, now);
  const said = [
    ...(first ? [`${first.place} is ${first.health}${wrong.length > 1 ? ` and ${wrong.length - 1} more` : ""}`] : []),
    warm
      ? `the warmest inlet is ${reading(warm.most, "celsius")} at ${warm.hottest}`
      : "nothing tells an inlet temperature",
    ...(heat === null
      ? []
      : [`${count(units.length, "coolant unit")} ${units.length === 1 ? "takes" : "take"} away ${watts(heat)}`]),
  ].join("; ");
  // places keep their letters
  return first ? said : `${said.charAt(0).toUpperCase()}${said.slice(1)}`;
}

/** Lowest, middle and highest of several series at each step; null where none was read. */
export function spread(series: readonly { min: (number | null)[]; mean: (number | null)[]; max: (number | null)[] }[]) {
  const steps = Math.max(0, ...series.map(({ mean }) => mean.length));
  const at = (i: number, of: "min" | "mean" | "max") =>
    series.map((one) => one[of][i] ?? null).filter((value) => value !== null);
  const each = (of: "min" | "mean" | "max", pick: (values: number[]) => number | undefined) =>
    Array.from({ length: steps }, (_, i) => pick(at(i, of)) ?? null);
  return {
    low: each("min", (values) => (values.length > 0 ? Math.min(...values) : undefined)),
    middle: each("mean", (values) => values.sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)]),
    high: each("max", (values) => (values.length > 0 ? Math.max(...values) : undefined)),
  };
}
