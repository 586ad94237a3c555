import { expect, test } from "vitest";
import { sorted } from "./sort";

test("what is missing comes last in either direction", () => {
  const rows = [3, null, 10, 1];
  expect(sorted(rows, (row) => row, "ascending")).toEqual([1, 3, 10, null]);
  expect(sorted(rows, (row) => row, "descending")).toEqual([10, 3, 1, null]);
});

test("places are sorted as people count them", () => {
  expect(sorted(["r1/u10", "r1/u9", "r1/pdu-a"], (row) => row, "ascending")).toEqual(["r1/pdu-a", "r1/u9", "r1/u10"]);
});
