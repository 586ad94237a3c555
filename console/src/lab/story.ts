// More than one feed carries: the scenario in which somebody has to give way. Pure: chosen from what the rack truly has.

import type { Action } from "../act/action";
import { type Lab, running, toTry, working } from "./offers";
import { scenarios } from "./scenarios";
import type { LabRack } from "./types";

/** A machine as the drawing tells it, and what its box is to the story. */
export interface Stage {
  rack: string;
  machines: readonly string[];
  /** The free box that can draw most, when no machine has one like it. */
  hungry: string | undefined;
}

/** What one feed would carry if it carried everything, as a share of its breaker's rating; null when that can't be said. */
export function alone(rack: LabRack, left: string): number | null {
  const of = rack.gear.find(({ what, name }) => what.includes("breaker") && name.startsWith(`${left}-`));
  if (of?.rated == null || of.rated <= 0 || of.watts <= 0 || !of.live) return null;
  const all = rack.gear.filter(({ what }) => what === "source").reduce((sum, { watts }) => sum + watts, 0);
  return (of.amps / of.rated) * (all / of.watts);
}

const FULL = {
  label: "Work at full power",
  does: "Every box that runs something works as hard as it can: when enough of them do, they draw more than one feed carries.",
};
const HUNGRY = "can draw most of all; with nice 10 it is the first to give way.";

/** What is done, one after the other: offered when there are machines, and two feeds of which one can be lost. */
export function story(lab: Lab, { rack: name, machines, hungry }: Stage): Action[] {
  const { rack, kinds, faults } = lab;
  const feeds = kinds.find(({ action }) => action === "lose_feed")?.at.map(({ place }) => place) ?? [];
  const lost = scenarios(rack, kinds, faults).find(({ id }) => id === "feed")?.wish.at;
  const left = feeds.find((feed) => feed !== lost);
  const lose = toTry(lab).find(({ id }) => id === "feed");
  const work = working("full", FULL, name, lab);
  if (machines.length === 0 || lost === undefined || left === undefined || !lose || !work) return [];
  const share = alone(rack, left);
  const set = faults.some(({ action, on }) => action === "lose_feed" && on.at === lost);
  const then =
    share === null ? "" : ` ${left} ${set ? "carries" : "would carry"} ${Math.round(100 * share)} % of its rating.`;
  const run = hungry === undefined ? [] : [running(hungry, machines, `${hungry} ${HUNGRY}`, lab, 10)];
  return [...run, work, { ...lose, does: `${lose.does ?? ""}${then}` }];
}
