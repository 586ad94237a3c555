import { expect, test } from "vitest";
import { box as made } from "../api/made";
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
