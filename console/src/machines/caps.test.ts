import { expect, test } from "vitest";
import { shed } from "../api/made";
import type { Role } from "../api/types";
import { capActions, wish, wrong } from "./caps";
import type { SettingsView } from "./types";

const settings = (more: Partial<SettingsView> = {}): SettingsView => ({
  wanted: { cap: null, trial: null, bios: {} },
  caps: [{ id: "system", watts: null, lowest: 317, highest: 755, writable: true }],
  bios: {},
  pending: {},
  unfulfilled: [],
  ...more,
});
const acts = (watts: string, trial = "", more: Partial<SettingsView> = {}, role: Role = "operator") =>
  capActions({ name: "web-1", place: "r1/u1", settings: settings(more), shed: null }, { watts, trial }, role, null);

test("a cap is set, or tried, by the command that says so", () => {
  expect(acts("600")[0]).toMatchObject({
    command: "busbar cap web-1 600W",
    call: { path: "/v1/settings", body: { place: "r1/u1", cap: { watts: 600 } } },
  });
  expect(acts("600")[0]?.disabled).toBeUndefined();
  expect(acts("600", "5m")[0]).toMatchObject({
    label: "Try the cap",
    command: "busbar cap web-1 600W --try 5m",
    call: { body: { cap: { watts: 600 }, try_seconds: 300 } },
  });
});

test("what the box doesn't take is said before it is asked", () => {
  expect(wrong("300", settings())).toContain("317 W");
  expect(wrong("9000", settings())).toContain("755 W");
  expect(wrong("many", settings())).toContain("number");
  expect(acts("")[0]?.disabled).toBe("say how many watts");
  expect(acts("600", "", { caps: [] })[0]?.disabled).toContain("no power cap");
  expect(acts("600", "", {}, "reader")[0]?.disabled).toContain("operator");
});

test("there is something to lift or to keep only when there is", () => {
  expect(acts("600").map(({ id }) => id)).toEqual(["cap-set", "cap-lift"]);
  expect(acts("600")[1]?.disabled).toBe("there is no cap");
  const trial = { cap: { watts: 600 }, trial: { until: "2026-11-29T12:00:00Z" }, bios: {} };
  const on = acts("500", "", { wanted: trial });
  expect(on.map(({ id }) => id)).toEqual(["cap-keep", "cap-set", "cap-lift"]);
  expect(on[2]?.disabled).toBeUndefined();
  expect([wish(null), wish("lifted"), wish({ watts: 600 })]).toEqual(["none wanted", "lifted", "600 W"]);
});

test("the cap by which it gives way is nobody's to lift", () => {
  const caps = [{ id: "system", watts: 300, lowest: 250, highest: 755, writable: true }];
  const lift = (wanted: SettingsView["wanted"], cap: number) => {
    const of = { name: "web-1", place: "r1/u1", settings: settings({ caps, wanted }), shed: shed("web-1", { cap }) };
    return capActions(of, { watts: "", trial: "" }, "operator", null).find(({ id }) => id === "cap-lift")?.disabled;
  };
  expect(lift({ cap: null }, 300)).toBe("the cap is Busbar's own, to relieve pdu-b: it is lifted when there is room");
  // what somebody wanted can be lifted, also while less than that is in force
  expect(lift({ cap: { watts: 600 } }, 300)).toBeUndefined();
  expect(lift({ cap: null }, 280)).toBeUndefined();
});
