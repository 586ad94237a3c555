import { expect, test } from "vitest";
import { heat, span } from "./heat";
import { rows } from "./parts";
import type { Part } from "./types";

const part = (id: string, kind: Part["kind"], more: Partial<Part> = {}): Part => ({
  id,
  kind,
  maker: "Busbar",
  model: "M",
  serial: `S-${id}`,
  health: "ok",
  ...more,
});
const dimm = (i: number, more: Partial<Part> = {}) => part(`dimm${i}`, { kind: "memory", size: 2 ** 35 }, more);

test("parts that are alike are one row, and one that is sick stands out", () => {
  const all = rows([dimm(0), dimm(1), dimm(2), dimm(3, { health: "critical" }), dimm(4)]);
  expect(all.map(({ ids, what, health }) => [ids, what, health])).toEqual([
    ["dimm0–2", "3 × 32G", "ok"],
    ["dimm3", "32G", "critical"],
    ["dimm4", "32G", "ok"],
  ]);
  expect(all.map(({ serial }) => serial)).toEqual(["", "S-dimm3", "S-dimm4"]);
});

test("a port says its address, its link and who is at the other end", () => {
  const neighbour = { system: "sw0", port: "Ethernet1" };
  const [up, down, mute] = rows([
    part("nic0", { kind: "nic", mac: "02:00:00:00:00:01", link: true, mbps: 25_000, neighbour }),
    part("nic1", { kind: "nic", mac: "02:00:00:00:00:02", link: false, mbps: null }),
    part("nic2", { kind: "nic" }),
  ]);
  expect(up?.what).toBe("02:00:00:00:00:01, 25 Gbit/s, to sw0 Ethernet1");
  expect(down?.what).toBe("02:00:00:00:00:02, no link");
  expect(mute?.what).toBe("address not told");
});

test("the inlet and the hottest are plotted, and few", () => {
  const series = (name: string, hot: number | null, unit = "celsius") => ({
    place: "r1/u1",
    name,
    unit,
    min: [hot],
    mean: [hot],
    max: [hot],
  });
  const cpus = Array.from({ length: 8 }, (_, i) => series(`cpu${i}`, 40 + i));
  const history = {
    from: "2026-11-29T12:00:00Z",
    step_seconds: 30,
    series: [series("watts", 300, "watts"), ...cpus, series("dead", null), series("inlet", 22)],
  };
  expect(heat(history).map(({ name }) => name)).toEqual(["inlet", "cpu7", "cpu6", "cpu5"]);
  expect(span("8h")).toBe("8h");
  expect(span("1y")).toBe("1h");
});
