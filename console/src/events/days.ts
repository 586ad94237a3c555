// Events in the order and with the days that people read them by.

import type { EventView } from "../api/types";

export interface Day {
  /** `Sunday, 29 November 2026`. */
  title: string;
  events: EventView[];
}

const long = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long", year: "numeric" });

/** Events, oldest first as they come, by local days; with `newest`, both the other way round. */
export function days(events: readonly EventView[], newest: boolean): Day[] {
  const found: Day[] = [];
  for (const event of newest ? events.toReversed() : events) {
    const title = long.format(new Date(event.at));
    const last = found.at(-1);
    if (last?.title === title) last.events.push(event);
    else found.push({ title, events: [event] });
  }
  return found;
}

/** How loud the last day was, in a sentence. `events`: its warnings and errors. */
export function headline(events: readonly EventView[], now: number): string {
  const DAY = 86_400_000;
  const recent = events.filter(({ at }) => now - Date.parse(at) < DAY);
  const count = (level: string, one: string, many: string) => {
    const found = recent.filter((event) => event.level === level).length;
    return found === 0 ? [] : [`${found} ${found === 1 ? one : many}`];
  };
  const said = [...count("error", "error", "errors"), ...count("warning", "warning", "warnings")];
  return said.length === 0 ? "Neither a warning nor an error in the last day" : `${said.join(" and ")} in the last day`;
}
