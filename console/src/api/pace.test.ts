import { expect, test } from "vitest";
import { fresh, looked, ROUTINE, took, wait } from "./pace";

test("the first look is at once, the next after a while, one for an event at once", () => {
  let pace = fresh(0);
  expect(wait(pace, false, 0)).toBe(0);
  pace = looked(pace, 0);
  expect(wait(pace, false, 0)).toBe(ROUTINE);
  expect(wait(pace, true, 10)).toBe(0);
});

/** Looks in a minute of a storm, each of which takes so many milliseconds. */
function storm(ms: number): number {
  let pace = fresh(0);
  let looks = 0;
  let busy = 0;
  for (let now = 0; now <= 60_000; now += 10) {
    if (now < busy) continue;
    if (busy > 0) pace = took(pace, ms, busy);
    busy = 0;
    if (wait(pace, true, now) > 0) continue;
    pace = looked(pace, now);
    looks += 1;
    busy = now + ms;
  }
  return looks;
}

test("in a storm of events looking takes a fifth of the time at most", () => {
  expect(storm(10)).toBeGreaterThan(270);
  expect(storm(10)).toBeLessThanOrEqual(305);
  expect(storm(100)).toBeLessThanOrEqual(125);
  // slow answers: once a second
  expect(storm(900)).toBeLessThanOrEqual(63);
  expect(storm(900)).toBeGreaterThan(50);
});

test("a clock that goes back does not stop it", () => {
  const pace = looked(fresh(100_000), 100_000);
  expect(wait(pace, true, 0)).toBeLessThanOrEqual(1000);
});
