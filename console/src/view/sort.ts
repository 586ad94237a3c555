// Sorting of the table: numbers as numbers, names as people count them, and what is missing last either way.

export type Direction = "ascending" | "descending";

const collator = new Intl.Collator("en", { numeric: true });

export function sorted<T>(rows: readonly T[], key: (row: T) => string | number | null, direction: Direction): T[] {
  const sign = direction === "ascending" ? 1 : -1;
  return [...rows].sort((one, other) => {
    const [a, b] = [key(one), key(other)];
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    return sign * (typeof a === "number" && typeof b === "number" ? a - b : collator.compare(`${a}`, `${b}`));
  });
}
