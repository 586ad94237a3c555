import { expect, test } from "vitest";
import { box, elevation } from "../api/made";
import { start } from "./start";

const kept = {
  r1: { came: 0, elevation: elevation({ boxes: [box(1), box(2, { machine: "web-1" }), box(3, { cordoned: "fan" })] }) },
};

test("a run begins on the box that is looked at, if it is free", () => {
  expect(start(kept, "r1/u1")).toBe("/run?on=r1%2Fu1");
  for (const focus of ["r1/u2", "r1/u3", "r1/pdu-a", null]) expect(start(kept, focus)).toBe("/run");
});
