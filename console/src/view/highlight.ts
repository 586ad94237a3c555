// Highlighting: `web`, `state:running`, `health:critical,model:gpu`. Words of one highlight are alternatives.

import type { Box } from "../api/types";
import { held, taken } from "../parts/shed";

/** What can be meant of a box or a PDU. */
type Meant = Pick<Box, "place" | "kind" | "model" | "health"> &
  Partial<Pick<Box, "machine" | "state" | "power" | "name" | "shed">>;
type Field = (box: Meant) => string | null;

const FIELDS: Record<string, Field> = {
  place: (box) => box.place,
  machine: (box) => box.machine ?? box.name ?? null,
  state: (box) => box.state ?? (box.machine === null ? "free" : null),
  model: (box) => box.model,
  kind: (box) => box.kind,
  health: (box) => box.health,
  power: (box) => box.power ?? null,
  pressure: (box) => {
    const shed = held(box.shed);
    return shed && taken(shed);
  },
};

/** Names that may stand before the colon. */
export const FIELD_NAMES = Object.keys(FIELDS);

/** Whether a box is meant. Nothing highlighted means every box. */
export function isMeant(hl: string, box: Meant): boolean {
  const words = hl
    .toLowerCase()
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
  return words.length === 0 || words.some((word) => matches(word, box));
}

function matches(word: string, box: Meant): boolean {
  const colon = word.indexOf(":");
  const field = colon < 0 ? undefined : FIELDS[word.slice(0, colon)];
  const fields = field ? [field] : Object.values(FIELDS);
  const wanted = field ? word.slice(colon + 1) : word;
  return fields.some((get) => get(box)?.toLowerCase().includes(wanted) ?? false);
}
