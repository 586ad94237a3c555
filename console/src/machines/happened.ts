// Which events are a machine's: those about it, and those about its box since it was asked for.

import type { EventView } from "../api/types";

export function happened(
  all: readonly EventView[],
  { name, place, created }: { name: string; place: string | null; created: string },
): EventView[] {
  const since = Date.parse(created);
  const seen = new Set<number>();
  return all
    .filter(({ about, at, sequence }) => {
      const mine = about === name || (place !== null && (about === place || about.startsWith(`${place}/`)));
      if (!mine || Date.parse(at) < since || seen.has(sequence)) return false;
      seen.add(sequence);
      return true;
    })
    .sort((a, b) => b.sequence - a.sequence);
}
