import { expect, test } from "vitest";
import { box, shed } from "../api/made";
import { mark, outline } from "./mark";

const of = (more: Parameters<typeof box>[1]) => mark(box(1, { machine: "web-1", state: "running", ...more }));

test("who gives way has a shape and a word of its own, also when it is ill", () => {
  expect(of({})).toEqual({ shape: "disc", word: "running", loud: false });
  expect(of({ shed: shed("web-1") })).toEqual({ shape: "less", word: "capped", loud: true });
  expect(of({ state: "stopped", shed: shed("web-1", { stop: "ask" }) }).word).toBe("stopped, pressure");
  expect(of({ shed: shed("web-1", { cap: null }) }).word).toBe("running");
  expect(of({ shed: shed("web-1"), silent: "no route" }).word).toBe("silent");
  expect(of({ health: "critical" })).toEqual({ shape: "cross", word: "running, critical", loud: true });
  expect(of({ shed: shed("web-1"), health: "critical" })).toEqual({
    shape: "less",
    word: "capped, critical",
    loud: true,
  });
  expect(outline("less", 10, 10, 4)).toMatch(/^M6 7.2L10 10.8L14 7.2V10L10 13.6L6 10Z$/);
});
