import { expect, test } from "vitest";
import { box, elevation, pdu } from "../api/made";
import { choices, meant } from "./choices";

const rack = { name: "r1", emulated: true, nodes: 2, devices: 1, free: 2 };
const all = choices(
  [rack],
  [elevation({ boxes: [box(1, { machine: "web-1" }), box(12)], flanks: [pdu("pdu-a", 1)] })],
  [{ segment: "power", title: "Power" }],
);
const labels = (typed: string) => meant(all, typed, 20).map(({ label }) => label);

test("machines, places, racks, colours and views are all there", () => {
  for (const label of ["web-1", "r1/u12", "r1/pdu-a", "r1", "inlet", "table", "run a machine"])
    expect(labels("")).toContain(label);
});

test("what begins with the typed word comes first", () => {
  expect(labels("u12")[0]).toBe("r1/u12");
  expect(labels("web")[0]).toBe("web-1");
  expect(labels("page")).toEqual(["Power"]);
  expect(labels("colour inl")).toEqual(["inlet"]);
  expect(labels("nothing like it")).toEqual([]);
});

test("no more are offered than asked for", () => {
  expect(meant(all, "", 3)).toHaveLength(3);
});
