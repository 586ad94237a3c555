import { expect, test } from "vitest";
import { asked, bar, carried, fullest, input, layout, overlay, question, share, through } from "./diagram";
import { fed, line, load, pdu } from "./made";
import type { Forecast, Given } from "./types";

test("every cord has a line of its own and meets its bus", () => {
  const boxes = [fed("u1", "pdu-b", "pdu-a"), fed("u2", "pdu-b"), fed("u3"), fed("u4", "pdu-a", "pdu-b", "pdu-a")];
  const { buses, rows, left, width, height } = layout(line([pdu("pdu-a"), pdu("pdu-b"), pdu("pdu-c")], boxes), 900);
  expect(rows.map(({ box }) => box.place)).toEqual(["r1/u1", "r1/u2", "r1/u4"]);
  const lines = rows.flatMap(({ wires }) => wires.map(({ y }) => y));
  expect(new Set(lines).size).toBe(6);
  for (const { wires, y, height } of rows)
    for (const wire of wires) {
      expect(wire.x).toBe(buses.find(({ pdu }) => pdu.place === wire.cord.pdu)?.x);
      expect(wire.y).toBeGreaterThan(y);
      expect(wire.y).toBeLessThan(y + height);
    }
  // from left to right they go down, so that no two cords of a box cross
  expect(rows[0]?.wires.map(({ cord }) => cord.pdu)).toEqual(["r1/pdu-a", "r1/pdu-b"]);
  expect(buses[1]?.end).toBeGreaterThan(buses[2]?.end ?? 0);
  expect(left).toBeLessThan(width);
  expect(height).toBeGreaterThan(Math.max(...lines));
  // a phone's width holds two buses and names
  expect(layout(line([pdu("pdu-a"), pdu("pdu-b")], boxes), 326).width).toBe(326);
});

test("numbers that are not known are dashes, never zero", () => {
  expect(share(4887, 22_170)).toBe("22 %");
  expect(share(83, 22_170)).toBe("0.4 %");
  expect(share(0, 22_170)).toBe("0 %");
  expect(share(null, 22_170)).toBe("—");
  expect(share(10, null)).toBe("—");
  expect(bar(null, 100, 50)).toBeNull();
  expect(bar(50, 100, 200)).toEqual({ length: 100, beyond: 0, soft: 160, rated: 200 });
  expect(bar(90, 100, 200)?.beyond).toBeCloseTo(20);
  // what is over the rating reaches the end, and the rating lies before it
  expect(bar(200, 100, 200)).toEqual({ length: 200, beyond: 120, soft: 80, rated: 100 });
});

test("inputs and lines in words", () => {
  expect(input(pdu("a"))).toBe("3 × 32 A, 400 V");
  expect(input(pdu("a"), true)).toBe("3 × 32 A");
  expect(input(pdu("a", { mains: [{ amps: 16, volts: 230, phases: 1 }] }))).toBe("16 A, 230 V");
  expect(input(pdu("a", { mains: [] }))).toBe("rating not told");
  expect(input(pdu("a", { mains: [], found: false }))).toBe("not found");
  const lines = [
    { name: "l1", amps: 3, rated: 32 },
    { name: "l2", amps: 9, rated: 32 },
    { name: "l3", amps: null, rated: 32 },
  ];
  expect(fullest(pdu("a", { lines }))?.name).toBe("l2");
  expect(fullest(pdu("a"))).toBeNull();
});

test("a forecast changes what it changes", () => {
  const loads = [
    load("pdu-a", { after: 0, fate: "fails" }),
    load("pdu-b", { after: 9700, at_least: true }),
    load("pdu-c", {}),
  ];
  const given: Given = { place: "r1/u3", machine: "web-1", nice: 10, watts: 600, cap: 300, because: "" };
  const over = overlay({ loads, dies: [{ place: "r1/u2" }], sheds: [given] } as unknown as Forecast);
  expect(over.dark).toEqual(new Set(["r1/pdu-a"]));
  expect(over.dies).toEqual(new Set(["r1/u2"]));
  expect(over.gives.get("r1/u3")).toEqual(given);
  expect(loads.map((it, i) => carried(pdu(["pdu-a", "pdu-b", "pdu-c"][i] ?? ""), it))).toEqual([
    "4.89 kW → lost",
    "→ ≥ 9.70 kW, 44 %",
    "4.89 kW, 22 %",
  ]);
  expect(carried(pdu("x", { watts: null }), undefined)).toBe("no reading, —");
  expect(carried(pdu("x", { carries: "no", watts: 0 }), undefined)).toBe("dark");
  expect(overlay(undefined).loads.size).toBe(0);
  const relieved = load("pdu-a", { after: 20_000, peak: 24_000, fate: "relieved" });
  expect(carried(pdu("pdu-a"), relieved)).toBe("→ 20.0 kW, 90 %");
});

test("what moves to the only cord that is left is said, and what can't be said is not", () => {
  const { rows } = layout(
    line(
      [pdu("pdu-a"), pdu("pdu-b"), pdu("pdu-c")],
      [fed("u1", "pdu-a", "pdu-b"), fed("u2", "pdu-a", "pdu-b", "pdu-c")],
    ),
    900,
  );
  const said = (gone: string[]) =>
    rows.map((row) => row.wires.map((wire) => through(wire, row, (it) => gone.includes(it.cord.pdu))));
  expect(said([])).toEqual([
    ["100 W", "100 W"],
    ["100 W", "100 W", "100 W"],
  ]);
  expect(said(["r1/pdu-a"])).toEqual([
    [null, "→ 200 W"],
    [null, null, null],
  ]);
  expect(said(["r1/pdu-a", "r1/pdu-c"])).toEqual([
    [null, "→ 200 W"],
    [null, "→ 300 W", null],
  ]);
});

test("a question is the same for both who ask", () => {
  expect(asked(null)).toEqual([]);
  expect(asked("r1/pdu-a,r1/pdu-b,r1/pdu-a,")).toEqual(["r1/pdu-a", "r1/pdu-b"]);
  expect(question(["r1/pdu-a", "r1/u3"])).toEqual({
    path: "/v1/whatif?fail=r1%2Fpdu-a&fail=r1%2Fu3",
    command: "busbar whatif fail r1/pdu-a r1/u3",
  });
});
