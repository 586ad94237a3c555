// Sizes as people write and read them, by the rules of the daemon's own (`rack::Bytes`).

const FACTORS: Record<string, number> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** `64G`, `2TB`, `512MiB` in bytes; null when it is no size. */
export function parseBytes(text: string): number | null {
  const [, number, unit] = text.trim().match(/^(\d+(?:\.\d+)?)\s*([a-z]*)$/i) ?? [];
  const factor = FACTORS[(unit ?? "").toLowerCase()];
  if (number === undefined || factor === undefined) return null;
  const bytes = Math.round(Number(number) * factor);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** A size with the largest of `units` that leaves one before the point; `base` is what each is of the one before. */
export function scaled(bytes: number, base: number, units: string[]): string {
  let [value, unit] = [bytes, 0];
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit += 1;
  }
  return `${value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1)}${units[unit]}`;
}

/** `256G`: memory, binary. */
export const binary = (bytes: number) => scaled(bytes, 1024, ["B", "K", "M", "G", "T", "P"]);

/** `1.9 TB`: disks and transfers, decimal. */
export const decimal = (bytes: number) => scaled(bytes, 1000, [" B", " kB", " MB", " GB", " TB", " PB"]);
