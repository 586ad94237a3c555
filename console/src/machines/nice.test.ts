import { expect, test } from "vitest";
import { shownCall } from "../act/action";
import type { Role } from "../api/types";
import { niceAction, wrong } from "./nice";

const act = (typed: string, state = "running", role: Role = "operator", barred: string | null = null) =>
  niceAction({ name: "web-3", nice: 0, state }, typed, role, barred);

test("a nice is set by the command that says so", () => {
  expect(act("-10").command).toBe("busbar nice -n -10 web-3");
  expect(shownCall(act("-10").call)).toBe('POST /v1/machines/web-3/nice {"nice":-10}');
  expect(act("-10").disabled).toBeUndefined();
});

test("what can't be is said before it is asked", () => {
  for (const typed of ["20", "-21", "1.5", "many"]) expect(wrong(typed, 0)).toContain("from −20");
  expect(wrong("", 0)).toContain("say which");
  expect(wrong("0", 0)).toBe("its nice is 0 already");
  expect([wrong("19", 0), wrong("-20", 0), wrong(" 5 ", 0)]).toEqual([null, null, null]);
  expect(act("many").command).toBe("busbar nice -n NICE web-3");
  expect(act("5", "released").disabled).toContain("released");
  expect(act("5", "running", "reader").disabled).toContain("operator");
  expect(act("5", "running", "operator", "nobody answers").disabled).toBe("nobody answers");
});
