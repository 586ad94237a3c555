import { expect, test } from "vitest";
import { axis, band, beginning, end, hours, line, under, upToNow } from "./plot";

const field = { w: 100, h: 50 };

test("a scale holds all values and has round ticks", () => {
  expect(axis([[3, 97]], true)).toEqual({ low: 0, high: 100, ticks: [0, 25, 50, 75, 100] });
  const warm = axis([[22.1, 24.3, null]], false);
  expect(warm.low).toBeLessThanOrEqual(22.1);
  expect(warm.high).toBeGreaterThanOrEqual(24.3);
  expect(warm.ticks.length).toBeGreaterThanOrEqual(3);
  expect(axis([[null]], true)).toMatchObject({ low: 0 });
  // what does not move still has a scale
  const still = axis([[500, 500]], false);
  expect(still.high).toBeGreaterThan(still.low);
});

test("gaps stay gaps", () => {
  const scale = { low: 0, high: 10, ticks: [] };
  expect(line([0, 10, null, 5], scale, field)).toBe("M12.5 50.0L37.5 0.0M87.5 25.0h0.1");
  expect(line([null, null], scale, field)).toBe("");
  expect(end([0, 10, 5, null], scale, field)).toEqual({ x: 62.5, y: 25 });
  expect(end([null, null], scale, field)).toBeNull();
  expect(band([0, null, 0, 0], [10, null, 10, 5], scale, field)).toBe("M62.5 0.0L87.5 25.0L87.5 50.0L62.5 50.0Z");
});

test("times are round and few", () => {
  const from = Date.UTC(2026, 0, 1, 10, 7);
  const found = hours(from, from + 3_600_000, 6);
  expect(found.length).toBeGreaterThan(2);
  expect(found.length).toBeLessThanOrEqual(6);
  for (const time of found) expect(new Date(time).getMinutes() % 10).toBe(0);
});

test("a place of the field is a step, and outside is none", () => {
  expect(under(0, 4, field)).toBe(0);
  expect(under(99.9, 4, field)).toBe(3);
  expect(under(-1, 4, field)).toBeNull();
  expect(under(100, 4, field)).toBeNull();
});

test("what was before anything is known is left out, but for a little", () => {
  const empty = (count: number) => Array.from({ length: count }, () => null);
  expect(beginning([[...empty(60), ...Array.from({ length: 60 }, () => 1)]])).toBe(60);
  expect(
    beginning([
      [...empty(119), 1],
      [...empty(110), 1, ...empty(9)],
    ]),
  ).toBe(100);
  expect(
    beginning([
      [...empty(119), 1],
      [1, ...empty(119)],
    ]),
  ).toBe(0);
  expect(beginning([empty(120)])).toBe(0);
  expect(beginning([[null, 1]])).toBe(0);
  expect(beginning([])).toBe(0);
});

test("a curve ends with what is read now, where that is known", () => {
  expect(upToNow([1, 2, null], 7)).toEqual([1, 2, 7]);
  expect(upToNow([1, 2, 3], 0)).toEqual([1, 2, 0]);
  expect(upToNow([1, null], null)).toEqual([1, null]);
  expect(upToNow([], 7)).toEqual([]);
});
