import { expect, test } from "vitest";
import { asking, given, gone, NOBODY, type Pen, told, words } from "./pen";

const anna = { by: "anna", since: "2026-11-29T12:00:00Z" };
const me = { by: "admin", since: "2026-11-29T12:05:00Z" };
const take = (pen: Pen) => given(asking(pen), "admin");
const said = (pen: Pen) => words(pen, (at) => at.slice(11, 16));

test("a page that was given the pen has it once it is told so, and loses it to another window of the same name", () => {
  let pen = take(told(NOBODY, anna, "admin"));
  expect(pen.mine).toBe("asked");
  // an answer from before it was given
  pen = told(pen, anna, "admin");
  expect(pen.mine).toBe("asked");
  pen = told(pen, me, "admin");
  expect(pen.mine).toBe(me.since);
  expect(said(pen)).toContain("You have the pen");
  pen = told(pen, { by: "admin", since: "2026-11-29T12:06:00Z" }, "admin");
  expect(pen.mine).toBeNull();
  expect(said(pen)).toContain("admin took the pen at 12:06");
});

test("somebody who was faster has it", () => {
  const pen = told(take(NOBODY), anna, "admin");
  expect(pen).toMatchObject({ mine: null, taken: "anna" });
});

test("a pen that lies free again is nobody's", () => {
  const pen = told(told(take(NOBODY), me, "admin"), null, "admin");
  expect(pen).toMatchObject({ holder: null, mine: null, taken: null });
  expect(said(pen)).toContain("Nobody has the pen");
});

test("who only reads is told who types", () => {
  expect(said(told(NOBODY, anna, "admin"))).toBe("anna has the pen since 12:00. This page reads only.");
  expect(gone(take(NOBODY)).mine).toBeNull();
});

test("a page that is told of its own pen before it knows that it was given it loses it all the same", () => {
  const early = told(asking(told(NOBODY, anna, "admin")), me, "admin");
  const pen = given(early, "admin");
  expect(pen.mine).toBe(me.since);
  const lost = told(pen, { by: "admin", since: "2026-11-29T12:06:00Z" }, "admin");
  expect(lost).toMatchObject({ mine: null, taken: "admin" });
});
