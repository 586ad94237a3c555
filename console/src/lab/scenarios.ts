// What may be tried with one click, in words: chosen from what the rack truly has.

import type { Fault, FaultKind, LabRack } from "./types";
import type { Wish } from "./faults";

export interface Scenario {
  id: string;
  label: string;
  wish: Wish;
}

/** Those that this rack has, the most telling first. What is set already stays the one that is offered. */
export function scenarios(rack: LabRack, kinds: readonly FaultKind[], set: readonly Fault[]): Scenario[] {
  const places = (action: string) => kinds.find((kind) => kind.action === action)?.at.map(({ place }) => place) ?? [];
  /** Where it is set, else the first of those that are wanted, else any. */
  const spot = (action: string, wanted: readonly string[], how: Wish["how"] = {}): Wish | null => {
    const all = places(action);
    const hit = set.find((fault) => fault.action === action && all.includes(fault.on.at ?? ""));
    const at = hit?.on.at ?? wanted.find((place) => all.includes(place)) ?? all[0];
    if (at === undefined) return null;
    const done = Object.entries(hit ?? {}).filter(([name, value]) => name in how && value != null);
    return { action, at, how: { ...how, ...(Object.fromEntries(done) as Wish["how"]) } };
  };
  // watts swing, and what is offered should stand still
  const about = ({ watts }: LabRack["boxes"][number]) => Math.round(watts / 200);
  const rank = ({ on, activity }: LabRack["boxes"][number]) => 2 * Number(on) + Number(activity != null);
  const busy = [...rack.boxes].sort((a, b) => rank(b) - rank(a) || about(b) - about(a)).map(({ place }) => place);
  const servers = rack.boxes.filter(({ activity }) => activity != null);
  const first = rack.boxes.find(({ place }) => place === busy[0]);
  // one that has no input is no loss
  const fed = Math.max(0, first?.supplies.indexOf(true) ?? 0);
  const middle = servers[Math.floor(servers.length / 2)]?.place ?? "";
  const pdus = rack.gear.filter(({ what }) => what === "pdu" || what === "shelf").map(({ name }) => name);
  const wet = rack.circuits.filter(({ litres }) => litres != null).map(({ name }) => name);
  const dry = rack.circuits.filter(({ litres }) => litres == null).map(({ name }) => name);
  const all: [string, (at: string) => string, Wish | null][] = [
    ["feed", (at) => `Lose ${at}`, spot("lose_feed", [])],
    ["breaker", (at) => `Trip the breaker of ${at}`, spot("trip_breaker", [...pdus].reverse())],
    ["cable", (at) => `Pull a cable of ${at}`, spot("pull_cable", busy, { supply: fed })],
    ["fans", (at) => `Stop the fans of ${at}`, spot("fail_fan", busy)],
    ["bmc", (at) => `Hang the BMC of ${at}`, spot("hang", [middle])],
    ["leak", (at) => `Spring a leak in ${at}`, spot("leak", wet, { litres_per_minute: 2 })],
    ["pump", (at) => `Stop the pumps of ${at}`, spot("stop_pump", wet)],
    ["cooling", (at) => `Stop the cooling of ${at}`, spot("stop_cooling", dry)],
    [
      "sensor",
      (at) => `Let ${at} lie about its inlet`,
      spot("drift_sensor", busy, { sensor: "InletCelsius", per_hour: 0, offset: 15 }),
    ],
  ];
  return all.flatMap(([id, label, wish]) => (wish === null ? [] : [{ id, label: label(wish.at), wish }]));
}
