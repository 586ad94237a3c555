import { expect, test } from "vitest";
import type { FreeRow } from "../parts/free";
import { full, limits, missing } from "./capacity";

const row = (resource: string, more: Partial<FreeRow> = {}): FreeRow => ({
  resource,
  unit: "",
  total: null,
  reserved: null,
  used: null,
  free: null,
  largest: null,
  notes: [],
  ...more,
});
const cores = row("cores", { total: 320, free: 192, largest: 32 });
const memory = row("memory", { unit: "bytes", total: 2 ** 41, free: 2 ** 40, largest: 2 ** 38 });

test("what limits the next machine is the largest free server, as far as power is known", () => {
  expect(limits([cores, memory, row("power", { unit: "W", free: 4000 })])).toBe(
    "The next machine can have at most 32 cores and 256 GiB, and 4.00 kW of power is free",
  );
  expect(limits([cores, memory, row("power")])).toMatch(/not known$/);
  expect(limits([cores, row("gpus", { total: 8, largest: 0 })])).toMatch(/without a GPU: none is free/);
  expect(limits([cores, row("power", { free: 0 })])).toBe("Power limits the next machine: none is free");
  expect(limits([row("cores", { total: 320, free: 0, largest: 0 })])).toMatch(/^No server is free/);
});

test("what is not known is said, and no share is made of it", () => {
  expect(full(cores)).toBeCloseTo(0.4);
  expect(full(row("cooling"))).toBeNull();
  expect(missing([cores, row("rack_units")])).toBe("How much there is at all is not known of 1 resource: rack units.");
  expect(missing([cores])).toBe("The size of everything is known.");
});
