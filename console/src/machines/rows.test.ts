import { expect, test } from "vitest";
import { shed } from "../api/made";
import { machine } from "./made";
import { doing, headline, madeOf, note, order, pressed, shown } from "./rows";

const all = [
  machine("web-10", { watts: 90, status: { place: "r1/u10" } }),
  machine("web-2", { watts: null, status: { place: "r1/u2" } }),
  machine("train-1", { watts: 5110, made_of: { cores: 96, memory: 2 ** 40, gpus: 8, storage: 0 } }),
  machine("old-1", { status: { state: "released", place: null } }),
];
const names = (typed: string, sort: string | null) => shown(all, typed, sort).map(({ name }) => name);

test("numbers are ordered as numbers, places as people count them, and what is missing is last", () => {
  expect(names("", null)).toEqual(["train-1", "web-2", "web-10"]);
  expect(names("", "-watts")).toEqual(["train-1", "web-10", "web-2"]);
  expect(names("", "watts")).toEqual(["web-10", "train-1", "web-2"]);
  expect(names("", "-made")[0]).toBe("train-1");
  expect(order("-nonsense")).toEqual({ by: "where", direction: "ascending" });
});

test("every typed word must be there, and what was given back is shown only when it is asked for", () => {
  expect(names("web", null)).toEqual(["web-2", "web-10"]);
  expect(names("8 GPU running", null)).toEqual(["train-1"]);
  expect(names("released", null)).toEqual(["old-1"]);
  expect(names("nothing", null)).toEqual([]);
});

test("a row says what it is made of and what it does", () => {
  expect(madeOf({ cores: 96, memory: 2 ** 40, gpus: 8, storage: 0 })).toBe("96c 1T + 8 gpu");
  expect(note(machine("a"))).toBe("");
  expect(note(machine("a", { status: { state: "held", reason: "no login" } }))).toBe("no login");
  const progress = { phase: "write", done: 61, total: 100, at: "" };
  expect(note(machine("a", { progress, status: { state: "installing" } }))).toBe("write 61 %");
});

test("the headline counts by state", () => {
  expect(headline(all)).toBe("3 machines: 3 running");
  expect(headline([])).toBe("No machine runs here yet");
});

test("who gives way is marked, found, and counted", () => {
  const capped = machine("web-1", { shed: shed("web-1") });
  const stopped = machine("web-2", { status: { state: "stopped" }, shed: shed("web-2", { stop: "cut", cap: null }) });
  const over = machine("web-3", { shed: shed("web-3", { cap: null }) });
  expect([capped, stopped, over, machine("a")].map(pressed)).toEqual(["capped", "pressure", "", ""]);
  expect(doing(capped)).toBe("capped at 300 W to relieve pdu-b: r1/pdu-b carries 104 % of its rating");
  expect(doing(over)).toBe("");
  expect(shown([capped, stopped, over], "pressure", null).map(({ name }) => name)).toEqual(["web-2"]);
  expect(headline([capped, stopped, over])).toBe("3 machines: 2 running, 1 stopped; 2 give way so that nothing trips");
});
