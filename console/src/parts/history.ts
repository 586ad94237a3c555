// The answer of /v1/history, as plots take it.

import type { Curve } from "./Plot";

export interface Series {
  place: string;
  name: string;
  unit: string;
  min: (number | null)[];
  mean: (number | null)[];
  max: (number | null)[];
}

export interface History {
  /** Start of the first step, RFC 3339. */
  from: string;
  step_seconds: number;
  series: Series[];
}

/** A series as a curve of that name. */
export const curveOf = ({ min, mean, max }: Series, name: string, now: number | null = null): Curve => ({
  name,
  values: mean,
  low: min,
  high: max,
  now,
});

/** A reading as a curve; null when there is none of that name. `now`: what it is just now, by its name. */
export function curve(history: History, name: string, now?: (name: string) => number | null): Curve | null {
  const found = history.series.find((series) => series.name === name);
  return found ? curveOf(found, name, now?.(name)) : null;
}

/** Where the steps of a history lie, as `Plot` takes it. */
export const steps = ({ from, step_seconds }: History) => ({ from: Date.parse(from), step: step_seconds * 1000 });
