import { expect, test } from "vitest";
import { machine } from "./made";
import { lines, moving, seconds, total } from "./timeline";

const at = (second: number) => new Date(Date.UTC(2026, 10, 29, 12, 0, second)).toISOString();
const phases = [
  { name: "place", began: at(0), ended: at(0) },
  { name: "power", began: at(0), ended: at(10) },
  { name: "write", began: at(10), ended: at(30), bytes: 2e9 },
  // stopped for a while, and started again
  { name: "first boot", began: at(3000) },
];
const it = machine("a", {
  budgets: { power: 330, write: 15 },
  status: { state: "installing", timeline: phases },
});

test("phases follow each other without the time between them, and the open one grows", () => {
  const [, power, write, boot] = lines(it, Date.parse(at(3010)));
  expect(power).toMatchObject({ seconds: 10, budget: 330, from: 0, share: 0.25, open: false, late: false });
  expect(write).toMatchObject({ seconds: 20, bytes: 2e9, late: true, from: 0.25, share: 0.5 });
  expect(boot).toMatchObject({ seconds: 10, budget: null, open: true, late: false, from: 0.75 });
  expect(total(lines(it, Date.parse(at(3010))))).toBe("so far 40.0 s");
});

test("a clock that is behind makes no negative seconds", () => {
  expect(lines(it, Date.parse(at(0))).at(-1)?.seconds).toBe(0);
  expect(lines(machine("a"), 0)).toEqual([]);
});

test("what is written is said with its speed", () => {
  const timeline = [{ name: "write", began: at(10) }];
  const progress = { phase: "write", done: 1.2e9, total: 2e9, at: at(14) };
  expect(moving(machine("a", { progress, status: { timeline } }))).toBe("1.2 GB of 2 GB, 60 %, 300 MB/s");
  expect(moving(machine("a"))).toBeNull();
});

test("seconds are read at a glance", () => {
  expect(seconds(9.26)).toBe("9.3 s");
  expect(seconds(250)).toBe("4 m 10 s");
});
