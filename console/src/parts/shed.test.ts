import { expect, test } from "vitest";
import { shed } from "../api/made";
import { back, better, held, isNice, isOver, sake, taken } from "./shed";

test("what is taken is said, and what is given back is no longer held", () => {
  expect(taken(shed("web-1"))).toBe("capped at 300 W");
  expect(taken(shed("web-1", { stop: "cut" }))).toBe("stopped");
  const over = shed("web-1", { cap: null });
  expect(taken(over)).toBe("given back");
  expect(isOver(over)).toBe(true);
  expect(held(over)).toBeNull();
  expect(held(undefined)).toBeNull();
  expect(held(shed("web-1"))?.machine).toBe("web-1");
});

test("for whose sake, and what gives it back", () => {
  expect(sake(shed("a"))).toBe("to relieve pdu-b");
  expect(sake(shed("a", { pdus: ["r1/pdu-a", "r1/pdu-b"] }))).toBe("to relieve pdu-a and pdu-b");
  expect(sake(shed("a", { pdus: [] }))).toBe("so that nothing trips");
  expect(back([shed("a")])).toBe(
    "given back by itself, as much as fits, once pdu-b has had room below 85 % of its rating for a minute",
  );
  const stopped = shed("b", { stop: "ask", pdus: ["r1/pdu-a", "r1/pdu-b"] });
  expect(back([shed("a"), stopped])).toBe(
    "given back by itself, as much as fits, who gave way last first, once pdu-a and pdu-b have had room below 85 % of their ratings for a minute; what is stopped starts after five",
  );
  expect(back([shed("b", { stop: "cut" })])).toBe(
    "it starts by itself once pdu-b has had room below 85 % of its rating for five minutes",
  );
});

test("a shed order runs from −20 to 19, and a better one is a lower one", () => {
  expect(["-20", "0", "19", " 5 "].every(isNice)).toBe(true);
  expect(["-21", "20", "1.5", "", "x", "--1"].some(isNice)).toBe(false);
  expect([better(10), better(-9), better(-10), better(-20)]).toEqual([-10, -10, -20, null]);
});
