// What there is, is promised, is used and is left, and what the next machine would meet first.

import { amount, count } from "../parts/amount";
import { type FreeRow, named } from "../parts/free";

const row = (rows: readonly FreeRow[], resource: string) => rows.find((it) => it.resource === resource);

/** What limits the next machine, as far as the numbers tell: only what is known counts, and what is not known is said. */
export function limits(rows: readonly FreeRow[]): string {
  const cores = row(rows, "cores");
  const bytes = row(rows, "memory");
  const gpus = row(rows, "gpus");
  const power = row(rows, "power");
  if (!cores?.largest)
    return "No server is free: the next machine waits until one is given back, armed, uncordoned or answers again";
  const piece = [
    amount(cores.largest, ""),
    "cores",
    ...(bytes?.largest ? [`and ${amount(bytes.largest, bytes.unit)}`] : []),
  ].join(" ");
  const without = gpus?.total && !gpus.largest ? ", without a GPU: none is free" : "";
  const size = `The next machine can have at most ${piece}${without}`;
  if (power?.free === null || power?.free === undefined)
    return `${size}; whether power would limit it first is not known`;
  if (power.free <= 0) return "Power limits the next machine: none is free";
  return `${size}, and ${amount(power.free, "W")} of power is free`;
}

/** How full a resource is, for a short line; null when the numbers don't tell. */
export function full({ total, free }: FreeRow): number | null {
  return total && free !== null ? 1 - Math.min(1, Math.max(0, free / total)) : null;
}

/** Numbers that are missing from the table, in words. */
export function missing(rows: readonly FreeRow[]): string {
  const unknown = rows.filter(({ total }) => total === null).map(({ resource }) => named(resource));
  return unknown.length === 0
    ? "The size of everything is known."
    : `How much there is at all is not known of ${count(unknown.length, "resource")}: ${unknown.join(", ")}.`;
}
