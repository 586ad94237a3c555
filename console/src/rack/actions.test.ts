import { expect, test } from "vitest";
import { box as made, pdu, shed } from "../api/made";
import type { Box, Role } from "../api/types";
import { PAST } from "../act/action";
import { ofBox, ofMachine, ofOutlet } from "./actions";

const box = (more: Partial<Box> = {}) => made(1, { machine: "web-1", state: "running", ...more });
const one = (id: string, more: Partial<Box> = {}, role: Role = "admin") => {
  const found = ofBox(box(more), role, null).find((action) => action.id === id);
  if (!found) throw new Error(`no action ${id}`);
  return found;
};

test("what destroys names what dies, and the rest asks nothing", () => {
  expect(one("rm").dies).toContain("wiped");
  expect(one("kill").dies).toContain("r1/u1 loses its power");
  expect(one("term").dies).toContain("web-1");
  for (const id of ["cont", "locate", "disarm"]) expect(one(id).dies).toBeUndefined();
});

test("a role that may not is told which may", () => {
  for (const { disabled } of ofBox(box(), "reader", null)) expect(disabled).toMatch(/needs the role (operator|admin)/);
  expect(one("kill", {}, "operator").disabled).toBeUndefined();
  expect(one("disarm", {}, "operator").disabled).toContain("admin");
});

test("a state that doesn't allow it says so", () => {
  expect(one("term", { state: "stopped" }).disabled).toContain("stopped");
  expect(one("cont").disabled).toContain("running");
  expect(one("cont", { state: "stopped" }).disabled).toBeUndefined();
  expect(one("rm", { state: "wiping" }).disabled).toContain("given back");
  expect(one("locate", { armed: false }).disabled).toContain("busbar arm r1/u1");
});

test("what is stopped so that nothing trips starts by itself", () => {
  const of = { name: "web-1", place: "r1/u1", state: "stopped", shed: shed("web-1", { stop: "ask" }) };
  const start = (role: Role) => ofMachine(of, role, null).find(({ id }) => id === "cont")?.disabled;
  expect(start("operator")).toContain("Busbar stopped it to relieve pdu-b");
  expect(start("reader")).toContain("needs the role operator");
});

test("nothing is done while the past is looked at", () => {
  for (const { disabled } of ofBox(box(), "admin", PAST)) expect(disabled).toBe(PAST);
});

test("an outlet that feeds a machine is switched off only by the word for it", () => {
  const strip = pdu("pdu-a", 1);
  const [outlet] = strip.outlets;
  if (!outlet) throw new Error("no outlet");
  const [on, off] = ofOutlet(strip, outlet, box(), "admin", null);
  expect(on?.disabled).toBe("it is on");
  expect(off?.command).toBe("busbar outlet off r1/pdu-a/1 --in-use");
  expect(off?.call.path).toBe("/v1/outlets?in_use=true");
  expect(off?.dies).toContain("web-1");
  const [, free] = ofOutlet(strip, outlet, box({ machine: null }), "admin", null);
  expect(free?.command).toBe("busbar outlet off r1/pdu-a/1");
});
