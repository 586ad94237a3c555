// The last day of a rack in one line: the watts of all of its servers.

import type { History as Whole } from "../parts/history";

/** As much of it as the line takes. */
export type History = Pick<Whole, "from" | "step_seconds"> & { series: { place: string; mean: (number | null)[] }[] };

/** Watts at each step: null where one of the boxes was not read, since a sum without it would be too low. */
export function sum(history: History, places: ReadonlySet<string>): (number | null)[] {
  const all = history.series.filter(({ place }) => places.has(place));
  const steps = Math.max(0, ...all.map(({ mean }) => mean.length));
  return Array.from({ length: steps }, (_, i) =>
    all.reduce<number | null>((total, { mean }) => {
      const value = mean[i] ?? null;
      return total === null || value === null ? null : total + value;
    }, 0),
  );
}

/** Its line in a field of this size, from `begin` to `end` (milliseconds), zero at the bottom; gaps stay gaps. */
export function line(
  values: (number | null)[],
  history: Pick<History, "from" | "step_seconds">,
  field: { w: number; h: number; begin: number; end: number },
): string {
  const top = Math.max(1, ...values.filter((value) => value !== null));
  const from = Date.parse(history.from);
  let path = "";
  let drawing = false;
  values.forEach((value, i) => {
    const time = from + (i + 0.5) * history.step_seconds * 1000;
    const x = ((time - field.begin) / (field.end - field.begin)) * field.w;
    if (value === null || x < 0 || x > field.w) {
      drawing = false;
      return;
    }
    const y = field.h - (value / top) * field.h;
    path += `${drawing ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    drawing = true;
  });
  return path;
}
