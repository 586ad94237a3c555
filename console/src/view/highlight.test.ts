import { expect, test } from "vitest";
import { box as made, shed } from "../api/made";
import { isMeant } from "./highlight";

const box = made(12, { machine: "web-3", state: "running" });

test.each([
  ["", true],
  [" , ", true],
  ["WEB", true],
  ["u12", true],
  ["db", false],
  ["db, web", true],
  ["state:running", true],
  ["state:stopped", false],
  ["machine:u12", false],
  ["nofield:web", false],
])("%s", (hl, meant) => expect(isMeant(hl, box)).toBe(meant));

test("a box without a machine is free", () => {
  expect(isMeant("state:free", { ...box, machine: null, state: null })).toBe(true);
});

test("who gives way is meant by that, and by what is taken", () => {
  const capped = { ...box, shed: shed("web-3") };
  expect([isMeant("capped", capped), isMeant("pressure:", capped), isMeant("pressure:stopped", capped)]).toEqual([
    true,
    true,
    false,
  ]);
  expect(isMeant("pressure:", { ...box, shed: shed("web-3", { cap: null }) })).toBe(false);
});
