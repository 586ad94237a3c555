// What an event followed from, and what followed from it: as far as events record it.

import type { EventView } from "../api/types";

export interface Link {
  event: EventView;
  /** Steps from what began it. */
  depth: number;
}

/** The whole chain of an event, from what began it, each followed by what it caused. */
export function chain(all: readonly EventView[], of: number): Link[] {
  const by = new Map(all.map((event) => [event.sequence, event]));
  const asked = by.get(of);
  if (!asked) return [];
  let root: EventView = asked;
  for (;;) {
    const { cause, sequence }: EventView = root;
    // a cause is always earlier, so this ends
    const before = cause !== undefined && cause < sequence ? by.get(cause) : undefined;
    if (!before) break;
    root = before;
  }
  const links: Link[] = [];
  const add = (event: EventView, depth: number) => {
    links.push({ event, depth });
    for (const next of all) if (next.cause === event.sequence && next.sequence > event.sequence) add(next, depth + 1);
  };
  add(root, 0);
  return links;
}

/** Numbers of the events that others of these follow from. */
export const roots = (all: readonly EventView[]) =>
  new Set(all.flatMap(({ cause }) => (cause === undefined ? [] : [cause])));
