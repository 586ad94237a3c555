// What colour a value has, and what ink goes on it.

import type { Class, Value } from "../api/types";
import { CLASSES, cividis, css, hex, inkOn } from "./palette";

export interface Paint {
  fill: string;
  ink: string;
}

/** null where nothing is known: drawn as hatching, with ink of the page. */
export function paint(value: { shade: number | null; class: Class | null } | null): Paint | null {
  if (value === null) return null;
  if (value.shade !== null) {
    const colour = cividis(value.shade);
    return { fill: css(colour), ink: inkOn(colour) };
  }
  if (value.class === null) return null;
  const fill = CLASSES[value.class];
  return { fill, ink: inkOn(hex(fill)) };
}

/** Seconds since a value was read, of an elevation that came at `came` (milliseconds). */
export function ageOf(value: Value | null, came: number, now: number, past: boolean): number | null {
  if (value === null || value.age === null || past) return null;
  return value.age + Math.max(0, now - came) / 1000;
}
