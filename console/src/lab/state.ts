// The state of the emulated rack in words.

import { type Called, list } from "./faults";
import type { Fault, LabBox, LabCircuit, LabGear, LabRack } from "./types";

const count = (n: number, one: string, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

/** What is wrong with it, truly; most grave first. */
export function headline(rack: LabRack, faults: readonly Fault[], called: Called): string {
  const fed = ({ supplies }: LabBox) => supplies.filter((it) => it).length;
  const dark = rack.boxes.filter((box) => box.supplies.length > 0 && fed(box) === 0).map(({ place }) => called(place));
  const half = rack.boxes.filter((box) => fed(box) > 0 && fed(box) < box.supplies.length);
  const hot = rack.boxes.filter(({ too_hot }) => too_hot).map(({ place }) => called(place));
  const slow = rack.boxes.filter(({ throttled }) => throttled > 0).map(({ place }) => called(place));
  const wrong = [
    dark.length > 0 && `${list(dark)} ${dark.length === 1 ? "has" : "have"} no power`,
    hot.length > 0 && `${list(hot)} switched off by heat`,
    slow.length > 0 && `${list(slow)} slowed down by heat`,
    half.length > 0 && `${count(half.length, "box", "boxes")} on fewer supplies than usual`,
  ].filter((it) => it !== false);
  if (faults.length === 0 && wrong.length === 0) {
    const on = rack.boxes.filter(({ on }) => on).length;
    return `Nothing is broken: ${on === 0 ? "every box is off" : `${on} of ${count(rack.boxes.length, "box", "boxes")} ${on === 1 ? "is" : "are"} on`}.`;
  }
  const set =
    faults.length === 0
      ? "Nothing is broken any more"
      : `${count(faults.length, "thing")} ${faults.length === 1 ? "is" : "are"} broken`;
  return `${set}${wrong.length > 0 ? `: ${wrong.join("; ")}` : ", and no box minds"}.`;
}

const ACTIVITIES: Record<string, string> = {
  post: "self test",
  firmware: "firmware",
  agent: "agent",
  booting: "starting",
  os: "running",
  stays: "in firmware",
  virtual: "on",
};

/** What runs on a box, and what is wrong with it. */
export function ofBox(box: LabBox): { text: string; wrong: boolean } {
  const fed = box.supplies.filter((it) => it).length;
  const runs = box.on ? (ACTIVITIES[box.activity ?? ""] ?? "on") : "off";
  const wrong = [
    fed === 0 && box.supplies.length > 0 && "no power",
    fed > 0 && fed < box.supplies.length && `${fed} of ${box.supplies.length} supplies`,
    box.too_hot && "too hot",
    box.throttled > 0 && `${count(box.throttled, "chip")} slowed`,
  ].filter((it) => it !== false);
  return { text: [runs, ...wrong].join(", "), wrong: wrong.length > 0 };
}

export const ofGear = (gear: LabGear) => ({
  text: gear.what.includes("tripped") ? "tripped" : gear.live ? "live" : "dark",
  wrong: !gear.live,
});

export const ofCircuit = ({ cold, hot, litres }: LabCircuit) => ({
  text: `${cold.toFixed(1)} °C out, ${hot.toFixed(1)} °C back${litres == null ? "" : `, ${litres.toFixed(0)} l`}`,
  wrong: false,
});

/** `2 h 13 m`: the rack's own time since it was started. */
export function lasted(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} m` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
