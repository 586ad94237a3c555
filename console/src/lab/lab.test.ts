import { expect, test } from "vitest";
import { shownCall } from "../act/action";
import { effect, isSet, list, told } from "./faults";
import { breakable, broken, type Lab, start, toTry } from "./offers";
import { scenarios } from "./scenarios";
import { headline, lasted, ofBox } from "./state";
import { alone, story } from "./story";
import type { Fault, FaultKind, LabBox, LabGear, LabRack } from "./types";

const box = (place: string, more: Partial<LabBox> = {}): LabBox => ({
  place,
  kind: "server-2s",
  activity: "os",
  on: true,
  supplies: [true, true],
  too_hot: false,
  throttled: 0,
  watts: 300,
  inlet: 22,
  hottest: 60,
  fans: 40,
  work: 15,
  load: "idle",
  ...more,
});

const gear = (name: string, what: string, more: Partial<LabGear> = {}): LabGear => ({
  name,
  what,
  live: true,
  watts: 100,
  amps: 1,
  breaker: null,
  behind: ["r1/u1", "r1/u2"],
  last: [],
  ...more,
});

const rack = (more: Partial<LabRack> = {}): LabRack => ({
  seconds: 60,
  speed: 10,
  boxes: [box("r1/u1"), box("r1/u2", { watts: 900 })],
  gear: [
    gear("feed-b", "source"),
    gear("feed-b-breaker", "breaker", { breaker: "feed-b-breaker", last: ["r1/u2"] }),
    gear("pdu-b", "pdu", { breaker: "feed-b-breaker" }),
  ],
  circuits: [{ name: "room", cold: 22, hot: 30 }],
  ...more,
});

const kind = (action: string, places: string[], more: Partial<FaultKind> = {}): FaultKind => ({
  action,
  title: action,
  effect: "something happens",
  part: "plant",
  parameters: [],
  at: places.map((place) => ({ place, values: [] })),
  ...more,
});

const SUPPLY = { name: "supply", unit: "", listed: true, optional: false };
const kinds: FaultKind[] = [
  kind("pull_cable", [], { parameters: [SUPPLY], at: [{ place: "r1/u1", values: ["0", "1"] }] }),
  kind("trip_breaker", ["feed-b-breaker", "pdu-b"]),
  kind("fail_fan", ["r1/u1", "r1/u2"], { parameters: [{ ...SUPPLY, name: "fan", optional: true }] }),
  kind("delay", ["r1/u1"], {
    parameters: [{ name: "millis", unit: "ms", listed: false, usual: 2000, least: 0, most: null, optional: false }],
  }),
];

const fault = (id: number, action: string, at: string, how: Record<string, unknown> = {}): Fault => ({
  id,
  on: { at },
  action,
  count: null,
  hits: 0,
  ...how,
});

const lab = (more: Partial<Lab> = {}): Lab => ({
  rack: rack(),
  kinds,
  faults: [],
  barred: null,
  called: (place) => (place === "r1/u2" ? "r1/u2 (web-1)" : place),
  since: () => "",
  ...more,
});

test("only what the rack has is offered to be tried, and the busiest box loses its fans", () => {
  const offered = scenarios(rack(), kinds, []);
  expect(offered.map(({ id }) => id)).toEqual(["breaker", "cable", "fans"]);
  expect(offered.find(({ id }) => id === "fans")?.wish.at).toBe("r1/u2");
  expect(offered.find(({ id }) => id === "breaker")?.wish.at).toBe("pdu-b");
});

test("what is broken already stays the one that is offered, to be mended, whoever is busier meanwhile", () => {
  const faults = [fault(7, "fail_fan", "r1/u1", { fan: null })];
  const fans = toTry(lab({ faults })).find(({ id }) => id === "fans");
  expect(fans?.label).toBe("Mend");
  expect(fans && shownCall(fans.call)).toBe("DELETE /v1/lab/faults/7");
});

test("a cable is pulled where there is input, and one that is out is the one to be put back", () => {
  const half = rack({ boxes: [box("r1/u1", { supplies: [false, true] })] });
  const cable = (faults: Fault[]) => toTry(lab({ rack: half, faults })).find(({ id }) => id === "cable")?.command;
  expect(cable([])).toBe("busbar emulate fault r1/u1 pull-cable supply=1");
  expect(cable([fault(4, "pull_cable", "r1/u1", { supply: 0 })])).toBe("busbar emulate clear 4");
});

test("a fault is the command and the call that it is", () => {
  const [pull] = breakable("r1/u1", "plant", { pull_cable: { supply: "1" } }, lab());
  expect(pull?.command).toBe("busbar emulate fault r1/u1 pull-cable supply=1");
  expect(pull && shownCall(pull.call)).toBe(
    'POST /v1/lab/faults {"on":{"at":"r1/u1"},"action":"pull_cable","supply":1}',
  );
});

test("what was left out is left out, and a number that can't be is refused with the reason", () => {
  const all = breakable("r1/u1", "plant", { delay: { millis: "-1" } }, lab());
  expect(all.find(({ id }) => id === "fail_fan")?.call.body).toEqual({ on: { at: "r1/u1" }, action: "fail_fan" });
  expect(all.find(({ id }) => id === "delay")?.disabled).toBe("millis is 0 at least");
  expect(breakable("r1/u1", "plant", { delay: { millis: "soon" } }, lab()).at(-1)?.disabled).toBe("millis is a number");
});

test("who would die is named: without another supply, and behind the breaker rather than the PDU", () => {
  const [trip] = kinds.filter(({ action }) => action === "trip_breaker");
  const [cable] = kinds;
  if (!trip || !cable) throw new Error("no kinds");
  const { called } = lab();
  const wish = { action: "trip_breaker", at: "pdu-b", how: {} };
  expect(effect(wish, trip, rack(), called)).toContain("r1/u2 (web-1) has no other and goes dark at once");
  const pull = { action: "pull_cable", at: "r1/u1", how: { supply: 0 } };
  expect(effect(pull, cable, rack(), called)).toBe("r1/u1 lives on with its other supply.");
  const half = rack({ boxes: [box("r1/u1", { supplies: [true, false] })] });
  expect(effect(pull, cable, half, called)).toContain("r1/u1 is dead at once");
  expect(effect({ ...pull, how: { supply: 1 } }, cable, half, called)).toContain("no input already");
});

test("a fault that is set is known again by all that was asked for", () => {
  const set = fault(1, "pull_cable", "r1/u1", { supply: 1 });
  expect(isSet({ action: "pull_cable", at: "r1/u1", how: { supply: 1 } }, set)).toBe(true);
  expect(isSet({ action: "pull_cable", at: "r1/u1", how: { supply: 0 } }, set)).toBe(false);
  expect(told(set, [])).toBe("pull cable, supply 1, at r1/u1");
  expect(told(set, [kind("pull_cable", [], { title: "Pull a cable" })])).toBe("Pull a cable, supply 1, at r1/u1");
});

test("the headline says what is wrong, and that nothing is", () => {
  const { called } = lab();
  expect(headline(rack(), [], called)).toBe("Nothing is broken: 2 of 2 boxes are on.");
  const dark = rack({
    boxes: [box("r1/u1", { supplies: [false, false], on: false }), box("r1/u2", { supplies: [true, false] })],
  });
  expect(headline(dark, [fault(1, "lose_feed", "feed-b")], called)).toBe(
    "1 thing is broken: r1/u1 has no power; 1 box on fewer supplies than usual.",
  );
  expect(headline(rack(), [fault(1, "hang", "r1/u1")], called)).toBe("1 thing is broken, and no box minds.");
  expect(ofBox(box("r1/u1", { supplies: [true, false] }))).toEqual({ text: "running, 1 of 2 supplies", wrong: true });
});

test("one fault is mended alone, several also at once; nobody mends who may not", () => {
  const two = [fault(1, "hang", "r1/u1"), fault(2, "hang", "r1/u2")];
  expect(broken(lab({ faults: two })).map(({ command }) => command)).toEqual([
    "busbar emulate clear --all",
    "busbar emulate clear 1",
    "busbar emulate clear 2",
  ]);
  expect(broken(lab({ faults: two.slice(1) })).length).toBe(1);
  expect(broken(lab({ faults: two, barred: "needs the role operator" })).every(({ disabled }) => disabled)).toBe(true);
});

test("there is something to lose: a machine is offered under a name that is free, and work for those that run", () => {
  const offered = start("r1/u3", ["lab-1"], "r1", lab());
  expect(offered.map(({ command }) => command)).toEqual([
    "busbar run demo --name lab-2 --on r1/u3",
    "busbar emulate load 'r1/*' training",
  ]);
  expect(start(undefined, [], "r1", lab({ rack: rack({ boxes: [] }) }))).toEqual([]);
});

test("more than one feed carries: everyone works, a feed is lost and mended, and the hungriest box has a machine", () => {
  const two = rack({
    gear: ["a", "b"].flatMap((it) => [
      gear(`feed-${it}`, "source", { watts: 4000 }),
      gear(`feed-${it}-breaker`, "breaker", { watts: 4000, amps: 6, rated: 10 }),
    ]),
  });
  const feeds = [...kinds, kind("lose_feed", ["feed-a", "feed-b"])];
  const tell = (more: Partial<Lab>, machines = ["lab-1", "a", "b", "c", "d"], hungry?: string) =>
    story(lab({ rack: two, kinds: feeds, ...more }), { rack: "r1", machines, hungry, free: "r1/u3" });
  expect(tell({}, ["lab-1"], "r1/u10").map(({ command }) => command)).toEqual([
    "busbar run demo --name lab-2 --on r1/u10 --nice=10",
    "busbar emulate load 'r1/*' full",
    "busbar emulate speed 1",
    "busbar emulate fault feed-a lose-feed",
  ]);
  expect(tell({}, ["lab-1"])[0]?.command).toBe("busbar run demo --name lab-2 --on r1/u3");
  expect(tell({}).length).toBe(3);
  expect(tell({}).at(-1)?.does).toContain("feed-b would carry 12.0 A; its breaker is rated for 10.");
  const [rest, mend] = tell({
    faults: [fault(3, "lose_feed", "feed-a")],
    rack: { ...two, speed: 1, boxes: two.boxes.map((it) => ({ ...it, load: "full" })) },
  });
  expect([rest?.label, mend?.label, mend?.command]).toEqual(["Let them rest", "Mend", "busbar emulate clear 3"]);
  expect(mend?.does).toContain("feed-b carries 12.0 A; its breaker is rated for 10.");
  expect(tell({ barred: "needs the role operator" }).every(({ disabled }) => disabled)).toBe(true);
  // nothing to give way, one feed alone, or nothing known of what is left
  expect(tell({}, [])).toEqual([]);
  expect(tell({ kinds: [kind("lose_feed", ["feed-a"])] })).toEqual([]);
  expect(alone(rack(), "feed-a")).toBeNull();
});

test("names are listed shortly, and time as people say it", () => {
  expect(list(["a", "b", "c"])).toBe("a, b and c");
  expect(list(["a", "b", "c", "d", "e", "f", "g"])).toBe("a, b, c, d and 3 more");
  expect([lasted(59), lasted(8_000), lasted(200_000)]).toEqual(["0 m", "2 h 13 m", "2 d 7 h"]);
});
