// Who did how much in the last day, and the same lines as text.

import type { EventView } from "../api/types";
import { local } from "../view/words";

/** In a sentence: users first, then what Busbar did by itself. `events`: those of the audit log. */
export function whoDid(events: readonly EventView[], now: number): string {
  const DAY = 86_400_000;
  const by = new Map<string, number>();
  for (const event of events) if (now - Date.parse(event.at) < DAY) by.set(event.by, (by.get(event.by) ?? 0) + 1);
  const own = by.get("busbar") ?? 0;
  by.delete("busbar");
  const users = [...by].sort((a, b) => b[1] - a[1]);
  const writes = (count: number) => `${count} ${count === 1 ? "write" : "writes"}`;
  const named = users.slice(0, 3).map(([name, count]) => `${name} ${writes(count)}`);
  const more = users.length - named.length;
  const said = [
    ...named,
    ...(more > 0 ? [`${more} more users`] : []),
    ...(own > 0 ? [`busbar itself ${writes(own)}`] : []),
  ];
  return said.length === 0 ? "Nobody wrote anything in the last day" : `In the last day: ${said.join(", ")}`;
}

/** Lines to be pasted elsewhere, as `busbar dmesg` prints them, in this place's time. */
export const lines = (events: readonly EventView[], now: Date) =>
  events
    .map(
      ({ at, level, about, what, because, by }) =>
        `${local(at, now)} ${level.padEnd(7)} ${about}: ${what}${because ? ` because ${because}` : ""} [${by}]`,
    )
    .join("\n");
