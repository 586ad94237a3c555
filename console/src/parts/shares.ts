// Parts of a whole, for bars.

/** Fractions of the whole. */
export function shares(total: number, reserved: number, free: number) {
  const of = (value: number) => (total > 0 ? Math.min(1, Math.max(0, value / total)) : 0);
  const [r, f] = [of(reserved), of(free)];
  return { reserved: r, neither: Math.max(0, 1 - r - f), free: Math.min(f, 1 - r) };
}
