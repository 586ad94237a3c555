import { expect, test } from "vitest";
import type { EventView } from "../api/types";
import { revoke, type Token, unfit } from "./tokens";
import { lines, whoDid } from "./who";

const at = new Date(2026, 10, 29, 12);
const did = (by: string, more: Partial<EventView> = {}): EventView => ({
  sequence: 1,
  at: at.toISOString(),
  level: "audit",
  about: "r1/u1",
  what: "reset On",
  by,
  ...more,
});

test("the last day in a sentence: users first", () => {
  const now = at.getTime() + 1000;
  expect(whoDid([did("busbar"), did("busbar"), did("anna")], now)).toBe(
    "In the last day: anna 1 write, busbar itself 2 writes",
  );
  expect(whoDid([did("anna", { at: new Date(now - 90_000_000).toISOString() })], now)).toBe(
    "Nobody wrote anything in the last day",
  );
  expect(
    whoDid(
      ["a", "b", "c", "d", "e"].map((name) => did(name)),
      now,
    ),
  ).toMatch(/2 more users$/);
});

test("lines are as the command prints them", () => {
  expect(lines([did("anna", { because: "asked for" })], at)).toBe(
    "12:00:00 audit   r1/u1: reset On because asked for [anna]",
  );
});

test("the last token that may do everything stays, and one's own is told of", () => {
  const token = (name: string, role: Token["role"]): Token => ({ name, role, created: at.toISOString() });
  const all = [token("admin", "admin"), token("anna", "operator")];
  const [admin, anna] = all as [Token, Token];
  expect(revoke(admin, all, "admin", false).disabled).toMatch(/last token/);
  expect(revoke(anna, all, "admin", false).disabled).toBeUndefined();
  expect(revoke(anna, all, "anna", false).dies).toMatch(/this session as well/);
  expect(unfit("anna", all)).toMatch(/already/);
  expect(unfit("Anna", all)).toMatch(/lower case/);
  expect(unfit("bob", all)).toBeNull();
});
