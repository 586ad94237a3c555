import { expect, test } from "vitest";
import { forecast, type Node, pools, wishFor } from "./pools";

const node = (place: string, cores: number, more: Partial<Node> = {}, gpus = 0): Node => ({
  place,
  unfit: [],
  live: { readings: [] },
  parts: [
    { kind: { kind: "processor", cores } },
    { kind: { kind: "memory", size: 2 ** 38 } },
    { kind: { kind: "drive", size: 64e9 } },
    ...Array.from({ length: gpus }, () => ({ kind: { kind: "gpu" } })),
  ],
  ...more,
});

test("boxes that are made of the same are one pool, and only what can be given out is free", () => {
  const all = pools([
    node("r1/u1", 32),
    node("r1/u2", 32, { unfit: ["held by web-1"] }),
    node("r1/u3", 32, { unfit: ["cordoned: fan"] }),
    node("r1/u5", 32, { live: { silent: "no answer", readings: [] } }),
    node("r1/u10", 32, {}, 8),
  ]);
  expect(all.map(({ gpus, total, free, largest }) => ({ gpus, total, free, largest }))).toEqual([
    { gpus: 8, total: 1, free: ["r1/u10"], largest: true },
    { gpus: 0, total: 4, free: ["r1/u1"], largest: false },
  ]);
  const [first] = all;
  expect(first && wishFor(first)).toEqual({ cores: "32", memory: "256G", gpu: "8" });
});

test("with nothing free there is no largest piece", () => {
  expect(pools([node("r1/u1", 8, { unfit: ["held by a"] })])[0]).toMatchObject({ free: [], largest: false });
});

test("a forecast is what the box may draw at most, and is not known where anything of it is not", () => {
  const row = { total: 22_000, used: 500 };
  const caps = [{ id: "system", watts: null, highest: 755 }];
  expect(forecast(row, 12, caps)).toEqual({
    used: 500,
    atMost: 1243,
    total: 22_000,
    bound: 755,
    by: "the highest cap that it takes",
  });
  expect(forecast(row, 12, [{ id: "system", watts: 400, highest: 755 }])).toMatchObject({ atMost: 888, by: "its cap" });
  expect(forecast(row, null, caps).atMost).toBeNull();
  expect(forecast(row, 12, []).atMost).toBeNull();
  expect(forecast(undefined, 12, caps)).toMatchObject({ used: null, atMost: null });
});
