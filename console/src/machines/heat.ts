// Which of a box's temperatures are plotted: few enough to be told apart, the air that comes in and what is hottest.

import { type History, curve } from "../parts/history";
import type { Curve } from "../parts/Plot";
import { spanOf } from "../parts/spans";

/** Most curves of one plot. */
const MOST = 4;

const hottest = (values: (number | null)[]) =>
  values.reduce((most: number, value) => (value === null ? most : Math.max(most, value)), Number.NEGATIVE_INFINITY);

export function heat(history: History, now?: (name: string) => number | null): Curve[] {
  const all = history.series.filter(({ unit, mean }) => unit === "celsius" && mean.some((it) => it !== null));
  const inlet = all.filter(({ name }) => name === "inlet");
  const rest = all.filter(({ name }) => name !== "inlet").sort((a, b) => hottest(b.mean) - hottest(a.mean));
  return [...inlet, ...rest].slice(0, MOST).flatMap(({ name }) => curve(history, name, now) ?? []);
}

/** How far back can be looked, by its word in the address. */
export const SPANS = ["1h", "8h", "24h"] as const;
export const span = (text: string | null) => spanOf(SPANS, text);
