// Which places belong together: a box with the outlets that feed it, a PDU with the boxes that it feeds.

import type { Elevation } from "../api/types";

/** The place itself, and everything that lights up with it. */
export function lit({ boxes, feet, flanks }: Pick<Elevation, "boxes" | "feet" | "flanks">, place: string): Set<string> {
  const all = new Set([place]);
  const machine = [...boxes, ...feet].find((box) => box.place === place)?.machine;
  for (const box of boxes) if (machine && box.machine === machine) all.add(box.place);
  for (const flank of flanks) {
    for (const { feeds } of flank.outlets) {
      if (feeds === null) continue;
      if (flank.place === place) all.add(feeds);
      if (feeds === place) all.add(flank.place);
    }
  }
  return all;
}
