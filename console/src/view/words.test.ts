import { expect, test } from "vitest";
import { age, clock, local, reading, watts } from "./words";

test.each([
  [-1, "0 s"],
  [3.4, "3 s"],
  [119, "119 s"],
  [360, "6 m"],
  [7300, "2 h"],
  [200_000, "2 d"],
])("%d seconds are %s", (seconds, text) => expect(age(seconds)).toBe(text));

test("a missing reading is said, never zero", () => {
  expect(reading(null, "watts")).toBe("no reading");
  expect(reading(0, "watts")).toBe("0 W");
  expect(reading(9075, "watts")).toBe("9.07 kW");
  expect(reading(22.25, "celsius")).toBe("22.3 °C");
  expect(reading(7200, "rpm")).toBe("7200 rpm");
});

test("watts become kilowatts from a thousand on", () => {
  expect(watts(999)).toBe("999 W");
  expect(watts(3661)).toBe("3.66 kW");
});

test("times in a text are told by this place's clock, other days with their date", () => {
  const at = new Date("2026-11-29T13:28:41.259Z");
  expect(local("running since 2026-11-29T13:28:41.259Z, so", at)).toBe(`running since ${clock(at)}, so`);
  expect(local("since 2026-01-02T12:00:00Z", at)).toMatch(/^since 2026-01-0[123] \d\d:00:00$/);
  expect(local("no time in 2026-11-29", at)).toBe("no time in 2026-11-29");
});

test.each([
  [999.4, "999 W"],
  [999.6, "1.00 kW"],
  [8491, "8.49 kW"],
  [9996, "10.0 kW"],
  [12_340, "12.3 kW"],
  [123_400, "123 kW"],
  [-2540, "-2.54 kW"],
])("%d watts are %s", (value, text) => expect(watts(value)).toBe(text));
