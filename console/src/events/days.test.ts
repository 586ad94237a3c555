import { expect, test } from "vitest";
import type { EventView } from "../api/types";
import { aboutHref } from "./about";
import { chain, roots } from "./chain";
import { days, headline } from "./days";
import { asked, told } from "./query";

const event = (sequence: number, more: Partial<EventView> = {}): EventView => ({
  sequence,
  at: new Date(2026, 10, 29, 12, 0, sequence).toISOString(),
  level: "info",
  about: "web-1",
  what: `step ${sequence}`,
  by: "busbar",
  ...more,
});

test("days are those of the wall, newest first or last", () => {
  const night = event(1, { at: new Date(2026, 10, 28, 23, 59, 59).toISOString() });
  const morning = event(2, { at: new Date(2026, 10, 29, 0, 0, 1).toISOString() });
  const later = event(3);
  const sequences = (newest: boolean) =>
    days([night, morning, later], newest).map(({ events }) => events.map(({ sequence }) => sequence));
  expect(sequences(false)).toEqual([[1], [2, 3]]);
  expect(sequences(true)).toEqual([[3, 2], [1]]);
  expect(days([later], true)[0]?.title).toMatch(/^Sunday,? 29 November 2026$/);
});

test("the headline counts the last day alone", () => {
  const now = Date.parse(event(0).at);
  const old = event(1, { level: "error", at: new Date(now - 90_000_000).toISOString() });
  expect(headline([old], now)).toBe("Neither a warning nor an error in the last day");
  expect(headline([old, event(2, { level: "error" }), event(3, { level: "warning" })], now)).toBe(
    "1 error and 1 warning in the last day",
  );
  expect(headline([event(2, { level: "warning" }), event(3, { level: "warning" })], now)).toBe(
    "2 warnings in the last day",
  );
});

test("a chain goes up to what began it and down to all that followed", () => {
  const all = [
    event(1),
    event(2, { cause: 1 }),
    event(3),
    event(4, { cause: 2 }),
    event(5, { cause: 1 }),
    event(6, { cause: 3 }),
  ];
  const shown = (of: number) => chain(all, of).map(({ event: { sequence }, depth }) => [sequence, depth]);
  expect(shown(4)).toEqual([
    [1, 0],
    [2, 1],
    [4, 2],
    [5, 1],
  ]);
  expect(shown(2)).toEqual(shown(4));
  expect(shown(9)).toEqual([]);
  // a cause that is not kept any more begins it
  expect(chain([event(8, { cause: 7 })], 8)).toHaveLength(1);
  // what claims to follow from itself does not hang the page
  expect(chain([event(8, { cause: 8 })], 8).length).toBeLessThanOrEqual(1);
  expect(roots([event(8, { cause: 7 }), event(9)])).toEqual(new Set([7]));
});

test("what an event is about leads to its page", () => {
  expect(aboutHref("r1/u1", ["r1"])).toBe("/r1#u1");
  expect(aboutHref("r1/u1/psu1", ["r1"])).toBe("/r1#u1");
  expect(aboutHref("r1", ["r1"])).toBe("/r1");
  expect(aboutHref("web-1", ["r1"])).toBe("/machines/web-1");
  expect(aboutHref("image demo", [])).toBe("/images");
  expect(aboutHref("busbar", [])).toBeNull();
  expect(aboutHref("credential emulated", [])).toBeNull();
});

test("a filter is asked of the daemon as it is told as a command", () => {
  const filter = { level: "loud", about: "r1/u1", by: "", text: "reset on" };
  expect(asked(filter)).toBe("&level=warning%2Cerror&about=r1%2Fu1&text=reset+on");
  expect(asked({ level: "", about: "", by: "", text: "" })).toBe("");
  expect(told({ level: "", about: "", by: "", text: "" })).toBe("all events");
  expect(told(filter)).toBe("warnings and errors about r1/u1 with “reset on”");
});
