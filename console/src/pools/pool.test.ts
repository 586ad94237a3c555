import { expect, test } from "vitest";
import { amount, memory } from "../parts/amount";
import { decimal } from "../view/bytes";
import { made } from "../parts/made";
import { shares } from "../parts/shares";
import { groups, headline, type PoolNode, reasons, use, uses } from "./pool";

const GiB = 2 ** 30;
const node = (slot: string, more: Partial<PoolNode> = {}): PoolNode => ({
  place: `r1/${slot}`,
  identity: { model: "2S", bios: "E1" },
  parts: [
    { kind: { kind: "processor", cores: 16 } },
    { kind: { kind: "processor", cores: 16 } },
    { kind: { kind: "memory", size: 256 * GiB } },
    { kind: { kind: "drive", size: 4e12 } },
  ],
  armed: true,
  unfit: [],
  live: {},
  ...more,
});

test("a server is held, free, or neither with every reason", () => {
  expect(use(node("u1"))).toBe("free");
  expect(use(node("u1", { holder: "web-1", unfit: ["held by web-1"] }))).toBe("held");
  const bad = node("u1", { unfit: ["not armed", "cordoned: swap"], live: { silent: "no answer" } });
  expect(use(bad)).toBe("neither");
  expect(reasons(bad)).toHaveLength(3);
  expect(reasons(node("u1", { unfit: ["a part is critical"] }))).toEqual(["a part is critical"]);
});

test("what servers are made of is summed by use", () => {
  const all = [node("u1", { holder: "web-1" }), node("u2"), node("u3", { unfit: ["not armed"] })];
  expect(uses(all, (it) => made(it).cores)).toEqual({ held: 32, free: 32, neither: 32, all: 96 });
  expect(headline(all)).toBe("1 of 3 servers is free: 32 cores, 256 GiB of memory, no GPU");
  expect(headline([node("u1", { holder: "a" })])).toBe("None of 1 server is free");
  expect(headline([])).toBe("No server is known yet");
});

test("like stands with like, the most capable first, and firmware that differs is told", () => {
  const gpu = node("u9", { parts: [...node("u9").parts, { kind: { kind: "gpu" } }] });
  const found = groups([node("u1"), node("u2", { identity: { model: "2S", bios: "E2" } }), node("u3"), gpu]);
  expect(found.map(({ nodes }) => nodes.length)).toEqual([1, 3]);
  expect(found[1]?.firmware).toEqual([
    ["E1", 2],
    ["E2", 1],
  ]);
});

test("amounts are in the units that they are sold in, and the unknown is said", () => {
  expect(memory(256 * GiB)).toBe("256 GiB");
  expect(memory(1.5 * 1024 * GiB)).toBe("1.5 TiB");
  expect(decimal(3_840_000_000_000)).toBe("3.8 TB");
  expect(amount(null, "W")).toBe("not known");
  expect(amount(0, "")).toBe("0");
  expect(amount(2408, "W")).toBe("2.41 kW");
});

test("a bar is never longer than the whole", () => {
  expect(shares(8, 4, 2)).toEqual({ reserved: 0.5, neither: 0.25, free: 0.25 });
  expect(shares(10, 12, 5)).toEqual({ reserved: 1, neither: 0, free: 0 });
  expect(shares(0, 0, 0)).toEqual({ reserved: 0, neither: 1, free: 0 });
});
