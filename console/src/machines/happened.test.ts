import { expect, test } from "vitest";
import type { EventView } from "../api/types";
import { happened } from "./happened";

const event = (sequence: number, about: string, minute = 1): EventView => ({
  sequence,
  at: `2026-11-29T12:0${minute}:00Z`,
  level: "info",
  about,
  what: "it happened",
  by: "busbar",
});
const of = { name: "web-1", place: "r1/u1", created: "2026-11-29T12:01:00Z" };

test("a machine's events are its own and those of its box since it was there, newest first, each once", () => {
  const all = [
    event(1, "web-1", 0),
    event(2, "r1/u1"),
    event(3, "web-1"),
    event(4, "r1/u10"),
    event(5, "r1/u1/psu1"),
    event(3, "web-1"),
    event(6, "web-10"),
  ];
  expect(happened(all, of).map(({ sequence }) => sequence)).toEqual([5, 3, 2]);
  expect(happened(all, { ...of, place: null }).map(({ sequence }) => sequence)).toEqual([3]);
});
