import { expect, test } from "vitest";
import { box, elevation, pdu, shed } from "../api/made";
import { next } from "./next";

const me = { role: "admin", emulator: true } as const;
const pages = ["machines", "run", "power", "lab"];
const rack = (...boxes: Parameters<typeof box>[1][]) =>
  elevation({ boxes: boxes.map((more, i) => box(i + 1, more)), flanks: [pdu("pdu-a", 2)] });

test("a rack that was just found is run on, asked and broken", () => {
  const steps = next([rack({}, {})], 2, me, pages);
  expect(steps.map(({ href }) => href)).toEqual(["/run", "/power/r1?fail=r1%2Fpdu-a", "/lab"]);
  expect(steps[0]?.because).toBe("2 of 2 servers are free.");
});

test("what needs somebody comes first", () => {
  const [first] = next([rack({ machine: "web-1", held: "no answer from BMC" }, {})], 1, me, pages);
  expect(first).toMatchObject({ href: "/machines/web-1", command: "busbar why web-1" });
  expect(next([rack({ armed: false })], 0, me, pages)[0]?.command).toBe("busbar arm r1");
});

test("who gives way is pointed at before anything new is begun", () => {
  const [first] = next([rack({ machine: "web-1", shed: shed("web-1") }, {})], 1, me, pages);
  expect(first).toMatchObject({ href: "/power/r1", command: "busbar why web-1" });
});

test("what can't be done, or isn't offered, is not said", () => {
  const reader = { role: "reader", emulator: false } as const;
  expect(next([rack({})], 1, reader, pages).map(({ href }) => href)).toEqual(["/power/r1?fail=r1%2Fpdu-a"]);
  expect(next([rack({ machine: "web-1" })], 0, me, ["run"])).toEqual([]);
  expect(next([], 0, me, pages)).toEqual([]);
});
