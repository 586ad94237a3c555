import { expect, test } from "vitest";
import { shed } from "../api/made";
import type { Shed } from "../parts/shed";
import { fed, line, load } from "./made";
import { banner, fate, turns } from "./pressure";
import type { FedBox } from "./types";

const box = (slot: string, machine: string, nice: number, more: Partial<FedBox> = {}): FedBox => ({
  ...fed(slot, "pdu-a", "pdu-b"),
  machine,
  nice,
  floor: 250,
  ...more,
});

test("the highest nice gives way first, of one nice by place; who hangs on nothing doesn't", () => {
  const all = [
    box("u10", "db-1", -10),
    box("u9", "web-9", 10),
    fed("u3", "pdu-a"),
    box("u11", "web-11", 10),
    box("u4", "loose", 19, { cords: [] }),
    box("u1", "plain", 0),
  ];
  expect(turns(all).map(({ machine }) => machine)).toEqual(["web-9", "web-11", "plain", "db-1"]);
});

test("why nothing can be taken is said, unless something is", () => {
  const cant = (more: Partial<FedBox>) => turns([box("u1", "a", 0, more)])[0]?.cant ?? null;
  expect(cant({})).toBeNull();
  expect(cant({ armed: false })).toContain("only looked at");
  expect(cant({ floor: null })).toContain("only be stopped");
  expect(cant({ power: "off", floor: null })).toContain("off");
  expect(cant({ floor: null, power: "off", shed: shed("a", { cap: null, stop: "ask" }) })).toBeNull();
});

test("what is taken is said above all: from whom, why, and what gives it back", () => {
  const lines = (...sheds: (Shed | null)[]) =>
    line(
      [],
      sheds.map((it, n) => box(`u${n + 1}`, it?.machine ?? `m${n}`, 0, { shed: it })),
    );
  expect(banner(lines(null, shed("over", { cap: null })))).toBeNull();
  const one = banner(lines(shed("web-1"), null));
  expect(one?.headline).toBe("web-1 gives way so that pdu-b does not trip");
  expect(one?.who).toEqual([{ machine: "web-1", what: "capped at 300 W (drew 612 W)", since: "2026-11-29T12:02:00Z" }]);
  expect(one?.because).toEqual(["r1/pdu-b carries 104 % of its rating"]);
  const many = banner(lines(...Array.from({ length: 8 }, (_, n) => shed(`web-${n}`, { pdus: [`r1/pdu-${n % 2}`] }))));
  expect(many?.headline).toBe("8 machines give way so that pdu-0 and pdu-1 do not trip");
  expect([many?.who.length, many?.more, many?.because.length]).toEqual([6, 2, 1]);
  expect(many?.next).toContain("who gave way last first");
});

test("a PDU that is kept from tripping says what would have come to it", () => {
  const relieved = load("pdu-b", {
    after: 18_800,
    peak: 24_400,
    fate: "relieved",
    because: "110 % of its rating would come to it",
  });
  expect(fate(relieved)).toBe("kept from tripping: 110 % of its rating would come to it; 24.4 kW if nobody gave way");
  expect(fate(load("pdu-b", {}))).toBe("");
  expect(fate(load("pdu-b", { fate: "trips", because: "too much" }))).toBe("trips: too much");
});
