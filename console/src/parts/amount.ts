// Amounts of bytes and of pieces in words.

import { scaled } from "../view/bytes";
import { watts } from "../view/words";

/** Memory, as it is sold: `256 GiB`. */
export const memory = (bytes: number) => scaled(bytes, 1024, [" B", " KiB", " MiB", " GiB", " TiB", " PiB"]);

/** A number of a resource, by the unit that /v1/free tells; what is not known is said. */
export function amount(value: number | null, unit: string): string {
  if (value === null) return "not known";
  if (unit === "bytes") return memory(value);
  if (unit === "W") return watts(value);
  return `${Number.isInteger(value) ? value : value.toFixed(1)}${unit ? ` ${unit}` : ""}`;
}

/** `1 server`, `3 servers`. */
export const count = (number: number, one: string, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
