// What the palette offers, and which of it is meant.

import type { Elevation, RackRow } from "../api/types";
import type { Page } from "../pages";
import { machineHref } from "../view/hrefs";
import { BYS, type View } from "../view/view";

export interface Choice {
  label: string;
  /** What kind of thing it is. */
  kind: string;
  /** A view of the racks, or the path of another page. */
  to: Partial<View> | "help" | `/${string}`;
}

export function choices(
  racks: RackRow[],
  drawn: Elevation[],
  pages: readonly Pick<Page, "segment" | "title">[],
): Choice[] {
  const one = (rack: string) => (racks.length > 1 ? {} : { racks: [rack] });
  return [
    ...drawn.flatMap(({ boxes }): Choice[] =>
      boxes.flatMap(({ machine, place }) =>
        machine ? [{ label: machine, kind: `machine on ${place}`, to: machineHref(machine) }] : [],
      ),
    ),
    ...drawn.flatMap(({ rack, boxes, feet, flanks }) =>
      [...boxes, ...feet, ...flanks].map(({ place, kind }) => ({
        label: place,
        kind,
        to: { ...one(rack), focus: place },
      })),
    ),
    ...racks.map(({ name }) => ({ label: name, kind: "rack", to: { racks: [name], focus: null } })),
    ...(racks.length > 1 ? [{ label: "all racks", kind: "racks", to: { racks: [], focus: null } }] : []),
    ...pages.map(({ segment, title }): Choice => ({ label: title, kind: "page", to: `/${segment}` })),
    ...BYS.map(({ id, label }) => ({ label, kind: "colour by", to: { by: id } })),
    { label: "run a machine", kind: "action", to: "/run" },
    { label: "table", kind: "view", to: { table: true } },
    { label: "drawing", kind: "view", to: { table: false } },
    { label: "back to live", kind: "view", to: { at: null } },
    { label: "keys", kind: "help", to: "help" },
  ];
}

/** Those that hold every typed word, the ones that begin with what was typed first. */
export function meant(all: Choice[], typed: string, most: number): Choice[] {
  const words = typed
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  const found = all.filter(({ label, kind }) => words.every((word) => `${kind} ${label}`.toLowerCase().includes(word)));
  const [first] = words;
  const begins = ({ label }: Choice) =>
    first !== undefined && (label.toLowerCase().startsWith(first) || label.toLowerCase().includes(`/${first}`));
  return [...found.filter(begins), ...found.filter((choice) => !begins(choice))].slice(0, most);
}
