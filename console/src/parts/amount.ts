// Amounts of bytes and of pieces in words.

import { watts } from "../view/words";

function scaled(value: number, base: number, units: string[]): string {
  let i = 0;
  let it = value;
  while (it >= base && i < units.length - 1) {
    it /= base;
    i += 1;
  }
  return `${it >= 100 || Number.isInteger(it) ? it.toFixed(0) : it.toFixed(1)} ${units[i] ?? ""}`.trim();
}

/** Memory, as it is sold: `256 GiB`. */
export const memory = (bytes: number) => scaled(bytes, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]);

/** Disks and files, as they are sold: `3.8 TB`. */
export const disk = (bytes: number) => scaled(bytes, 1000, ["B", "kB", "MB", "GB", "TB", "PB"]);

/** A number of a resource, by the unit that /v1/free tells; what is not known is said. */
export function amount(value: number | null, unit: string): string {
  if (value === null) return "not known";
  if (unit === "bytes") return memory(value);
  if (unit === "W") return watts(value);
  return `${Number.isInteger(value) ? value : value.toFixed(1)}${unit ? ` ${unit}` : ""}`;
}

/** `1 server`, `3 servers`. */
export const count = (number: number, one: string, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
