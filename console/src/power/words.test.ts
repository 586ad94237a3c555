import { expect, test } from "vitest";
import { shed } from "../api/made";
import { fed } from "./made";
import type { Given } from "./types";
import { words } from "./words";

test("a box that gives way says so in as many words as there is room for", () => {
  const box = fed("u1", "pdu-a");
  const held = { ...box, machine: "web-1", state: "running", cap: 300, watts: 298, shed: shed("web-1") };
  const said = (room: number, dies = false, given?: Given) => {
    const { value, gives } = words(held, room, dies, given);
    return [value, gives];
  };
  expect(words(box, 312, false, undefined)).toMatchObject({ name: "u1", under: "server", value: "200 W", gives: null });
  expect(said(312)).toEqual(["298 W, capped 300 W", "capped"]);
  expect(said(160)).toEqual(["capped 300 W", "capped"]);
  expect(said(126)).toEqual(["≤ 300 W", "capped"]);
  expect(words(held, 126, false, undefined).said).toBe("r1/u1, web-1: 298 W, capped at 300 W to relieve pdu-b");
  held.shed.stop = "cut";
  expect(said(312)).toEqual(["stopped to relieve pdu-b", "stopped"]);
  expect(said(126)).toEqual(["stopped", "stopped"]);
  // what would be goes before what is, and who dies gives nothing
  const given = { place: "r1/u1", machine: "web-1", nice: 10, watts: 600, cap: 250, because: "" };
  expect(said(312, false, given)).toEqual(["→ capped 250 W", "capped"]);
  expect(said(126, false, { ...given, cap: null, stop: "ask" })).toEqual(["→ stopped", "stopped"]);
  expect(said(312, true, given)).toEqual(["dies", null]);
  held.shed.stop = held.shed.cap = null;
  expect(said(312)).toEqual(["298 W / 300 W", null]);
});
