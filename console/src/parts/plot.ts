// Where the lines of a plot go: pure, from values to paths.

/** A number for each step; null where there was none, which stays a gap. */
export type Values = (number | null)[];

export interface Axis {
  low: number;
  high: number;
  ticks: number[];
}

/** A scale over all values with three to six round ticks. `zero` begins it at zero, for what is an amount; a temperature has none. */
export function axis(all: Values[], zero: boolean): Axis {
  const known = all.flat().filter((value) => value !== null);
  const [least, most] = known.length > 0 ? [Math.min(...known), Math.max(...known)] : [0, 1];
  const from = zero ? Math.min(0, least) : least;
  const rough = Math.max(most - from, Math.abs(most) * 0.05, 1e-9) / 4;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = size * ([1, 2, 2.5, 5].find((it) => it * size >= rough) ?? 10);
  const low = Math.floor(from / step) * step;
  const ticks: number[] = [];
  // counted, not added up: sums of 0.1 drift
  for (let i = 0; low + (i - 1) * step < most || i < 2; i++) ticks.push(Number((low + i * step).toPrecision(12)));
  return { low, high: ticks.at(-1) ?? 1, ticks };
}

/** With what is read just now at their end: the last step is not over, and steps are asked for seldom. */
export const upToNow = (values: Values, now: number | null | undefined): Values =>
  now == null || values.length === 0 ? values : [...values.slice(0, -1), now];

/** Steps that are always shown, however few of them have a value. */
const LEAST = 20;

/** The first step that is worth showing: before it nothing at all is known, as of a daemon that started a while ago. */
export function beginning(all: Values[]): number {
  const steps = Math.max(0, ...all.map((values) => values.length));
  const known = all.map((values) => values.findIndex((value) => value !== null)).filter((first) => first >= 0);
  const first = known.length > 0 ? Math.min(...known) : 0;
  return Math.max(0, Math.min(first, steps - LEAST));
}

export interface Field {
  w: number;
  h: number;
}

const at = (i: number, count: number, { w }: Field) => ((i + 0.5) / Math.max(1, count)) * w;
const up = (value: number, { low, high }: Axis, { h }: Field) => h - ((value - low) / (high - low)) * h;

/** The runs of steps that have a value. */
function runs(values: Values): [number, number][] {
  const found: [number, number][] = [];
  let begin: number | null = null;
  values.forEach((value, i) => {
    if (value === null) begin = null;
    else if (begin === null) {
      begin = i;
      found.push([i, i]);
    } else {
      const last = found.at(-1);
      if (last) last[1] = i;
    }
  });
  return found;
}

/** A line through the values; one that stands alone is a short stroke, so that it is seen. */
export function line(values: Values, scale: Axis, field: Field): string {
  const point = (i: number) =>
    `${at(i, values.length, field).toFixed(1)} ${up(values[i] ?? 0, scale, field).toFixed(1)}`;
  return runs(values)
    .map(([from, to]) =>
      from === to
        ? `M${point(from)}h0.1`
        : `M${Array.from({ length: to - from + 1 }, (_, i) => point(from + i)).join("L")}`,
    )
    .join("");
}

/** Where a line ends: its last value; null when it has none. */
export function end(values: Values, scale: Axis, field: Field): { x: number; y: number } | null {
  const i = values.findLastIndex((value) => value !== null);
  const value = values[i];
  return value == null ? null : { x: at(i, values.length, field), y: up(value, scale, field) };
}

/** The area between two lines of the same steps. */
export function band(low: Values, high: Values, scale: Axis, field: Field): string {
  return runs(low)
    .filter(([from, to]) => to > from)
    .map(([from, to]) => {
      const steps = Array.from({ length: to - from + 1 }, (_, i) => from + i);
      const point = (values: Values) => (i: number) =>
        `${at(i, low.length, field).toFixed(1)} ${up(values[i] ?? low[i] ?? 0, scale, field).toFixed(1)}`;
      return `M${steps.map(point(high)).join("L")}L${steps.reverse().map(point(low)).join("L")}Z`;
    })
    .join("");
}

/** Times at which the axis is labelled, milliseconds: round ones, at most `most`. */
export function hours(from: number, to: number, most: number): number[] {
  const MINUTE = 60_000;
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440].map((minutes) => minutes * MINUTE);
  const step = steps.find((it) => (to - from) / it <= most) ?? 1440 * MINUTE;
  // by the clock on the wall, which in some places is half an hour beside that of others
  const offset = new Date(from).getTimezoneOffset() * MINUTE;
  const found: number[] = [];
  for (let time = Math.ceil((from - offset) / step) * step + offset; time <= to; time += step) found.push(time);
  return found;
}

/** The step that is under a place of the field; null outside. */
export function under(x: number, count: number, { w }: Field): number | null {
  const i = Math.floor((x / w) * count);
  return i >= 0 && i < count ? i : null;
}
