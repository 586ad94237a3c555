import { expect, test } from "vitest";
import { line, sum } from "./day";

const history = {
  from: "2026-11-29T00:00:00Z",
  step_seconds: 60,
  series: [
    { place: "r1/u1", mean: [100, 200, null, 300] },
    { place: "r1/u2", mean: [100, 100, 100, 100] },
    { place: "r1/pdu-a", mean: [900, 900, 900, 900] },
  ],
};

test("the sum is of servers alone, and a step that misses one has none", () => {
  expect(sum(history, new Set(["r1/u1", "r1/u2"]))).toEqual([200, 300, null, 400]);
  expect(sum(history, new Set())).toEqual([]);
});

test("a gap is no line, and zero is the bottom", () => {
  const begin = Date.parse(history.from);
  const field = { w: 40, h: 10, begin, end: begin + 240_000 };
  expect(line([200, 400, null, 0], history, field)).toBe("M5.0 5.0L15.0 0.0M35.0 10.0");
  expect(line([200, 400], history, { ...field, begin: begin + 120_000, end: begin + 360_000 })).toBe("");
});
