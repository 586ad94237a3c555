import { expect, test } from "vitest";
import { box, elevation, pdu } from "../api/made";
import { cord, grid, next, plan, strip, unitFor, widthFor } from "./layout";

const rack = elevation({
  boxes: [box(1), box(2), box(10, { height: 8 })],
  flanks: [pdu("pdu-a", 12), pdu("pdu-b", 12)],
  feet: [box(0, { place: "r1/cdu-1", unit: null, kind: "cdu" })],
});
const room = { width: 400, unit: 16 };

test("boxes lie in their units, from the bottom, and none over another", () => {
  const { boxes, frame, height, width } = plan(rack, room);
  const [u1, u2, tall] = boxes;
  expect(u1 && u2 && tall).toBeTruthy();
  if (!u1 || !u2 || !tall) return;
  expect(u1.y + u1.h).toBeCloseTo(frame.y + frame.h - 0.5);
  expect(u2.y + u2.h).toBeLessThan(u1.y);
  expect(tall.h).toBe(8 * 16 - 1);
  expect(tall.y + tall.h).toBeCloseTo(frame.y + frame.h - 9 * 16 - 0.5);
  for (const { x, y, w, h } of boxes) expect(x >= 0 && y >= 0 && x + w <= width && y + h <= height).toBe(true);
});

test("a box that does not fit into its rack is left out of the drawing, not drawn outside", () => {
  const wrong = { ...rack, boxes: [box(42, { height: 2 }), box(0), box(43), box(42)] };
  expect(plan(wrong, room).boxes.map(({ box: { unit, height } }) => [unit, height])).toEqual([[42, 1]]);
  expect(plan({ ...rack, units: 1e9 }, room).labels).toHaveLength(100);
});

test("PDUs stand on both sides, and more outlets than units still fit", () => {
  const { flanks, frame } = plan({ ...rack, flanks: [pdu("pdu-a", 60), pdu("pdu-b", 12)] }, room);
  const [a, b] = flanks;
  expect((a?.x ?? 0) < frame.x && (b?.x ?? 0) > frame.x + frame.w).toBe(true);
  expect(Math.min(...(a?.outlets.map(({ y }) => y) ?? []))).toBeGreaterThanOrEqual(frame.y);
});

test("arrows go through the rack and over to its PDUs, and stay at the edges", () => {
  const plans = [plan(rack, room)];
  const walk = (from: string, ...keys: string[]) => keys.reduce<string>((at, key) => next(plans, at, key) ?? at, from);
  expect(walk("r1/u1", "ArrowUp")).toBe("r1/u2");
  expect(walk("r1/u1", "ArrowUp", "ArrowUp", "ArrowUp")).toBe("r1/u10");
  expect(walk("r1/u1", "ArrowDown")).toBe("r1/cdu-1");
  expect(walk("r1/u1", "ArrowLeft")).toBe("r1/pdu-a");
  expect(walk("r1/u1", "ArrowRight", "ArrowRight")).toBe("r1/pdu-b");
  expect(walk("r1/u2", "Home")).toBe("r1/u10");
  expect(walk("r9/u9", "ArrowUp")).toBe("r1/pdu-a");
  expect(next(plans, "r1/u1", "x")).toBeNull();
});

test("cells fill their box without overlap", () => {
  for (const count of [1, 2, 7, 8, 18, 72]) {
    const cells = grid(count, { x: 10, y: 10, w: 200, h: 60 });
    expect(cells).toHaveLength(count);
    for (const { x, y, w, h } of cells) expect(x >= 10 && y >= 10 && x + w <= 210 && y + h <= 70).toBe(true);
    expect(new Set(cells.map(({ x, y }) => `${x} ${y}`)).size).toBe(count);
  }
  expect(grid(0, { x: 0, y: 0, w: 9, h: 9 })).toEqual([]);
});

test("sizes stay readable whatever the window", () => {
  expect(unitFor(100, 42)).toBe(14);
  expect(unitFor(5000, 42)).toBe(24);
  expect(widthFor(390, 1)).toBe(390);
  expect(widthFor(1900, 10)).toBe(216);
});

test("a cord ends at its box's near edge", () => {
  expect(cord({ x: 0, y: 0, w: 10, h: 10 }, { x: 50, y: 20, w: 100, h: 10 })).toBe("M10 5H14V25H50");
  expect(cord({ x: 200, y: 0, w: 10, h: 10 }, { x: 50, y: 20, w: 100, h: 10 })).toBe("M200 5H196V25H150");
});

test("boxes that share a unit stand side by side, mirrored from behind", () => {
  const pair = elevation({ boxes: [box(3, { columns: 2 }), box(3, { place: "r1/u3-b", column: 1, columns: 2 })] });
  const [a, b] = plan(pair, room).boxes;
  const [mirrored] = plan(pair, { ...room, rear: true }).boxes;
  expect(a && b && a.x + a.w <= b.x && a.y === b.y).toBe(true);
  expect(mirrored?.x).toBe(b?.x);
});

test("what is seen from one side alone is not drawn from the other", () => {
  const one = box(3, { half_depth: true, face: "rear" });
  expect(plan(elevation({ boxes: [one] }), room).boxes).toEqual([]);
  expect(plan(elevation({ boxes: [one] }), { ...room, rear: true }).boxes).toHaveLength(1);
});

test("eight accelerators fill their rows", () => {
  for (const w of [150, 220, 300, 450, 700]) {
    const cells = grid(8, { x: 0, y: 0, w, h: 105 });
    const rows = new Set(cells.map(({ y }) => y));
    expect(8 % rows.size, `${rows.size} rows at ${w}`).toBe(0);
  }
});

test("a low box shows all of its cells or none", () => {
  const rect = { x: 100, y: 0, w: 120, h: 16 };
  const all = strip(8, rect);
  expect(all).toHaveLength(8);
  expect(Math.max(...all.map(({ x, w }) => x + w))).toBeLessThanOrEqual(220);
  expect(Math.min(...all.map(({ x }) => x))).toBeGreaterThanOrEqual(100);
  expect(strip(72, rect)).toEqual([]);
});
