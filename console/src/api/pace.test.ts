import { expect, test } from "vitest";
import { fresh, looked, ROUTINE, wait } from "./pace";

test("the first look is at once, the next after a while, one for an event at once", () => {
  let pace = fresh(0);
  expect(wait(pace, false, 0)).toBe(0);
  pace = looked(pace, 0);
  expect(wait(pace, false, 0)).toBe(ROUTINE);
  expect(wait(pace, true, 10)).toBe(0);
});

test("a storm of events costs one look a second", () => {
  let pace = fresh(0);
  let looks = 0;
  for (let now = 0; now <= 60_000; now += 10) {
    if (wait(pace, true, now) > 0) continue;
    pace = looked(pace, now);
    looks += 1;
  }
  expect(looks).toBeGreaterThan(58);
  expect(looks).toBeLessThanOrEqual(63);
});

test("a clock that goes back does not stop it", () => {
  const pace = looked(fresh(100_000), 100_000);
  expect(wait(pace, true, 0)).toBeLessThanOrEqual(1000);
});
